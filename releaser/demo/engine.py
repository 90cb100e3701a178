"""A container engine for the demonstration and the tests: the user's own, or one private to a folder.

A private engine has its own socket, data, containerd, process, mount and cgroup trees, its own bridge and address
range, and touches neither the packet filter nor `ip_forward`: ports are published by the engine's userland proxy.
Whatever way its owner ends, `keeper` removes every trace. On a user's own engine everything carries a label and a
name of its own, and exactly that is removed at the end.

What does not live here: getting an engine onto the machine (`install`), images (`images`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self
from urllib.parse import urlsplit

import docker
import docker.errors
import requests.exceptions

from releaser.demo import keeper
from releaser.errors import ConflictError, OutsideError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
LABEL = "releaser.demo"
# What a private engine is run with, and the package of Debian and Ubuntu that brings it.
PROGRAMS: Mapping[str, str] = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
SOCKET_PATH_LIMIT = 100  # the kernel takes 107 bytes; some left for what is put in front
# RFC 2544 sets this range apart for test networks: no real network is in the way. One slot for each engine.
POOLS = tuple(ipaddress.IPv4Network("198.18.0.0/15").subnets(new_prefix=20))
BRIDGE_PREFIX = 26

# The first process of the namespace. /run is private, so that an engine of the machine is neither found nor disturbed;
# what resolv.conf points to there is carried over. A killed daemon is started again, as a service manager would.
FIRST_PROCESS = """
names=$(readlink -m /etc/resolv.conf); servers=$(cat /etc/resolv.conf 2>/dev/null)
mount -t tmpfs -o mode=755 tmpfs /run || exit
case $names in /run/*) mkdir -p "${names%/*}"; printf '%s\\n' "$servers" >"$names";; esac
while :; do
  rm -f /run/docker.pid /run/docker/containerd/containerd.pid
  "$@" & wait $!; status=$?
  [ $status = 137 ] || exit $status
done
"""


class MissingProgramError(OutsideError):
    """A program that is needed is not on this machine."""

    def __init__(self, *programs: str, packages: tuple[str, ...] = ()) -> None:
        advice = f"Install the packages {' '.join(packages)}." if packages else "Install it and try again."
        super().__init__(f"Not on this machine: {', '.join(programs)}.", permanent=True, advice=advice)
        self.programs = programs


class EngineStartError(OutsideError):
    """A private engine did not come up."""

    def __init__(self, why: str, *, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        tail = " | ".join(line[-200:] for line in lines[-4:]) or "(empty)"
        super().__init__(
            f"The private container engine did not start: {why}. Its log ends: {tail}",
            permanent=False,
            advice=f"See {log}.",
        )


class EngineCallError(OutsideError):
    """An engine did not do what it was asked for."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"The container engine at {address} failed: {why}.", permanent=False)


class EngineBusyError(ConflictError):
    """Another run uses the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"Another run uses the engine in {folder}.", advice="Wait for it or end it, then try again.")


class Engine(Protocol):
    """What the demonstration and the tests need of an engine; a context manager that starts and stops it."""

    @property
    def address(self) -> str:
        """The engine's URL, such as `unix:///…`."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that everything made on this engine must carry; empty where nobody else uses it."""
        ...

    def unique(self, name: str) -> str:
        """The name under which `name` is made on this engine, so that it is in nobody's way."""
        ...

    def stop(self) -> None:
        """Remove everything that was made; repeatable."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def identity(folder: Path) -> str:
    """Eight hex digits naming the folder, the same on every run."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]


def find_engine(environ: Mapping[str, str] = os.environ, *, timeout_s: float = 3) -> str | None:
    """The address of a container engine on this machine that answers within about `timeout_s`, or None.

    Looks at DOCKER_HOST, and without it at the default socket. An engine elsewhere does not count: ports published
    there and a registry on loopback here would not meet.
    """
    address = environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    parts = urlsplit(address)
    local = parts.scheme == "unix" or (parts.scheme in {"tcp", "http"} and parts.hostname in {"127.0.0.1", "localhost"})
    return address if local and answers(address, timeout_s=timeout_s) else None


def answers(address: str, *, timeout_s: float) -> bool:
    """Whether a container engine answers at the address.

    Asked without the SDK, which leaves its socket open where the connection is refused.
    """
    parts = urlsplit(address)
    asked = socket.socket(socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET)
    with asked:
        asked.settimeout(timeout_s)
        try:
            asked.connect(parts.path if parts.scheme == "unix" else (parts.hostname or "", parts.port or 2375))
            asked.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return asked.recv(64).startswith(b"HTTP/1.1 200")
        except (OSError, ValueError):
            return False


@contextlib.contextmanager
def talk(address: str) -> Iterator[docker.APIClient]:
    """A client of the engine; whatever fails in between is an EngineCallError."""
    if not answers(address, timeout_s=10):  # the SDK would say so too, but leave a socket open
        raise EngineCallError(address, "it does not answer")
    try:
        client = docker.APIClient(base_url=address, version="auto", timeout=30)
        try:
            yield client
        finally:
            client.close()
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise EngineCallError(address, str(error)) from error


class RunningEngine:
    """The user's own engine. All that is made there carries `labels`; stopping removes that, and nothing else."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self._id = identity(folder)

    @property
    def labels(self) -> Mapping[str, str]:
        return {LABEL: self._id}

    def unique(self, name: str) -> str:
        return f"{name}-{self._id}"

    def __enter__(self) -> Self:
        """Remove what a killed run with this folder left."""
        self.stop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove containers, networks, volumes and images that carry the label. Raises EngineCallError."""
        mine = {"label": f"{LABEL}={self._id}"}
        # Something may vanish between the list and the removal: gone is what is wanted.
        gone = contextlib.suppress(docker.errors.NotFound)
        with talk(self.address) as client:
            for container in client.containers(all=True, filters=mine):
                with gone:
                    client.remove_container(container["Id"], force=True, v=True)
            for network in client.networks(filters=mine):
                with gone:
                    client.remove_network(network["Id"])
            for volume in client.volumes(filters=mine)["Volumes"] or ():
                with gone:
                    client.remove_volume(volume["Name"], force=True)
            for image in client.images(filters=mine):
                with gone:
                    client.remove_image(image["Id"], force=True)


class PrivateEngine:
    """An engine of its own for the owner of `folder`; needs root. Several may run side by side.

    Starting first waits up to `free_within_s` for another run with this folder to end, and removes what a killed one
    left. `dockerd.log` stays in the folder afterwards. Raises MissingProgramError, EngineBusyError or EngineStartError.
    """

    def __init__(self, folder: Path, *, ready_within_s: float = 30, free_within_s: float = 10) -> None:
        self.folder = folder.resolve()
        self._id = identity(folder)
        self._ready_within_s = ready_within_s
        self._free_within_s = free_within_s
        self._log = self.folder / "dockerd.log"
        self._note = self.folder / "engine.json"
        self._keeper: subprocess.Popen[bytes] | None = None
        inside = self.folder / "docker.sock"
        deep = len(os.fsencode(inside)) > SOCKET_PATH_LIMIT
        self._socket = Path("/tmp") / f"releaser-{self._id}" / "docker.sock" if deep else inside  # noqa: S108 - socket paths are short by law

    @property
    def address(self) -> str:
        return f"unix://{self._socket}"

    @property
    def labels(self) -> Mapping[str, str]:
        return {}

    def unique(self, name: str) -> str:
        return name

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the engine and return when it answers."""
        if missing := [program for program in PROGRAMS if shutil.which(program, path=keeper.PATH) is None]:
            raise MissingProgramError(*missing, packages=tuple(PROGRAMS[program] for program in missing))
        if self.folder.is_relative_to("/run") or os.geteuid() != 0:
            why = "it needs root" if os.geteuid() != 0 else "its folder must not be below /run, which it hides"
            raise EngineStartError(why, log=self._log)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked() as lock:
            self._recover()
            kept = self._plan()
            self._note.write_text(kept.to_json())  # before anything is made: what is not noted is never cleared
            self._make_room(kept)
            self._log.unlink(missing_ok=True)
            self._keeper = keeper.keep(kept, pass_fds=(lock.fileno(),))
        try:
            self._wait(self._keeper)
        except BaseException:  # a Ctrl-C while waiting included: nobody else would know of it
            self.stop()
            raise

    def stop(self) -> None:
        """End the engine with every container, and remove all of it but its log."""
        if (running := self._keeper) is None:
            return
        self._keeper = None
        if not keeper.let_go(running):
            self.recover()

    def recover(self) -> None:
        """Remove what a killed run with this folder left on the machine."""
        if self.folder.is_dir():
            with self._locked():
                self._recover()

    def freeze(self) -> None:
        """Let the daemon hang (containers go on), as an overloaded one would; every thread stands on return."""
        os.kill(pid := self.daemon_pid(), signal.SIGSTOP)
        until = time.monotonic() + 5
        while not _stands(pid) and time.monotonic() < until:
            time.sleep(0.005)

    def thaw(self) -> None:
        """Let a frozen daemon go on."""
        os.kill(self.daemon_pid(), signal.SIGCONT)

    def kill_daemon(self) -> None:
        """Kill the daemon, which takes its containers down; it comes back by itself (wait with `wait_ready`)."""
        ended = os.pidfd_open(pid := self.daemon_pid())
        os.kill(pid, signal.SIGKILL)
        keeper.wait_readable(ended, timeout_s=5)
        os.close(ended)

    def wait_ready(self) -> None:
        """Return when the engine answers; raises EngineStartError when it does not in time."""
        if self._keeper is None:
            raise EngineStartError("it was never started or has been stopped", log=self._log)
        self._wait(self._keeper)

    def daemon_pid(self) -> int:
        """The daemon's process id as seen from here."""
        owner = 0 if self._keeper is None else self._keeper.pid
        for outer in keeper.children_of(owner) if owner else ():
            for first in keeper.children_of(outer):
                for pid in keeper.children_of(first):
                    if (Path("/proc") / str(pid) / "comm").read_text().strip() == "dockerd":
                        return pid
        raise EngineStartError("no daemon runs", log=self._log)

    def _wait(self, running: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + self._ready_within_s
        while not answers(self.address, timeout_s=2):
            ended = running.poll() is not None
            if ended or time.monotonic() > until:
                why = "it ended by itself" if ended else f"no answer within {self._ready_within_s:g} s"
                raise EngineStartError(why, log=self._log)
            time.sleep(0.02)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """Hold the folder; the keeper inherits the lock, so that a run still clearing up is waited for."""
        with (self.folder / "engine.lock").open("ab") as lock:
            until = time.monotonic() + self._free_within_s
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise EngineBusyError(self.folder) from None
                    time.sleep(0.05)
                else:
                    break
            yield lock

    def _recover(self) -> None:
        if self._note.exists():
            with contextlib.suppress(ValueError):
                keeper.clear(keeper.Kept.from_json(self._note.read_text()))
            self._note.unlink(missing_ok=True)

    def _plan(self) -> keeper.Kept:
        """What to run and what to remove afterwards."""
        own_folder = self._socket if self._socket.parent == self.folder else self._socket.parent
        name = f"rls{self._id}"
        pool = _free_pool(int(self._id, 16))
        return keeper.Kept(
            command=(*_namespace(), *self._daemon(name, pool)),
            log=str(self._log),
            namespace=True,
            bridge=name,
            pool=str(pool),
            cgroup=name,
            remove=(str(own_folder), str(self.folder / "data"), str(self._note)),
        )

    def _make_room(self, kept: keeper.Kept) -> None:
        """Make the bridge and the socket's folder, afresh."""
        _own_folder(self._socket.parent)
        keeper.add_bridge(kept.bridge, address=f"{ipaddress.IPv4Network(kept.pool)[1]}/{BRIDGE_PREFIX}")

    def _daemon(self, bridge: str, pool: ipaddress.IPv4Network) -> tuple[str, ...]:
        return (
            "dockerd",
            f"--host=unix://{self._socket}",
            f"--data-root={self.folder / 'data'}",
            f"--bridge={bridge}",
            f"--default-address-pool=base={pool},size={BRIDGE_PREFIX}",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--userland-proxy=true",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{bridge}",
            "--shutdown-timeout=2",
        )


def _stands(pid: int) -> bool:
    """Whether every thread of the process is stopped; a thread that has just ended counts as standing."""
    states: list[str] = []
    for task in (Path("/proc") / str(pid) / "task").iterdir():
        with contextlib.suppress(OSError):
            states.append((task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0])
    return all(state in {"T", "t", "Z", "X"} for state in states)


def _namespace() -> tuple[str, ...]:
    return (
        *("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-c", FIRST_PROCESS, "sh"),
    )


def _own_folder(folder: Path) -> None:
    """Make the folder unless it is there; below /tmp anybody could have made it, and then it is not used."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConflictError(f"{folder} belongs to somebody else.", advice="Remove it and try again.")


def _free_pool(start: int) -> ipaddress.IPv4Network:
    """The first range, counted from `start`, in which the machine has no address."""
    taken = [address.ip for _, address in keeper.addresses()]
    for offset in range(len(POOLS)):
        pool = POOLS[(start + offset) % len(POOLS)]
        if not any(address in pool for address in taken):
            return pool
    raise ConflictError(f"All {len(POOLS)} address ranges for private engines are in use.", advice="Stop some.")
