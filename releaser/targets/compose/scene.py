"""What is on the host for one target right now, told by its containers and our files; nothing is changed here.

Rules: a container with the project's and the service's labels is the target's, whoever made it. What it was made from is what its own
labels say. Whether the project's files still say so is asked of compose only when one of them was touched since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from releaser.domain.spec import ComposeSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired, Health, Observation, Role, Running
from releaser.targets.compose import scripts
from releaser.targets.compose.faults import from_command
from releaser.targets.compose.override import digest_of_service, unchanged
from releaser.targets.compose.scripts import Places
from releaser.targets.docker.container import Label
from releaser.targets.docker.looking import settings
from releaser.targets.docker.scene import Found
from releaser.targets.hosts.fencing import fenced
from releaser.targets.hosts.shell import Shell

PROJECT_FILES: Final = "project files"
OVERRIDE: Final = "override file"
_ONE_OFF: Final = "com.docker.compose.oneoff"
_WORST: Final = tuple(Health)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What the containers were last made from: by which attempt, the service by hash, the files by touch, our file by hash."""

    tag: str = ""
    service: str = ""
    prints: str = ""
    override: str = ""

    @classmethod
    def read(cls, text: str) -> Applied | None:
        """From its file; nothing when there is none."""
        tag, service, prints, override = (*text.split(), "", "", "", "")[:4]
        return cls(tag=tag, service=service, prints=prints, override=override) if tag else None

    @property
    def made(self) -> str:
        """All but our own file, as it is staged."""
        return f"{self.tag} {self.service} {self.prints}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One container as it was before the cutover."""

    id: str
    name: str
    image_id: str
    image: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a look showed. `was` are the containers before the cutover, None before anything was kept; `kept` every attempt's backup."""

    now: datetime
    generation: int
    prints: str
    applied: Applied | None
    override: str
    staged: Applied | None
    was: tuple[Kept, ...] | None
    kept: tuple[str, ...]
    containers: tuple[Found, ...]

    def of_attempt(self, assignment: Assignment) -> tuple[Found, ...]:
        """The containers that this very attempt made."""
        return tuple(one for one in self.containers if _is_from(one, assignment))

    def before(self, assignment: Assignment) -> tuple[Found, ...]:
        """All others."""
        return tuple(one for one in self.containers if not _is_from(one, assignment))

    @property
    def serving(self) -> tuple[Found, ...]:
        """The containers that are in service: those made like the first that runs, else like the newest."""
        if not self.containers:
            return ()
        first = max(self.containers, key=lambda one: (one.is_up, str(one.raw.get("Created", ""))))
        return (first, *(one for one in self.containers if one is not first and _alike(one, first)))

    @property
    def is_untouched(self) -> bool:
        """Whether neither the project's files nor ours were touched since the containers were made."""
        applied = self.applied
        return applied is not None and (applied.prints, applied.override) == (self.prints, self.override)


def look(shell: Shell, assignment: Assignment, *, timeout_s: float, settled_s: int | None = None) -> Scene:
    """Everything of the target; with `settled_s` a script in its midst has so long to end. Raises `FencedError`."""
    places = Places.of(of_kind(assignment.desired.spec, ComposeSpec), assignment)
    answer = shell.run(scripts.look(places, settled_s=settled_s), timeout_s=timeout_s)
    if answer.code:
        raise from_command(answer.code, answer.err, what="show its containers", address=shell.address)
    lines, _, described = answer.out.partition("inspect\n")
    told = dict(line.split("\t", 1) for line in lines.splitlines() if "\t" in line)
    scene = Scene(
        now=datetime.fromtimestamp(float(told.get("now") or 0), tz=UTC),
        generation=int(told.get("generation") or 0),
        prints=told.get("prints", ""),
        applied=Applied.read(told.get("applied", "")),
        override=told.get("override", ""),
        staged=Applied.read(told.get("staged", "")),
        was=_was(told.get("was", "")),
        kept=tuple(told.get("kept", "").split()),
        containers=_containers(described),
    )
    if scene.generation > assignment.generation:
        raise fenced(assignment, scene.generation)
    return scene


def describe(shell: Shell, scene: Scene, assignment: Assignment, *, at: datetime, timeout_s: float) -> Observation:
    """The target as the domain knows it; where files were touched, compose is asked what they say now."""
    serving = scene.serving
    if not serving:
        return Observation(at=at, serving=None)
    spec = of_kind(assignment.desired.spec, ComposeSpec)
    first = serving[0]
    digest = first.digest or _digest_of_image(shell, spec, first, assignment.desired.image, timeout_s)
    files = _files(shell, scene, spec, timeout_s)
    applied = scene.applied
    changed = applied is not None and (files != applied.service or scene.override != applied.override)
    about: dict[str, str] = {PROJECT_FILES: files}
    if applied is not None and scene.override != applied.override:
        about[OVERRIDE] = "changed" if scene.override else "removed"
    running = _running(first, Role.SERVING, digest)
    config = None if changed else running.config_hash
    worst = max((one.health for one in serving), key=_WORST.index)
    others = tuple(_running(one, Role.OLD, one.digest) for one in scene.containers if one not in serving)
    return Observation(
        at=at,
        serving=replace(running, health=worst, config_hash=config, configuration={**running.configuration, **about}),
        others=others,
        detail=f"{len(serving)} containers" if len(serving) > 1 else "",
    )


def runs(found: Found, wanted: Desired) -> bool:
    """Whether it was made from exactly this digest and configuration."""
    return found.digest == wanted.digest and found.labels.get(Label.CONFIG) == config_hash(wanted.spec)


def image_id(found: Found) -> str:
    """The image it runs, by the engine's id."""
    return str(found.raw.get("Image", ""))


def resolved(shell: Shell, spec: ComposeSpec, *, places: Places, timeout_s: float) -> tuple[str, str]:
    """The project as compose reads it, and the service in it by hash. Raises `ConfigurationRefusedError` and the like."""
    script = [*scripts.ground(places), *scripts.resolve(spec, unchanged(spec))]
    answer = shell.run(script, timeout_s=timeout_s)
    service = digest_of_service(answer.out, spec.service) if not answer.code else None
    if service is None:
        said = answer.err or f"compose does not say anything of the service {spec.service}"
        raise from_command(answer.code or 1, said, what="read the compose project", address=shell.address)
    return answer.out, service


def _files(shell: Shell, scene: Scene, spec: ComposeSpec, timeout_s: float) -> str:
    """The service as the project's files say it now, by hash; in words where they cannot be read."""
    if scene.applied is not None and scene.applied.prints == scene.prints:
        return scene.applied.service
    return service_now(shell, spec, timeout_s=timeout_s)


def service_now(shell: Shell, spec: ComposeSpec, *, timeout_s: float) -> str:
    """The service as the project's files say it now, by hash; in words where they cannot be read."""
    script = [*scripts.ground(Places(spec, "look")), *scripts.resolve(spec, unchanged(spec))]
    answer = shell.run(script, timeout_s=timeout_s)
    service = digest_of_service(answer.out, spec.service) if not answer.code else None
    return service or "cannot be read by compose"


def _running(found: Found, role: Role, digest: str | None) -> Running:
    return Running(
        container_id=found.id,
        name=found.name,
        digest=digest,
        version=found.labels.get(Label.VERSION),
        config_hash=found.labels.get(Label.CONFIG),
        state=found.state,
        restart_count=found.restart_count,
        health=found.health,
        role=role,
        rollout=found.number(Label.ROLLOUT),
        generation=found.number(Label.GENERATION),
        attempt=found.number(Label.ATTEMPT),
        exit_code=found.exit_code,
        started_at=found.instant("StartedAt"),
        finished_at=found.instant("FinishedAt"),
        image=found.image[0],
        configuration=settings(found.raw),
    )


def _digest_of_image(shell: Shell, spec: ComposeSpec, found: Found, image: str, timeout_s: float) -> str | None:
    """For a container made from a tag: under which digest its image came from `image`'s repository, else from any."""
    script = [*scripts.ground(Places(spec, "look")), *scripts.digests([image_id(found)])]
    answer = shell.run(script, timeout_s=timeout_s)
    references = [word for line in answer.out.splitlines() for word in line.split()[1:] if "@" in word]
    best = sorted(references, key=lambda reference: not reference.startswith(f"{image}@"))
    return best[0].rpartition("@")[2] if best else None


def _is_from(found: Found, assignment: Assignment) -> bool:
    return (
        found.labels.get(Label.TARGET) == assignment.target
        and found.number(Label.ROLLOUT) == assignment.rollout
        and found.number(Label.ATTEMPT) == assignment.attempt
    )


def _alike(one: Found, other: Found) -> bool:
    keys = (Label.TARGET, Label.ROLLOUT, Label.ATTEMPT)
    return all(one.labels.get(key) == other.labels.get(key) for key in keys) and one.is_up == other.is_up


def _containers(text: str) -> tuple[Found, ...]:
    try:
        described: Any = json.loads(text or "[]")
    except ValueError:
        return ()
    found = [Found(raw) for raw in described]
    kept = (one for one in found if one.labels.get(_ONE_OFF, "False").lower() != "true")
    return tuple(sorted(kept, key=lambda one: one.name))


def _was(text: str) -> tuple[Kept, ...] | None:
    try:
        data: Any = json.loads(text)
        return tuple(Kept(**one) for one in data)
    except (ValueError, TypeError):
        return None
