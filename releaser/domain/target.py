"""A target and what an update does to it, as data.

A *target* is one module of one installation on one host. Here live its declared specification, what was
observed of it, what is wanted of it, and the steps that lead from one to the other. Drivers
(`releaser.targets`) produce and carry out steps; `domain.rollout` decides when.

What does not live here: how an engine is spoken to (drivers), when a target may be touched (`domain.rollout`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum


class DriverName(StrEnum):
    """How a kind of target is updated."""

    DOCKER = "docker"


class Order(StrEnum):
    """Which of the two containers is there first."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


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
class PortBinding:
    """A container port published on the host: `host_ip:host_port -> container_port/protocol`.

    `host_port` 0 lets the engine choose a free one.
    """

    container_port: int
    host_port: int
    host_ip: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume or an absolute host path mounted at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    """When a container counts as healthy.

    `http` is a URL probed from where the controller runs; `{ip}` in it stands for the container's own address on
    its first network and `{port}` for the host port of its first published port, so that the probe reaches this
    container and not the one it replaces. `command` becomes the engine's HEALTHCHECK. With neither (and no HEALTHCHECK in the
    image) the gate is "stayed up for `stay_up_for_s`", marked weak. All durations in seconds.
    """

    http: str | None = None
    http_status: int = 200
    command: tuple[str, ...] = ()
    interval_s: float = 1.0
    timeout_s: float = 2.0
    deadline_s: float = 60.0
    stay_up_for_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """The declared specification of a docker target. `name` is the container's name on its host."""

    name: str
    networks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    user: str = ""
    restart: str = "unless-stopped"
    memory_mb: int | None = None
    cpus: float | None = None
    stop_grace_s: int = 10
    order: Order = Order.STOP_FIRST
    health: HealthSpec = field(default_factory=HealthSpec)
    soak_s: float = 0.0


_STEERING = frozenset({"order", "soak_s", "stop_grace_s", "health"})


def config_hash(spec: ContainerSpec) -> str:
    """Twelve hex digits naming everything of the specification that the container itself is made from.

    Deadlines, the HTTP probe, order, grace and soak steer the update and are not part of what runs; the engine's
    own health check is.
    """
    data: dict[str, object] = {f.name: _plain(getattr(spec, f.name)) for f in fields(spec) if f.name not in _STEERING}
    if spec.health.command:
        data["health"] = [list(spec.health.command), spec.health.interval_s, spec.health.timeout_s]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def _plain(value: object) -> object:
    """Data that JSON writes the same way every time."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PortBinding | Volume):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What shall run: `image@digest` (digest `sha256:…`), known to people as `version`, made from `spec`."""

    version: str
    image: str
    digest: str
    spec: ContainerSpec

    @property
    def reference(self) -> str:
        """`repository@sha256:…`, what is pulled and created."""
        return f"{self.image}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt to bring one target from `previous` to `desired`.

    `generation` is the fencing number of the target's lock, stamped on what is created; a controller with an
    older generation than the one found must not act. `address` is the host's engine URL.
    """

    target: str
    host: str
    address: str
    rollout: int
    attempt: int
    generation: int
    desired: Desired
    previous: Desired | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One container found on the host that belongs to the target."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The truth about a target at `at`: the container that serves, and any others of an update in flight.

    What serves is the running container under the target's name, else any other running one of the target, else
    the stopped one that holds the name.
    """

    at: datetime
    serving: Running | None
    others: tuple[Running, ...] = ()
    detail: str = ""

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
    specification, rolling back: the previous one).
    """

    name: str
    phase: Phase
    stops: Stop = Stop.NONE
    estimated_for: timedelta = timedelta(0)
    undoable: bool = True
    gate: bool = False


def planned_stop(steps: Iterable[Step]) -> tuple[Stop, timedelta]:
    """The worst kind of stop among the steps and how long all that stop something take together."""
    stopping = [step for step in steps if step.stops is not Stop.NONE]
    worst = max((step.stops for step in stopping), key=list(Stop).index, default=Stop.NONE)
    return worst, sum((step.estimated_for for step in stopping), timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The health gate's answer: healthy, still starting, or failed with the reason; `weak` without any probe."""

    health: Health
    reason: str
    weak: bool = False
