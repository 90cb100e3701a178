"""A test bed: several Docker engines on this machine, each a host of its own, on one wire, with a registry.

Every host has its own network, mount, process and name space, data folder, cgroup, socket and address; cables can be cut, daemons
frozen and killed, hosts switched off. Tests have one bed for each test process (fixture `testbed`), by hand it is `make testbed`.

All of it lives below one process space: the keeper of its owner kills the first process there, however the owner ended, and with it
goes everything but a folder and a cgroup, which carry the bed's name; whoever makes the next bed removes those of beds that nobody
holds any more. What does not live here: what one host can do (`host`), certificates (`certificates`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from docker import APIClient

from releaser.demo import keeper
from releaser.demo.engine import _free_pool, _own_folder, talk
from tests.testbed import certificates
from tests.testbed.host import Host, Setup
from tests.testbed.namespaces import BedError, first_process, inside, kill, run, wait_for, words_of
from tests.testbed.registry import BedRegistry

BASE = Path("/var/tmp/releaser-testbed")  # a real disk: engines lay file systems over each other there
PREFIX = "rlbed"
MOST_HOSTS = 14
# The switch has a network of its own: in the machine's, the packet filter of an engine there would drop what goes from host to host.
SWITCH = """
ip link set lo up && ip link add br0 type bridge forward_delay 0 && ip address add "$1" dev br0 && ip link set br0 up || exit
shift; exec "$@"
"""


class Bed:
    """A test bed; a context manager. Hosts are booted when they are first asked for. Raises BedError.

    `name` tells beds apart, and a bed by that name may be taken hold of from other processes: see `attached`.
    """

    def __init__(self, name: str = "", *, base: Path = BASE) -> None:
        self.name = name or secrets.token_hex(4)
        self.folder = base / self.name
        self._base = base
        self._log = self.folder / "bed.log"
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._wire = ""
        self._hosts: dict[str, Host] = {}
        self._registry: BedRegistry | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @classmethod
    def attached(cls, name: str, *, base: Path = BASE) -> Bed:
        """A bed that another process has started; it stays when this one ends."""
        bed = cls(name, base=base)
        try:
            kept: dict[str, Any] = json.loads((bed.folder / "bed.json").read_text())
        except (OSError, ValueError):
            raise BedError(f"There is no test bed '{name}'. Start one: make testbed") from None
        bed._pid, bed._wire = int(kept["pid"]), str(kept["wire"])
        for file in sorted(bed.folder.glob("*/setup.json")):
            bed._hosts[file.parent.name] = bed._host(file.parent.name, Setup.from_json(file.read_text()))
        return bed

    # The bed

    def start(self) -> None:
        """Make the wire; what killed owners of other beds left is removed first."""
        _own_folder(self._base)
        with _locked(self._base / "beds.lock", wait=True):
            _sweep(self._base)
            if self.folder.exists():
                raise BedError(f"There is a test bed '{self.name}' already. Remove it: python -m tests.testbed down")
            self.folder.mkdir(mode=0o700)
            pool = _free_pool(secrets.randbelow(1 << 16))
            self._wire = str(pool[0]).rpartition(".")[0]
            with _locked(self.folder / "lock", wait=False) as lock:
                self._keeper = keeper.keep(self._kept(), pass_fds=(lock.fileno(),))
            try:
                self._lay(self._keeper)
            except BaseException:
                self.stop()
                raise
        (self.folder / "bed.json").write_text(json.dumps({"pid": self._pid, "wire": self._wire}))

    def stop(self) -> None:
        """Switch everything off and remove it; repeatable."""
        running, self._keeper = self._keeper, None
        self._hosts.clear()
        self._registry = None
        if running is not None and not keeper.let_go(running, within_s=30):
            with _locked(self._base / "beds.lock", wait=True):
                _sweep(self._base)

    def wait(self) -> None:
        """Return when somebody else has removed it."""
        if self._keeper is not None:
            self._keeper.wait()

    @property
    def gateway(self) -> str:
        """This machine's own address on the wire."""
        return f"{self._wire}.1"

    @property
    def registry(self) -> BedRegistry:
        """The registry, started when first asked for."""
        if self._registry is None:
            self._registry = self.registry_there()
            self._registry.start()
        return self._registry

    def registry_there(self) -> BedRegistry:
        """The registry in whatever state it is."""
        return BedRegistry(self.folder / "registry", bed_pid=self._pid, ip=f"{self._wire}.2")

    # Its hosts

    def hosts(self, count: int) -> tuple[Host, ...]:
        """The hosts `h1` … `h<count>`, on and answering, whatever was done to them before."""
        return self.boot(**{f"h{number}": Setup(number=number) for number in range(1, count + 1)})

    def secured(self) -> Host:
        """A host whose engine takes clients with a certificate only; see `certificates` for what lies in its folder."""
        return self.boot(secured=Setup(number=MOST_HOSTS, secured=True))[0]

    def boot(self, **setups: Setup) -> tuple[Host, ...]:
        """These hosts, all at once; such as are there already are repaired."""
        hosts = [self._hosts.setdefault(name, self._host(name, setup)) for name, setup in setups.items()]
        with ThreadPoolExecutor(max_workers=len(hosts)) as many:
            list(many.map(_up, hosts))
        return tuple(hosts)

    def known(self) -> tuple[Host, ...]:
        """Every host there is, on or off."""
        return tuple(self._hosts.values())

    def host(self, name: str) -> Host:
        """The host of that name."""
        if name not in self._hosts:
            raise BedError(f"There is no host '{name}'; there are: {', '.join(self._hosts) or 'none'}.")
        return self._hosts[name]

    def forget(self, host: Host) -> None:
        """Switch a host off for good; its name may be had again."""
        host.poweroff()
        self._hosts.pop(host.name, None)
        run("rm", "-rf", "--one-file-system", str(host.folder))

    # What is done to several

    def swarm(self, *hosts: Host, managers: int | None = None) -> str:
        """Join the hosts to one swarm, the first leads it; `managers` of them (all, where not told) manage. The swarm's id."""
        first, *others = hosts
        with talk(first.address) as client:
            client.init_swarm(advertise_addr=first.ip)
            told: dict[str, Any] = client.inspect_swarm()
        tokens = told["JoinTokens"]
        for number, host in enumerate(others, start=2):
            token = tokens["Manager" if managers is None or number <= managers else "Worker"]
            with talk(host.address) as client:
                client.join_swarm(remote_addrs=[f"{first.ip}:2377"], join_token=token, advertise_addr=host.ip)
        return str(told["ID"])

    def unswarm(self, *hosts: Host) -> None:
        """Take the hosts out of their swarm, whatever state it is in: asked to leave, the last ones would wait for the others."""
        for host in hosts:
            host.kill()
            run("rm", "-rf", str(host.folder / "data" / "swarm"))
        self.boot(**{host.name: host.setup for host in hosts})

    def load(self, archive: bytes, *hosts: Host) -> None:
        """Load images (what `docker save` writes) into the hosts' engines, or into all."""
        with ThreadPoolExecutor(max_workers=4) as many:
            list(many.map(lambda host: _load(host, archive), hosts or self.known()))

    def _host(self, name: str, setup: Setup) -> Host:
        if setup.number > MOST_HOSTS:
            raise BedError(f"A bed has {MOST_HOSTS} hosts at most.")
        host = Host(
            name,
            setup,
            bed_pid=self._pid,
            folder=self.folder / name,
            wire=self._wire,
            cgroup=f"{PREFIX}{self.name}",
        )
        if setup.secured and not host.folder.exists():
            host.folder.mkdir()
            certificates.make(host.folder, names=(host.ip, host.name))
        return host

    def _kept(self) -> keeper.Kept:
        return keeper.Kept(
            command=(
                *("unshare", "--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", "sh", "-c", SWITCH, "sh", f"{self._wire}.2/24"),
                *(first_process(), "-s", "--", "sleep", "infinity"),
            ),
            log=str(self._log),
            namespace=True,
            cgroup=f"{PREFIX}{self.name}",
            remove=(str(self.folder),),
        )

    def _lay(self, running: subprocess.Popen[bytes]) -> None:
        """Wait for the switch, and plug this machine into it."""
        for _ in wait_for("Making the wire", log=self._log):
            if running.poll() is not None:
                raise BedError(f"The wire cannot be made: {self._log.read_text(errors='replace')[-400:]}")
            if (pid := _first(running.pid)) and words_of(pid)[:1] == [first_process()]:
                self._pid = pid
                break
        link = f"{PREFIX}{self.name}"[:15]
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "ctl", "netns", str(self._pid))
        run(*inside(self._pid, spaces="n"), "ip", "link", "set", "ctl", "master", "br0", "up")
        run("ip", "address", "add", f"{self.gateway}/24", "dev", link)
        run("ip", "link", "set", link, "up")


def down(name: str, *, base: Path = BASE) -> None:
    """Remove a bed, whoever holds it, and what killed owners of others left."""
    with contextlib.suppress(BedError):
        kill(Bed.attached(name, base=base)._pid)
    if base.is_dir():
        with _locked(base / "beds.lock", wait=True):
            for _ in wait_for(f"Removing '{name}'", log=base / name / "bed.log"):
                _sweep(base)
                if not (base / name).exists():
                    return


def _up(host: Host) -> None:
    if host.holder() is None:
        host.boot()
        host.wait_ready()
    else:
        host.repair()


def _load(host: Host, archive: bytes) -> None:
    with talk(host.address) as client:
        for line in client.load_image(archive):  # type: ignore[no-untyped-call]  # the SDK's own stubs leave this one untyped
            if "error" in line:
                raise BedError(f"{host.name} does not take the images: {line['error']}")


def client(host: Host) -> APIClient:
    """A client of a host's engine over its socket; close it."""
    return APIClient(base_url=host.address, version="auto", timeout=30)


def _first(keeper_pid: int) -> int | None:
    """The bed's first process, below the keeper's `unshare`."""
    return next((first for outer in keeper.children_of(keeper_pid) for first in keeper.children_of(outer)), None)


@contextlib.contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[IO[bytes]]:
    with file.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield lock


def _sweep(base: Path) -> None:
    """Remove the folders and cgroups of beds that nobody holds."""
    for folder in base.iterdir():
        if not folder.is_dir():
            continue
        try:
            with _locked(folder / "lock", wait=False):
                keeper.clear(keeper.Kept(command=(), log="", cgroup=f"{PREFIX}{folder.name}", remove=(str(folder),)))
        except BlockingIOError:
            continue
