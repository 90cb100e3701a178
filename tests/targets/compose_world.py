"""What the compose driver is tried on: a program that is called like docker, or docker and compose themselves on a real engine.

Versions: 1.0, 1.1, 1.2 (good), `sick` (its probe fails), `exits` (ends at once), `absent` (nowhere to be had).
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from releaser.clock import SystemClock
from releaser.domain.spec import ComposeSpec, HealthSpec, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.compose.driver import ComposeDriver
from releaser.targets.hosts.shell import LOCAL, Shell, Shells, SshAccess
from releaser.targets.probe import Probe, http_probe
from tests.fakes.controller import Controller
from tests.fakes.docker_on_host import REPOSITORY

_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class ComposeWorld:
    """A host with compose, and what a test needs to declare and to look at targets there."""

    folder: Path
    digests: Mapping[str, str]
    repository: str = REPOSITORY
    probe: Probe = http_probe
    is_real: bool = False
    address: str = LOCAL
    access: SshAccess = field(default_factory=SshAccess)
    shells: Shells | None = None
    drivers: list[ComposeDriver] = field(default_factory=list)

    def driver(self) -> ComposeDriver:
        """A driver of a controller that has just started."""
        made = ComposeDriver(
            clock=SystemClock(),
            access=self.access,
            shells=self.shells,
            probe=self.probe,
            control_timeout_s=10.0,
            pull_timeout_s=20.0,
        )
        self.drivers.append(made)
        return made

    def controller(self, **settings: float) -> Controller:
        """A controller that has just started."""
        return Controller(self.driver(), **settings)

    def spec(self, **more: Any) -> ComposeSpec:  # noqa: ANN401 -- passed on
        """A target of its own: a project with one service, which its owner started never."""
        number = next(_numbers)
        place = self.folder / f"shop-{number}"
        place.mkdir()
        project = f"contract-{number}"
        self.write(place, {})
        url = "http://127.0.0.1:{port}/healthz" if self.is_real else f"probe:{project}"
        health = HealthSpec(http=url, timeout_s=1.0)
        given = {"name": f"compose-{number}", "folder": str(place), "project": project, "service": "web"}
        return ComposeSpec(**{**given, "stop_grace_s": 2, "health": health, **more})

    def write(self, place: Path, changes: Mapping[str, Any], name: str = "compose.yaml") -> None:
        """The project's file, as its owner writes it."""
        service = {"image": f"{self.repository}:1.0", "environment": ["MODE=one"], **changes}
        if self.is_real:
            service = {**service, "ports": ["127.0.0.1::8080"], "network_mode": "bridge"}
        (place / name).write_text(json.dumps({"services": {"web": service}}))

    def desired(self, version: str, spec: ComposeSpec) -> Desired:
        """What shall run."""
        return Desired(version=version, image=self.repository, digest=self.digests[version], spec=spec)

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

    def installed(self, version: str, spec: ComposeSpec) -> Desired:
        """Install it by rollout 1 and say what was installed."""
        desired = self.desired(version, spec)
        self.controller().update(self.assignment(desired))
        return desired

    def update_of(self, installed: Desired, version: str, **changes: Any) -> Assignment:  # noqa: ANN401 -- passed on
        """Rollout 2 from what is installed to another version."""
        spec = replace(of_kind(installed.spec, ComposeSpec), **changes)
        return self.assignment(self.desired(version, spec), installed, rollout=2)

    def spec_of(self, assignment: Assignment) -> ComposeSpec:
        """The specification that is wanted."""
        return of_kind(assignment.desired.spec, ComposeSpec)

    def dying_compose(self) -> Path:
        """A folder with a docker-compose that is killed in the midst of its first `up`."""
        folder = self.folder / "dying"
        folder.mkdir()
        program = folder / "docker-compose"
        program.write_text(
            f"""#!/bin/sh
case " $* " in *" up "*) if [ ! -e {folder}/died ]; then touch {folder}/died
  /usr/bin/docker-compose "$@" & pid=$!; sleep 0.9; kill -9 $pid; exit 137; fi ;; esac
exec /usr/bin/docker-compose "$@"
"""
        )
        program.chmod(0o755)
        return folder

    def on_host(self, *words: str) -> str:
        """What docker says there."""
        shell = Shell(LOCAL, access=SshAccess(), sockets=None, connect_timeout_s=5)
        answer = shell.run([f"docker {shlex.join(words)}"], timeout_s=30)
        assert not answer.code, answer.err
        return answer.out

    def containers(self, spec: ComposeSpec) -> list[Any]:
        """Every container of the service, as docker describes it."""
        filters = (f"label=com.docker.compose.{k}={v}" for k, v in (("project", spec.project), ("service", "web")))
        ids = self.on_host("ps", "-aq", "--no-trunc", *(w for one in filters for w in ("--filter", one))).split()
        return list(json.loads(self.on_host("inspect", "--type", "container", *ids))) if ids else []

    def up_by_hand(self, spec: ComposeSpec, version: str = "1.0") -> None:
        """Its owner runs compose."""
        reference = f"{self.repository}@{self.digests[version]}"
        self.on_host("pull", "-q", reference)
        self.on_host(
            "tag", reference if self.is_real else f"{self.repository}@{self.digests[version]}", f"{self.repository}:1.0"
        )
        shell = Shell(LOCAL, access=SshAccess(), sockets=None, connect_timeout_s=5)
        compose = "docker-compose" if self.is_real else "docker compose"
        words = f"{compose} -p {spec.project} --project-directory {spec.folder} -f {spec.folder}/compose.yaml up -d web"
        answer = shell.run([words], timeout_s=60)
        assert not answer.code, answer.err

    def left_over(self, spec: ComposeSpec) -> list[str]:
        """What lies in the project's folder and belongs to an update in flight."""
        own = Path(spec.folder) / ".releaser" / "web"
        found = [one for name in ("new-*", "backup-*", "*.new", "*.part", "output") for one in own.glob(name)]
        return sorted(str(one.relative_to(spec.folder)) for one in (*found, *Path(spec.folder).rglob(".releaser-new*")))

    def close(self) -> None:
        """Let go of every connection."""
        for driver in self.drivers:
            driver.close()
