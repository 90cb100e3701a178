"""The declared specification of a target: what it is made from, and how an update of it is to go.

What steers an update (deadlines, probes, order, grace, soak) is no part of what runs, and is left out of `config_hash`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum


class Order(StrEnum):
    """Which of the two containers is there first."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


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
    """The declared specification of a docker target. `name` is the container's name on its host.

    With `keep_undeclared` everything that is not declared stays as it is in the container that is replaced.
    """

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
    keep_undeclared: bool = False


_STEERING = frozenset({"order", "soak_s", "stop_grace_s", "health", "keep_undeclared"})


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
