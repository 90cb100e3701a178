"""A target and what an update does to it, as data.

A *target* is one module of one installation on one host. Here live its declared specification, what was
observed of it, what is wanted of it, and the steps that lead from one to the other. Drivers
(`releaser.targets`) produce and carry out steps; `domain.rollout` decides when.

What does not live here: how an engine is spoken to (drivers), when a target may be touched (`domain.rollout`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from releaser.domain.spec import AnySpec, config_hash


class DriverName(StrEnum):
    """How a kind of target is updated."""

    DOCKER = "docker"
    FILES = "files"
    COMPOSE = "compose"
    SWARM = "swarm"


class Stop(StrEnum):
    """What a piece of work stops for the customer."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


class Phase(StrEnum):
    """The part of an update a step belongs to; only `CUT_OVER` and `ROLL_BACK` can stop anything."""

    PREPARE = "prepare"
    CUT_OVER = "cut-over"
    COMMIT = "commit"
    ROLL_BACK = "roll-back"


class Role(StrEnum):
    """What a container found on the host is to its target, told by its name and labels."""

    SERVING = "serving"
    NEW = "new"
    OLD = "old"


class Health(StrEnum):
    """The verdict of one look at a container."""

    HEALTHY = "healthy"
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    EXITED = "exited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What shall run: `image@digest` (digest `sha256:…`), known to people as `version`, made from `spec`.

    For a kind of target that has no image, `image` names what else is fetched: the address of an artifact.
    """

    version: str
    image: str
    digest: str
    spec: AnySpec

    @property
    def reference(self) -> str:
        """`repository@sha256:…`, what is pulled and created."""
        return f"{self.image}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt to bring one target from `previous` to `desired`.

    `generation` is the fencing number of the target's lock, stamped on what is created; a controller with an
    older generation than the one found must not act. `address` is the host's engine URL. `gate` is set while the gate behind
    the step of that name is looked through, so that a driver can tell what of a target has to be healthy by then.
    """

    target: str
    host: str
    address: str
    rollout: int
    attempt: int
    generation: int
    desired: Desired
    previous: Desired | None
    gate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One container found on the host that belongs to the target.

    `image` is the repository it was made from, `configuration` its settings by name as `domain.drift` compares them.
    """

    container_id: str
    name: str
    digest: str | None
    version: str | None
    config_hash: str | None
    state: str
    restart_count: int
    health: Health
    role: Role
    rollout: int | None
    generation: int | None
    attempt: int | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    image: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The truth about a target at `at`: the container that serves, and any others of an update in flight.

    What serves is the running container under the target's name, else any other running one of the target, else
    the stopped one that holds the name. `warning` is what people should know of the host before they touch it.
    """

    at: datetime
    serving: Running | None
    others: tuple[Running, ...] = ()
    detail: str = ""
    warning: str = ""

    def runs(self, desired: Desired) -> bool:
        """Whether what serves is exactly what is wanted: digest and configuration."""
        return (
            self.serving is not None
            and self.serving.digest == desired.digest
            and self.serving.config_hash == config_hash(desired.spec)
            and self.serving.health is Health.HEALTHY
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One idempotent action. `stops` tells what it stops, `estimated_for` how long by stated estimate.

    After a step with `gate` the next one waits until `Driver.verify` says healthy (forward: the desired
    specification, rolling back: the previous one). `why` tells people why it has to stop what it stops.
    """

    name: str
    phase: Phase
    stops: Stop = Stop.NONE
    estimated_for: timedelta = timedelta(0)
    undoable: bool = True
    gate: bool = False
    why: str = ""


def planned_stop(steps: Iterable[Step]) -> tuple[Stop, timedelta]:
    """The worst kind of stop among the steps and how long all that stop something take together."""
    stopping = [step for step in steps if step.stops is not Stop.NONE]
    worst = max((step.stops for step in stopping), key=list(Stop).index, default=Stop.NONE)
    return worst, sum((step.estimated_for for step in stopping), timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The health gate's answer: healthy, still starting, or failed with the reason; `weak` without any probe.

    `courtesy`: what is still waited for is no fault of the service, such as requests under way at a container that is to go; when
    the time is over, the update goes on.
    """

    health: Health
    reason: str
    weak: bool = False
    courtesy: bool = False
