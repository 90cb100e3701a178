"""What is on the host for one target right now, told by labels and deterministic names; nothing is changed here.

Rules: a container with the target's label is the target's. One without any of our labels under the target's name (or
under the name an update gave it) was there before us and counts as the old one. One with another target's label is an
intruder. Everything is looked at afresh for every step: after a crash or a call that "failed", this is the truth.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from releaser.domain.spec import config_hash
from releaser.domain.target import Assignment, Desired, Health, Role, Running
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Label, Made, Replaced, is_unfinished, old_name
from releaser.targets.docker.looking import settings
from releaser.targets.target import FencedError

_UP: Final = frozenset({"running", "paused", "restarting"})
_NEVER: Final = "0001-01-01T00:00:00Z"
_AT_ONCE: Final = 4
JOINED: Final = "container:"
"""How the network of a container begins that lives in another one's."""


@dataclass(frozen=True, slots=True)
class Found:
    """One container as the engine describes it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The engine's id."""
        return str(self.raw["Id"])

    @property
    def name(self) -> str:
        """Its name, without the engine's slash."""
        return str(self.raw["Name"]).removeprefix("/")

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.raw["Config"].get("Labels") or {}

    @property
    def state(self) -> str:
        """The engine's word: created, running, paused, restarting, exited, removing, dead."""
        return str(self.raw["State"]["Status"])

    @property
    def is_up(self) -> bool:
        """Whether it runs or would by itself in a moment."""
        return self.state in _UP

    @property
    def restart_count(self) -> int:
        """How often the engine has restarted it since somebody started it."""
        return int(self.raw.get("RestartCount") or 0)

    @property
    def restart(self) -> Mapping[str, Any]:
        """Its restart policy, in the engine's form."""
        policy = self.raw["HostConfig"].get("RestartPolicy") or {}
        return {"Name": policy.get("Name") or "no", "MaximumRetryCount": policy.get("MaximumRetryCount") or 0}

    @property
    def networks(self) -> Mapping[str, tuple[str, ...]]:
        """The networks it is on, each with its aliases; the alias the engine adds by itself is left out."""
        on = self.raw["NetworkSettings"].get("Networks") or {}
        return {
            name: tuple(alias for alias in (endpoint or {}).get("Aliases") or () if alias != self.id[:12])
            for name, endpoint in on.items()
        }

    @property
    def replaces(self) -> Replaced | None:
        """What it was made to replace."""
        return Replaced.from_label(self.labels.get(Label.REPLACES))

    @property
    def digest(self) -> str | None:
        """The digest it was created from, if it was created by digest."""
        _, at, digest = str(self.raw["Config"].get("Image", "")).rpartition("@")
        return digest if at else None

    @property
    def image(self) -> tuple[str, str]:
        """The repository and the tag it was created from; no tag where it was created by digest or id."""
        name = str(self.raw["Config"].get("Image", "")).partition("@")[0]
        repository, colon, tag = name.rpartition(":")
        return (repository, tag) if colon and "/" not in tag else (name, "")

    @property
    def exit_code(self) -> int | None:
        """The last exit code, once it has ended."""
        ended = self.state in {"exited", "dead", "restarting"}
        return int(self.raw["State"].get("ExitCode") or 0) if ended else None

    @property
    def health(self) -> Health:
        """The engine's verdict, its HEALTHCHECK's where there is one."""
        checked = (self.raw["State"].get("Health") or {}).get("Status", "none")
        if self.state != "running":
            return {"created": Health.STARTING, "paused": Health.UNHEALTHY, "removing": Health.MISSING}.get(
                self.state, Health.EXITED
            )
        return {"starting": Health.STARTING, "unhealthy": Health.UNHEALTHY}.get(checked, Health.HEALTHY)

    @property
    def has_healthcheck(self) -> bool:
        """Whether the engine checks it (the image's own check counts)."""
        return bool((self.raw["State"].get("Health") or {}).get("Status", "none") != "none")

    def number(self, label: Label) -> int | None:
        """A label's number; nothing if there is none."""
        text = self.labels.get(label, "")
        return int(text) if text.isdecimal() else None

    def instant(self, key: str) -> datetime | None:
        """`StartedAt` or `FinishedAt`, by the host's clock; nothing if it never did."""
        text = str(self.raw["State"].get(key) or _NEVER)
        return None if text.startswith("0001") else engine_time(text)

    def is_from(self, assignment: Assignment, made: Made) -> bool:
        """Whether this very attempt made it, and for this purpose."""
        return (
            self.number(Label.ROLLOUT) == assignment.rollout
            and self.number(Label.ATTEMPT) == assignment.attempt
            and self.labels.get(Label.ROLE, Made.RELEASE.value) == made.value
        )

    def but(self, *, name: str = "", state: str = "") -> Found:
        """The same after it was renamed, or is in another state."""
        changed = {**self.raw, "Name": name or self.raw["Name"]}
        return Found({**changed, "State": {**self.raw["State"], "Status": state}} if state else changed)

    def runs(self, wanted: Desired) -> bool:
        """Whether it was made from exactly this digest and configuration."""
        return self.digest == wanted.digest and self.labels.get(Label.CONFIG) == config_hash(wanted.spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The target's containers by the part they play in this attempt.

    `holder` has the target's name, whatever else it is. `leftovers` are of the target but of other attempts.
    `intruder` holds the name and belongs to another target. `joined` are the ids of containers in whose network others of the
    engine live; None where nobody looked. `is_fresh`: before the update there was no place for it at all, so that whatever of
    ours is there was left over.
    """

    new: Found | None
    old: Found | None
    holder: Found | None
    leftovers: tuple[Found, ...] = ()
    intruder: Found | None = None
    joined: frozenset[str] | None = None
    is_fresh: bool = False

    def is_joined(self, *container_ids: str) -> bool:
        """Whether others may live in the network of one of these."""
        return self.joined is None or not self.joined.isdisjoint(container_ids)

    def all(self) -> Iterator[Found]:
        """Every container of the target, each once."""
        yield from (found for found in (self.new, self.old, *self.leftovers) if found is not None)

    @property
    def serving(self) -> Found | None:
        """The running one with the name, else a running one, else the one with the name."""
        if self.holder is not None and self.holder.state == "running":
            return self.holder
        return next((found for found in self.all() if found.state == "running"), self.holder)

    def role(self, found: Found) -> Role:
        """The part a container plays."""
        if self.serving is not None and found.id == self.serving.id:
            return Role.SERVING
        return Role.NEW if self.new is not None and found.id == self.new.id else Role.OLD


def look(engine: Engine, assignment: Assignment, *, alone: bool = True, is_fresh: bool = False) -> Scene:
    """Everything of the target; raises `FencedError` if anything was made under a younger lock.

    `alone`: the target has no slots, so what is there of any was left over by an attempt with another specification.
    """
    return arranged(tuple(_candidates(engine, assignment, alone=alone)), assignment, is_fresh=is_fresh)


def look_at_all(engine: Engine, assignments: Sequence[Assignment], *, fresh: Collection[str] = ()) -> tuple[Scene, ...]:
    """The same of several targets of one engine; one list is enough for all of them, and tells who is joined, too."""
    listed = engine.containers()
    ids = [_fitting(listed, assignment) for assignment in assignments]
    found = _described(engine, list(dict.fromkeys(one for some in ids for one in some)))
    modes = [str((entry.get("HostConfig") or {}).get("NetworkMode") or "") for entry in listed]
    joined = frozenset(mode.removeprefix(JOINED) for mode in modes if mode.startswith(JOINED))
    return tuple(
        arranged(
            tuple(found[one] for one in some if one in found),
            assignment,
            joined=joined,
            is_fresh=assignment.target in fresh,
        )
        for some, assignment in zip(ids, assignments, strict=True)
    )


def made_by(engine: Engine, assignments: Sequence[Assignment]) -> Mapping[str, str]:
    """Target -> id of the container that this very attempt made for it: told by one list; raises `FencedError` as `look` does."""
    entries = engine.containers()
    glimpsed = {str(entry["Id"]): _glimpsed(entry) for entry in entries}
    found: dict[str, str] = {}
    for assignment in assignments:
        seen = [glimpsed[one] for one in _fitting(entries, assignment)]
        mine = [one for one in seen if one.labels.get(Label.TARGET) in {None, assignment.target}]
        check_fence(mine, assignment)
        new = next((one for one in mine if one.is_from(assignment, Made.RELEASE)), None)
        if new is not None:
            found[assignment.target] = new.id
    return found


def _glimpsed(entry: Mapping[str, Any]) -> Found:
    """As much of a container as a list tells: its id and its labels."""
    return Found({"Id": entry["Id"], "Config": {"Labels": entry.get("Labels")}})


def arranged(
    candidates: Sequence[Found],
    assignment: Assignment,
    *,
    joined: frozenset[str] | None = None,
    is_fresh: bool = False,
) -> Scene:
    """Who of them plays which part; raises `FencedError` as `look` does."""
    name = assignment.desired.spec.name
    mine: list[Found] = []
    strays: list[Found] = []
    intruder = None
    for found in candidates:
        owner = found.labels.get(Label.TARGET)
        if owner in {None, assignment.target}:
            mine.append(found)
        elif is_of_slot(owner, assignment.target):
            strays.append(found)
        elif found.name == name:
            intruder = found
    check_fence([*mine, *strays], assignment)
    new = next((found for found in mine if found.is_from(assignment, Made.RELEASE)), None)
    rest = [found for found in mine if found is not new]
    old = _choose_old([one for one in rest if not (is_fresh and one.labels.get(Label.TARGET))], assignment)
    return Scene(
        new=new,
        old=old,
        holder=next((found for found in (*mine, *strays) if found.name == name), None),
        leftovers=tuple(found for found in (*rest, *strays) if found is not old),
        intruder=intruder,
        joined=joined,
        is_fresh=is_fresh,
    )


def describe(scene: Scene, found: Found, digest: str | None) -> Running:
    """A container as the domain knows it; `digest` is given for one that was not created by digest."""
    return Running(
        container_id=found.id,
        name=found.name,
        digest=found.digest or digest,
        version=found.labels.get(Label.VERSION),
        config_hash=found.labels.get(Label.CONFIG),
        state=found.state,
        restart_count=found.restart_count,
        health=found.health,
        role=scene.role(found),
        rollout=found.number(Label.ROLLOUT),
        generation=found.number(Label.GENERATION),
        attempt=found.number(Label.ATTEMPT),
        exit_code=found.exit_code,
        started_at=found.instant("StartedAt"),
        finished_at=found.instant("FinishedAt"),
        image=found.image[0],
        configuration=settings(found.raw),
    )


def engine_time(text: str) -> datetime:
    """An instant as engines write it: up to nine digits of a second, `Z` or an offset."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def strays(engine: Engine, assignment: Assignment, *, known: Collection[str]) -> tuple[Found, ...]:
    """What attempts with another specification left over: of the target, of its slots or its front, but of none that is `known`."""
    listed = engine.containers(label=Label.TARGET.value)
    owners = {str(one["Id"]): (one.get("Labels") or {}).get(Label.TARGET) for one in listed}
    target = assignment.target
    ids = [
        one for one, owner in owners.items() if owner not in known and (owner == target or is_of_slot(owner, target))
    ]
    found = tuple(_described(engine, ids).values())
    check_fence(found, assignment)
    return found


def is_of_slot(owner: str | None, target: str) -> bool:
    """Whether a label of a target names a slot of this one, or its front."""
    return owner is not None and owner.startswith(f"{target}#")


def _candidates(engine: Engine, assignment: Assignment, *, alone: bool) -> Iterator[Found]:
    """By our label, and by the names a container from before us can have."""
    target = assignment.target
    if alone:
        ours = engine.containers(label=Label.TARGET.value)
        owners = [(one, (one.get("Labels") or {}).get(Label.TARGET)) for one in ours]
        labelled = [one for one, owner in owners if owner == target or is_of_slot(owner, target)]
    else:
        labelled = engine.containers(label=f"{Label.TARGET.value}={target}")
    listed = [*labelled, *engine.containers(name=_names(assignment))]
    for container_id in dict.fromkeys(str(entry["Id"]) for entry in listed):
        raw = engine.container(container_id)
        if raw is not None:
            yield Found(raw)


def _names(assignment: Assignment) -> str:
    return rf"^/?{re.escape(assignment.desired.spec.name)}(\.old-[0-9]+-[0-9]+)?$"


def _fitting(listed: Sequence[Mapping[str, Any]], assignment: Assignment) -> list[str]:
    """Of a whole list what `_candidates` asks for, in the same order."""
    names = re.compile(_names(assignment))
    labelled = [one for one in listed if (one.get("Labels") or {}).get(Label.TARGET) == assignment.target]
    named = [one for one in listed if any(map(names.search, one.get("Names") or ()))]
    return list(dict.fromkeys(str(entry["Id"]) for entry in (*labelled, *named)))


def _described(engine: Engine, container_ids: Sequence[str]) -> dict[str, Found]:
    """Those that are still there."""
    if len(container_ids) <= _AT_ONCE:
        raws = [engine.container(one) for one in container_ids]
    else:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            raws = list(pool.map(engine.container, container_ids))
    return {one: Found(raw) for one, raw in zip(container_ids, raws, strict=True) if raw is not None}


def check_fence(mine: Sequence[Found], assignment: Assignment) -> None:
    """Raise `FencedError` if anything of it was made under a younger lock."""
    youngest = max((found.number(Label.GENERATION) or 0 for found in mine), default=0)
    if youngest > assignment.generation:
        raise FencedError(
            f"Target {assignment.target} was taken over: generation {youngest} was there, this one is {assignment.generation}.",
            advice="Nothing to do here; whoever holds the younger lock goes on.",
            target=assignment.target,
            found=youngest,
            own=assignment.generation,
        )


def _choose_old(rest: list[Found], assignment: Assignment) -> Found | None:
    """The one to go back to: what this attempt set aside, else what is recorded as running, else what has the name.

    What was there before us goes before what an attempt that broke off has put in its place.
    """

    def recorded(found: Found) -> bool:
        return assignment.previous is not None and found.runs(assignment.previous)

    def rank(found: Found) -> tuple[bool, ...]:
        return (
            found.name == old_name(assignment),
            found.is_from(assignment, Made.RESTORED),
            recorded(found) and not is_unfinished(found.name),
            recorded(found),
            Label.TARGET not in found.labels,
            found.name == assignment.desired.spec.name,
            found.is_up,
        )

    possible = [found for found in rest if found.state not in {"removing", "dead"}]
    possible = [found for found in possible if recorded(found) or not is_unfinished(found.name)]
    return max(possible, key=rank, default=None)
