"""One host of the bed: its spaces, its cable, its engine.

What does not live here: which hosts there are, and what is between them (`bed`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from releaser.demo import keeper
from releaser.demo.engine import _stands, answers
from tests import needs
from tests.testbed.namespaces import (
    BedError,
    first_process,
    inside,
    kill,
    leave_running,
    members,
    run,
    wait_for,
    words_of,
)

PLAIN_PORT, SECURED_PORT = 2375, 2376
# sysfs shows the network of who mounts it, so it is mounted anew, and the cgroups are carried over. /run is the host's own.
HOLD = """
hostname "$1"; shift
mount -t tmpfs none /mnt && mkdir /mnt/cgroup && mount --rbind /sys/fs/cgroup /mnt/cgroup || exit
mount -t sysfs sysfs /sys && mount --rbind /mnt/cgroup /sys/fs/cgroup && umount -l /mnt || exit
mount -t tmpfs -o mode=755 none /run && mkdir -p /run/sshd || exit
ip link set lo up; exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a host is made with. `disk_mb` gives its engine a small disk of its own (ext4 on a loop device)."""

    number: int
    secured: bool = False
    disk_mb: int = 0
    options: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As remembered in the host's folder, for whoever comes from another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Setup:
        """Read what `to_json` wrote."""
        found = json.loads(text)
        return cls(**{**found, "options": tuple(found["options"])})


class Host:
    """A host. It is found again by its folder and the bed's first process, so any process may take hold of it."""

    def __init__(self, name: str, setup: Setup, *, bed_pid: int, folder: Path, wire: str, cgroup: str) -> None:
        """`wire` are the first three numbers of its addresses."""
        self.name = name
        self.setup = setup
        self.options: tuple[str, ...] = setup.options
        self.folder = folder
        self.log = folder / "dockerd.log"
        self.ip = f"{wire}.{10 + setup.number}"
        self._wire = wire
        self._bed_pid = bed_pid
        self._cgroup = cgroup

    @property
    def address(self) -> str:
        """Over the socket, which no cut touches."""
        return f"unix://{self.folder / 'docker.sock'}"

    @property
    def tcp(self) -> str:
        """Over the wire."""
        return f"tcp://{self.ip}:{SECURED_PORT if self.setup.secured else PLAIN_PORT}"

    # The machine

    def boot(self) -> None:
        """Switch it on, with its cable in, and start its engine; `wait_ready` waits for that."""
        if self.holder() is None:
            self._hold()
            self._plug()
        self.start(wait=False)

    def poweroff(self) -> None:
        """Switch it off, with everything that runs on it; its disk stays. `boot` switches it on."""
        if (holder := self.holder()) is not None:
            kill(holder)

    def holder(self) -> int | None:
        """The host's first process as seen from here; none when it is off."""
        for unshared in keeper.children_of(self._bed_pid):
            words = words_of(unshared)
            if words[:1] == ["unshare"] and self.name in words:
                return next(keeper.children_of(unshared), None)
        return None

    def run(self, *words: str, feed: bytes | None = None) -> str:
        """Run a command on the host; its output."""
        return run(*inside(self._held()), *words, feed=feed)

    def leave_running(self, *words: str, log: str) -> None:
        """Start a program on the host and let it run; its output goes to a file of the host's folder."""
        leave_running(self._held(), words, log=self.folder / log)

    def state(self) -> str:
        """`off`, or its engine's: `none`, `frozen`, `up`."""
        if self.holder() is None:
            return "off"
        if (pid := self.daemon()) is None:
            return "none"
        return "frozen" if _stands(pid) else "up"

    # The cable

    def cut(self) -> None:
        """Pull the cable out: what is sent gets lost, and nobody is told."""
        self._switch("ip", "link", "set", self.name, "down")

    def mend(self) -> None:
        """Put the cable back."""
        self._switch("ip", "link", "set", self.name, "up")

    # The engine

    def start(self, *, wait: bool = True) -> None:
        """Start the engine unless it runs."""
        if self.daemon() is None:
            self.run("rm", "-f", "/run/docker.pid", "/run/docker/containerd/containerd.pid")
            leave_running(self._held(), self._daemon_words(), log=self.log)
        if wait:
            self.wait_ready()

    def wait_ready(self, *, within_s: float = 60) -> None:
        """Return when the engine answers."""
        for _ in wait_for(f"The engine of {self.name}", log=self.log, within_s=within_s):
            if answers(self.address, timeout_s=2):
                return

    def daemon(self) -> int | None:
        """The daemon's process id as seen from here; none when it does not run."""
        return next(members(self._held(), named="dockerd"), None)

    def freeze(self) -> None:
        """Let the daemon hang; containers go on. Every thread stands on return."""
        os.kill(pid := self._daemon(), signal.SIGSTOP)
        until = time.monotonic() + 5
        while not _stands(pid) and time.monotonic() < until:
            time.sleep(0.005)

    def thaw(self) -> None:
        """Let a frozen daemon go on; one that is not frozen does not mind."""
        if (pid := self.daemon()) is not None:
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the daemon and its containerd. Containers go on while it is away, and on its return unless it keeps them alive."""
        held = self._held()
        for name in ("dockerd", "containerd"):
            for pid in members(held, named=name):
                kill(pid)

    def restart(self, *options: str) -> None:
        """Kill the daemon and start it, with other options from now on where given."""
        self.options = options or self.options
        self.kill()
        self.start()

    def repair(self) -> None:
        """Whatever was done to it: on, cable in, engine running and answering, with the options it was made with."""
        changed, self.options = self.options != self.setup.options, self.setup.options
        if self.holder() is not None:
            self.mend()
            self.thaw()
            if changed:
                self.kill()
        self.boot()
        self.wait_ready()

    def _daemon_words(self) -> tuple[str, ...]:
        keys = [f"--tls{kind}={self.folder / f'{name}.pem'}" for kind, name in TLS_FILES] if self.setup.secured else []
        return (
            "dockerd",
            f"--host={self.address}",
            "--host=unix:///var/run/docker.sock",  # where whoever is on the host looks for it
            f"--host=tcp://0.0.0.0:{self.tcp.rpartition(':')[2]}",
            # Said in so many words, an open socket costs a second at the start instead of fifteen.
            *(["--tlsverify", *keys] if self.setup.secured else ["--tls=false"]),
            f"--data-root={self.folder / 'data'}",
            f"--bip={self._wire.rpartition('.')[0]}.{int(self._wire.rpartition('.')[2]) + self.setup.number}.1/24",
            f"--insecure-registry={self._wire}.0/24",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{self._cgroup}/{self.name}",
            f"--label=bed.host={self.name}",
            "--shutdown-timeout=2",
            *self.options,
        )

    def _hold(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "setup.json").write_text(self.setup.to_json())
        words = (
            *("unshare", "--net", "--mount", "--propagation=private", "--uts", "--pid", "--fork", "--kill-child"),
            *("--mount-proc", "sh", "-c", HOLD, "sh", self.name, first_process(), "-s", "--", "sleep", "infinity"),
        )
        log = self.folder / "holder.log"
        leave_running(self._bed_pid, words, log=log, spaces="p")
        for _ in wait_for(f"Booting {self.name}", log=log):
            holder = self.holder()
            if holder is not None and words_of(holder)[:1] == [first_process()]:
                break
        if self.setup.disk_mb:
            self._mount_disk()

    def _mount_disk(self) -> None:
        image, data = self.folder / "disk.img", str(self.folder / "data")
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(self.setup.disk_mb * 1024 * 1024)
            run(
                needs.program("mkfs.ext4", of="docker"), "-q", "-m", "0", "-N", "4096", "-O", "^has_journal", str(image)
            )
        try:
            self.run("mount", "-o", "loop", str(image), data)
        except BedError as error:
            # In some containers there are no loop devices. Memory is as full as a disk can be, but is lost when it is switched off.
            sys.stderr.write(f"{self.name} has a disk in memory: {error}\n")
            self.run("mount", "-t", "tmpfs", "-o", f"size={self.setup.disk_mb}m", "tmpfs", data)

    def _plug(self) -> None:
        holder, network = str(self._held()), inside(self._held(), spaces="n")
        # What was plugged in before it was switched off may take the kernel another moment to put away.
        with contextlib.suppress(BedError):
            self._switch("ip", "link", "delete", self.name)
        ends = ("link", "add", "name", self.name, "netns", str(self._bed_pid), "type", "veth", "peer", "name", "eth0")
        run("ip", *ends, "netns", holder)
        self._switch("ip", "link", "set", self.name, "master", "br0", "up")
        run(*network, "ip", "address", "add", f"{self.ip}/24", "dev", "eth0")
        # The same as before it was switched off, so that nobody has to forget another.
        run(*network, "ip", "link", "set", "eth0", "address", f"02:bd:00:00:00:{self.setup.number:02x}", "up")
        run(*network, "ip", "route", "add", "default", "via", f"{self._wire}.1")

    def _switch(self, *words: str) -> None:
        run(*inside(self._bed_pid, spaces="n"), *words)

    def _held(self) -> int:
        if (holder := self.holder()) is None:
            raise BedError(f"{self.name} is switched off.")
        return holder

    def _daemon(self) -> int:
        if (pid := self.daemon()) is None:
            raise BedError(f"No engine runs on {self.name}.")
        return pid


TLS_FILES = (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
