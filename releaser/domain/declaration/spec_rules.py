"""Whether a specification makes sense by itself; what an engine or a host would refuse is refused before it is asked."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator

from releaser.domain.declaration.compose_rules import compose_faults
from releaser.domain.declaration.declared import Place
from releaser.domain.declaration.files_rules import files_faults
from releaser.domain.declaration.front_rules import front_faults
from releaser.domain.declaration.swarm_rules import swarm_faults
from releaser.domain.spec import (
    ComposeSpec,
    ContainerSpec,
    Cutover,
    FilesSpec,
    HealthSpec,
    PortBinding,
    SwarmSpec,
    TargetSpec,
)

_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_VARIABLE = re.compile(r"[^=\x00\s]+")
_RESTART = re.compile(r"no|always|unless-stopped|on-failure(?::[0-9]{1,4})?")
_DAY_S = 24 * 3600
_DURATIONS = (("interval_s", 0.01), ("timeout_s", 0.01), ("deadline_s", 0.01), ("stay_up_for_s", 0.0))


def spec_faults(spec: TargetSpec) -> Iterator[tuple[Place, str, str]]:
    """Where inside the specification, what is wrong, what would be right."""
    if isinstance(spec, ContainerSpec):
        yield from _container(spec)
        yield from front_faults(spec)
    elif isinstance(spec, FilesSpec):
        yield from files_faults(spec)
    elif isinstance(spec, ComposeSpec):
        yield from compose_faults(spec)
        yield from _resources(spec)
    elif isinstance(spec, SwarmSpec):
        yield from swarm_faults(spec)
        yield from _resources(spec)
        yield from _volumes(spec)
        yield from _environment(spec)
    yield from _steering(spec)
    for place, detail, advice in _health(spec.health):
        yield ("health", *place), detail, advice


def _container(spec: ContainerSpec) -> Iterator[tuple[Place, str, str]]:
    if spec.keep_undeclared and (
        spec.front is not None or spec.replicas != 1 or spec.cutover is not Cutover.STOP_FIRST
    ):
        yield (
            ("keep_undeclared",),
            "What is kept is copied from one container to one, so it goes neither with replicas nor with another cutover.",
            "Declare all of the container and leave keep_undeclared out, or leave out replicas, front and cutover.",
        )
    if not _CONTAINER.fullmatch(spec.name):
        yield ("name",), f"'{spec.name[:80]}' is no container's name.", "Use letters, digits and . _ -, two at least."
    for group in ("networks", "aliases"):
        for index, name in enumerate(getattr(spec, group)):
            if not _CONTAINER.fullmatch(name):
                yield (group, index), f"'{name[:80]}' is no name.", "Use letters, digits and . _ -."
    for index, port in enumerate(spec.ports):
        for place, detail, advice in _port(port):
            yield ("ports", index, *place), detail, advice
    yield from _environment(spec)
    yield from _volumes(spec)
    yield from _limits(spec)


def _environment(spec: ContainerSpec | SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    for name in [name for name, value in spec.environment.items() if not _VARIABLE.fullmatch(name) or "\0" in value]:
        yield ("environment", name), f"'{name[:80]}' is no variable.", "Write NAME: value."


def _limits(spec: ContainerSpec) -> Iterator[tuple[Place, str, str]]:
    if not _RESTART.fullmatch(spec.restart):
        yield (
            ("restart",),
            f"'{spec.restart[:40]}' is no restart policy.",
            "Use no, always, unless-stopped or on-failure.",
        )
    yield from _resources(spec)


def _resources(spec: ContainerSpec | ComposeSpec | SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    if spec.memory_mb is not None and not 6 <= spec.memory_mb <= 2**24:
        yield ("memory_mb",), f"{spec.memory_mb} MB are no limit for a container.", "Use 6 or more."
    if spec.cpus is not None and not 0 < spec.cpus <= 1024:
        yield ("cpus",), f"{spec.cpus} processors are no limit for a container.", "Use for instance 0.5."


def _steering(spec: TargetSpec) -> Iterator[tuple[Place, str, str]]:
    if not 0 <= spec.stop_grace_s <= _DAY_S:
        yield ("stop_grace_s",), f"{spec.stop_grace_s} seconds are no grace.", "Use for instance 10."
    if not 0 <= spec.soak_s <= 30 * _DAY_S:
        yield ("soak_s",), f"{spec.soak_s} seconds are no time to soak.", "Use for instance 60."


def _port(port: PortBinding) -> Iterator[tuple[Place, str, str]]:
    if not 1 <= port.container_port <= 65535:
        yield ("container_port",), f"{port.container_port} is no port.", "Use 1 to 65535."
    if not 0 <= port.host_port <= 65535:
        yield ("host_port",), f"{port.host_port} is no port.", "Use 1 to 65535, or 0 for a free one."
    if port.protocol not in {"tcp", "udp", "sctp"}:
        yield ("protocol",), f"'{port.protocol[:20]}' is no protocol.", "Use tcp, udp or sctp."
    # None means every address of the host, of both kinds.
    if port.host_ip and not _is_address(port.host_ip):
        yield ("host_ip",), f"'{port.host_ip[:60]}' is no address.", "Use for instance 127.0.0.1 or 0.0.0.0."


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _volumes(spec: ContainerSpec | SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    mounted: set[str] = set()
    for index, volume in enumerate(spec.volumes):
        named = volume.source.startswith("/") or _CONTAINER.fullmatch(volume.source)
        if not named or ":" in volume.source:
            yield (
                ("volumes", index, "source"),
                f"'{volume.source[:80]}' is neither a volume nor an absolute path.",
                "Write a volume's name, or a path that begins with '/'.",
            )
        if not volume.target.startswith("/") or ":" in volume.target:
            yield ("volumes", index, "target"), f"'{volume.target[:80]}' is no absolute path.", "Begin it with '/'."
        if volume.target in mounted:
            yield ("volumes", index, "target"), f"'{volume.target[:80]}' is mounted twice.", "Keep one of them."
        mounted.add(volume.target)


def _health(health: HealthSpec) -> Iterator[tuple[Place, str, str]]:
    if health.http is not None and not re.match(r"https?://[^\s/]", health.http):
        yield ("http",), f"'{health.http[:80]}' is no URL.", "Write it like http://{ip}:8080/healthz."
    if health.outside is not None and not re.match(r"https?://[^\s/]", health.outside):
        yield ("outside",), f"'{health.outside[:80]}' is no URL.", "Write it like https://shop.example.com/healthz."
    if not 100 <= health.http_status <= 599:
        yield ("http_status",), f"{health.http_status} is no status of HTTP.", "Use for instance 200."
    for name, least in _DURATIONS:
        value = getattr(health, name)
        if not math.isfinite(value) or not least <= value <= _DAY_S:
            yield (name,), f"{value} seconds are out of range.", f"Use {least:g} to {_DAY_S}."
