"""What the files driver is tried on: this machine, or an sshd on loopback, with a service that is a shell script.

The service "runs" by keeping a file that holds what it was started from, its version and its configuration, and a number that
stands for its process. Versions: 1.0, 1.1, 1.2 (good), `sick` (its probe answers 503), `exits` (is down at once), `absent`
(nowhere to be had).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from releaser.clock import SystemClock
from releaser.domain.spec import ConfigurationFile, FilesSpec, HealthSpec, ServiceSpec, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.sources.source import ArtifactNotFoundError
from releaser.targets.files.driver import FilesDriver
from releaser.targets.hosts.shell import LOCAL, Answer, Feed, Shell, Shells, SshAccess
from tests.fakes.controller import Controller

_numbers = itertools.count(1)
_SERVICE = """#!/bin/sh
# A service: start, stop, status. What runs is what `current` and the configuration held when it was started.
root=$2; run=$root/running
case $1 in
start)
    version=$(cat "$root/current/VERSION"); [ "$version" != exits ] || exit 0
    [ ! -e "$run" ] || exit 1
    printf '%s|%s|%s\\n' "$version" "$(cat "$root/conf/app.conf" 2>/dev/null)" "$$" >"$run.new"; mv "$run.new" "$run" ;;
stop) rm -f "$run" ;;
status) [ -e "$run" ] || { echo "down: no configuration"; exit 3; }; echo "up: pid $(cut -d'|' -f3 "$run")" ;;
esac
"""


def archive(version: str, **more: str) -> bytes:
    """A release as tar.gz: `app/VERSION`, and more files by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as out:
        for name, text in {"VERSION": version, "bin/app": f"#!/bin/sh\necho {version}\n", **more}.items():
            info = tarfile.TarInfo(f"app/{name}")
            info.size, info.mode = len(text.encode()), 0o755 if name.startswith("bin/") else 0o644
            out.addfile(info, io.BytesIO(text.encode()))
    return content.getvalue()


@dataclass(slots=True, kw_only=True)
class FilesWorld:
    """A host with a folder, and what a test needs to declare and to look at targets there."""

    folder: Path
    address: str = LOCAL
    access: SshAccess = field(default_factory=SshAccess)
    shells: Shells | None = None
    drivers: list[FilesDriver] = field(default_factory=list)
    artifacts: dict[str, Path] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=lambda: {"absent": "sha256:" + "0" * 64})

    def __post_init__(self) -> None:
        (self.folder / "service").write_text(_SERVICE)
        for version in ("1.0", "1.1", "1.2", "sick", "exits"):
            self.offer(version, archive(version))

    def offer(self, version: str, content: bytes, suffix: str = ".tar.gz") -> None:
        """Let an artifact be had."""
        path = self.folder / f"app-{version}{suffix}"
        path.write_bytes(content)
        self.digests[version] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.artifacts[self.digests[version]] = path

    def fetch(self, address: str, digest: str) -> Path:
        if digest not in self.artifacts:
            raise ArtifactNotFoundError(f"There is no artifact {address}.", permanent=True)
        return self.artifacts[digest]

    def probe(self, url: str, *, timeout_s: float) -> int:
        """What answers at `probe:ROOT`."""
        assert timeout_s > 0
        running = Path(url.removeprefix("probe:")) / "running"
        if not running.exists():
            raise ConnectionRefusedError(111, "Connection refused")
        return 503 if running.read_text().startswith("sick|") else 200

    def driver(self, **settings: Any) -> FilesDriver:  # noqa: ANN401 -- passed on
        """A driver of a controller that has just started."""
        made = FilesDriver(
            clock=SystemClock(),
            fetch=self.fetch,
            access=self.access,
            shells=self.shells,
            **{"probe": self.probe, "control_timeout_s": 10.0, "send_timeout_s": 20.0, **settings},
        )
        self.drivers.append(made)
        return made

    def controller(self, **settings: float) -> Controller:
        """A controller that has just started."""
        return Controller(self.driver(), **settings)

    def spec(self, *, configured: str = "one", **more: Any) -> FilesSpec:  # noqa: ANN401 -- passed on
        """A target of its own."""
        root = str(self.folder / f"target-{next(_numbers)}")
        script = ("sh", str(self.folder / "service"))
        given: dict[str, Any] = {
            "name": f"files-{next(_numbers)}",
            "root": root,
            "configuration": (ConfigurationFile(path=f"{root}/conf/app.conf", content=configured, mode="0640"),),
            "service": ServiceSpec(
                start=(*script, "start", "{root}"),
                stop=(*script, "stop", "{root}"),
                status=(*script, "status", "{root}"),
            ),
            "strip": 1,
            "stop_grace_s": 5,
            "health": HealthSpec(http=f"probe:{root}", timeout_s=1.0, deadline_s=5),
        }
        return FilesSpec(**{**given, **more})

    def configured(self, spec: FilesSpec, content: str, **more: Any) -> FilesSpec:  # noqa: ANN401 -- passed on
        """The same target with another configuration."""
        file = replace(spec.configuration[0], content=content)
        return replace(spec, configuration=(file,), **more)

    def desired(self, version: str, spec: FilesSpec) -> Desired:
        """What shall run."""
        image = f"https://files.example.com/app-{version}.tar.gz"
        return Desired(version=version, image=image, digest=self.digests[version], spec=spec)

    def assignment(self, desired: Desired, previous: Desired | None = None, *, rollout: int = 1) -> Assignment:
        """The first attempt of a rollout, under a lock of the rollout's number."""
        return Assignment(
            target=f"target-{desired.spec.name}",
            host="host-1",
            address=self.address,
            rollout=rollout,
            attempt=1,
            generation=rollout,
            desired=desired,
            previous=previous,
        )

    def installed(self, version: str, spec: FilesSpec) -> Desired:
        """Install it by rollout 1 and say what was installed."""
        desired = self.desired(version, spec)
        self.controller().update(self.assignment(desired))
        return desired

    def update_of(self, installed: Desired, version: str, **changes: Any) -> Assignment:  # noqa: ANN401 -- passed on
        """Rollout 2 from what is installed to another version."""
        return self.assignment(
            self.desired(version, replace(of_kind(installed.spec, FilesSpec), **changes)), installed, rollout=2
        )

    def running(self, spec: FilesSpec) -> tuple[str, str] | None:
        """Version and configuration that the service was started with; None while it is down."""
        file = Path(spec.root) / "running"
        if not file.exists():
            return None
        version, configuration, _ = file.read_text().strip().split("|")
        return version, configuration

    def left_over(self, spec: FilesSpec) -> list[str]:
        """What lies below the root and belongs to an update in flight."""
        own = Path(spec.root) / ".releaser"
        names = ("new-*", "unpack-*", "backup-*", "trash", "*.new", "*.part")
        found = [*(one for name in names for one in own.glob(name)), *Path(spec.root).rglob(".releaser-new*")]
        return sorted(str(one.relative_to(spec.root)) for one in (*found, *Path(spec.root).glob(".current.new")))

    def releases(self, spec: FilesSpec) -> list[str]:
        """The releases on the host."""
        return sorted(one.name for one in (Path(spec.root) / "releases").iterdir())

    def close(self) -> None:
        """Let go of every connection."""
        for driver in self.drivers:
            driver.close()


class Killed(BaseException):
    """The controller is gone."""


class DeadlyShell(Shell):
    """Kills the controller at the `nth` script, before or after it; or the script itself before its `line`-th line."""

    nth = 0
    after = False
    line: int | None = None
    count = 0

    def run(self, lines: Sequence[str], *, timeout_s: float, feed: Feed | None = None) -> Answer:
        changes = any(line.startswith("flock ") for line in lines)
        self.count += changes
        if not changes or self.count != self.nth:
            return super().run(lines, timeout_s=timeout_s, feed=feed)
        if self.line is not None:
            at = len(lines) - self.line
            super().run([*lines[:at], "kill -9 $$", *lines[at:]], timeout_s=timeout_s, feed=feed)
        elif self.after:
            super().run(lines, timeout_s=timeout_s, feed=feed)
        raise Killed


class DeadlyShells(Shells):
    """Hosts that are all the one deadly shell."""

    def __init__(self) -> None:
        super().__init__(access=SshAccess(), connect_timeout_s=5)
        self.shell = DeadlyShell(LOCAL, access=SshAccess(), sockets=None, connect_timeout_s=5)

    def at(self, address: str) -> Shell:
        assert address == LOCAL
        return self.shell


class CutShell(Shell):
    """Hands on only the first `most` bytes of what a script is fed, as when the controller is killed or the link is cut.

    `heard` are the lines of every script.
    """

    most: int | None = None

    def __init__(self) -> None:
        super().__init__(LOCAL, access=SshAccess(), sockets=None, connect_timeout_s=5)
        self.heard: list[str] = []

    def run(self, lines: Sequence[str], *, timeout_s: float, feed: Feed | None = None) -> Answer:
        self.heard += lines
        if feed is None:
            return super().run(lines, timeout_s=timeout_s)
        whole = io.BytesIO()
        feed(whole)
        part = whole.getvalue()[: self.most]

        def cut(into: IO[bytes]) -> None:
            into.write(part)

        return super().run(lines, timeout_s=timeout_s, feed=cut)


class CutShells(Shells):
    """Hosts that are all the one whose input is cut."""

    def __init__(self) -> None:
        super().__init__(access=SshAccess(), connect_timeout_s=5)
        self.shell = CutShell()

    def at(self, address: str) -> Shell:
        assert address == LOCAL
        return self.shell
