"""What is on the host for one target right now, told by its files, its marks and its service; nothing is changed here.

Rules: a release is ours when it has our mark, which came into being with it. What serves is what `current` leads to. What was
configured is what the files hold, not what we remember to have written. Everything is looked at afresh for every step.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from releaser.domain.spec import FilesSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired, Health, Observation, Role, Running
from releaser.targets.files import scripts
from releaser.targets.files.daemon import Service, ServiceState, pid_in
from releaser.targets.files.scripts import Places
from releaser.targets.hosts.faults import from_script
from releaser.targets.hosts.fencing import fenced
from releaser.targets.hosts.shell import Shell

RELEASES: Final = "releases/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a release folder says of itself: made from which artifact, in which way, by which attempt, known as which version."""

    digest: str
    shape: str
    tag: str
    version: str

    @property
    def text(self) -> str:
        """As it stands in its file."""
        return f"{self.digest} {self.shape} {self.tag} {self.version}"

    @classmethod
    def read(cls, text: str) -> Mark:
        """From what `text` wrote."""
        digest, shape, tag, version = (*text.split(" ", 3), "", "", "", "")[:4]
        return cls(digest=digest, shape=shape, tag=tag, version=version)

    def holds(self, wanted: Desired) -> bool:
        """Whether it was made from exactly this artifact, in the wanted way."""
        return self.digest == wanted.digest and self.shape == shape_of(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Was:
    """How it was before the cutover: whether the service ran, and where `current` led (nowhere: empty)."""

    active: bool
    current: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What was last put in place: the configuration's hash, each file's content by hash, and by whom."""

    config_hash: str
    files: Mapping[str, str]
    rollout: int
    attempt: int

    @property
    def text(self) -> str:
        """As it stands in its file."""
        return json.dumps([self.config_hash, dict(self.files), self.rollout, self.attempt])

    @classmethod
    def read(cls, text: str) -> Configured | None:
        """From what `text` wrote; nothing when there is none that can be read."""
        try:
            config, files, rollout, attempt = json.loads(text)
            return cls(config_hash=str(config), files=dict(files), rollout=int(rollout), attempt=int(attempt))
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a look showed. `files` are the contents by hash of the paths that are there; `own` the names we keep."""

    now_s: int
    generation: int
    current: str
    is_blocked: bool
    releases: Mapping[str, Mark]
    own: frozenset[str]
    configured: Configured | None
    started: tuple[str, int, int | None]
    was: Was | None
    files: Mapping[str, str]
    services: Mapping[Service, ServiceState] = field(default_factory=dict)

    @property
    def serving(self) -> Mark | None:
        """The release that `current` leads to, if it is ours."""
        return self.releases.get(self.current.removeprefix(RELEASES))

    def release_of(self, wanted: Desired) -> str | None:
        """The folder that holds exactly this artifact."""
        return next((name for name, mark in self.releases.items() if mark.holds(wanted)), None)

    def is_configured(self, spec: FilesSpec) -> bool:
        """Whether exactly this configuration is in place, file by file."""
        return (
            self.configured is not None
            and self.configured.config_hash == config_hash(spec)
            and all(self.files.get(one.path) == content_hash(one.content) for one in spec.configuration)
        )

    def runs(self, wanted: Desired) -> bool:
        """Whether release and configuration are exactly the wanted ones; whether they are up is the gate's."""
        serving = self.serving
        spec = of_kind(wanted.spec, FilesSpec)
        return serving is not None and serving.holds(wanted) and self.is_configured(spec)

    def service(self, spec: FilesSpec) -> ServiceState:
        """The state of a specification's service."""
        return self.services[Service.of(spec)]


def content_hash(content: str) -> str:
    """The SHA-256 of a file's content, as hosts tell it."""
    return hashlib.sha256(content.encode()).hexdigest()


def shape_of(wanted: Desired) -> str:
    """How an artifact becomes a folder, in one word."""
    spec = of_kind(wanted.spec, FilesSpec)
    return f"{spec.strip}:{spec.as_file}"


def folder_name(version: str) -> str:
    """A version as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", version).lstrip(".-") or "_"


def services_of(assignment: Assignment) -> tuple[Service, ...]:
    """The services before and after; mostly one."""
    both = (assignment.desired, assignment.previous)
    return tuple(dict.fromkeys(Service.of(of_kind(one.spec, FilesSpec)) for one in both if one is not None))


def paths_of(assignment: Assignment) -> tuple[str, ...]:
    """Every file of configuration before and after."""
    both = (assignment.desired, assignment.previous)
    specs = [of_kind(one.spec, FilesSpec) for one in both if one is not None]
    return tuple(dict.fromkeys(file.path for spec in specs for file in spec.configuration))


def look(shell: Shell, assignment: Assignment, *, timeout_s: float, settled_s: int | None = None) -> Scene:
    """Everything of the target; with `settled_s` a script in its midst has so long to end. Raises `FencedError`."""
    places = Places.of(of_kind(assignment.desired.spec, FilesSpec), assignment)
    services, paths = services_of(assignment), paths_of(assignment)
    answer = shell.run(scripts.look(places, services, paths, settled_s=settled_s), timeout_s=timeout_s)
    if answer.code:
        raise from_script(answer.code, answer.err, what="show its files", address=shell.address)
    told: dict[str, list[str]] = {}
    for line in answer.out.splitlines():
        key, _, value = line.partition("\t")
        told.setdefault(key, []).append(value)
    scene = _scene(told, services, paths)
    if scene.generation > assignment.generation:
        raise fenced(assignment, scene.generation)
    return scene


def describe(scene: Scene, assignment: Assignment, *, at: datetime) -> Observation:
    """The target as the domain knows it: what serves, and the releases beside it that this attempt is about."""
    spec = of_kind(assignment.desired.spec, FilesSpec)
    state = scene.service(spec)
    if not scene.current and not state.active and not state.starting:
        blocked = f"{spec.root}/current is a folder, not a link" if scene.is_blocked else ""
        return Observation(at=at, serving=None, detail=blocked)
    mark, configured, (_, since_s, _) = scene.serving, scene.configured, scene.started
    untouched = configured is not None and all(
        scene.files.get(path) == content for path, content in configured.files.items() if path in paths_of(assignment)
    )
    rollout, _, attempt = mark.tag.partition("-") if mark is not None else ("", "", "")
    serving = Running(
        container_id=scene.current,
        name=spec.name,
        digest=mark.digest if mark is not None else None,
        version=mark.version if mark is not None else None,
        config_hash=configured.config_hash if configured is not None and untouched else None,
        state=state.said or ("active" if state.active else "inactive"),
        restart_count=state.restarts or 0,
        health=Health.HEALTHY if state.active else Health.STARTING if state.starting else Health.EXITED,
        role=Role.SERVING,
        rollout=configured.rollout if configured is not None else int(rollout) if rollout.isdecimal() else None,
        generation=scene.generation or None,
        attempt=configured.attempt if configured is not None else int(attempt) if attempt.isdecimal() else None,
        exit_code=state.exit_code,
        started_at=datetime.fromtimestamp(since_s, tz=UTC) if since_s else None,
    )
    detail = f"{spec.root}/current is a folder, not a link" if scene.is_blocked else ""
    return Observation(at=at, serving=serving, detail=detail)


def _scene(told: Mapping[str, list[str]], services: tuple[Service, ...], paths: tuple[str, ...]) -> Scene:
    def one(key: str) -> str:
        return told.get(key, [""])[0]

    active, _, current = one("was").partition(" ")
    tag, _, rest = one("started").partition(" ")
    since, _, run = rest.partition(" ")
    files = (line.partition(" ") for line in told.get("file", ()))
    releases = (line.partition(" ") for line in told.get("release", ()))
    return Scene(
        now_s=int(one("now") or 0),
        generation=int(one("generation") or 0),
        current=one("current"),
        is_blocked=bool(one("blocked")),
        releases={name: Mark.read(mark) for name, _, mark in releases},
        own=frozenset(told.get("own", ())),
        configured=Configured.read(one("state")),
        started=(tag, int(since) if since.isdecimal() else 0, pid_in(run)),
        was=Was(active=active == "yes", current=current) if one("was") else None,
        files={paths[int(number)]: content for number, _, content in files},
        services={service: service.state(_of_service(told, number)) for number, service in enumerate(services)},
    )


def _of_service(told: Mapping[str, list[str]], wanted: int) -> dict[str, str]:
    found = {}
    for line in told.get("service", ()):
        number, _, rest = line.partition(" ")
        key, _, value = rest.partition("=")
        if number == str(wanted):
            found[key] = value
    return found
