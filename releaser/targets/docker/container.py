"""What a container of ours is made from: names, labels, and the engine's create request out of a specification.

Rules: everything made carries the labels, so that whoever comes after a crash knows what it is; a container under
its temporary name is not in service. Pure; what is sent where is `work`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from releaser.domain.spec import ContainerSpec, Order, config_hash
from releaser.domain.target import Assignment, Desired

_SECOND_NS: Final = 1_000_000_000
_SPECIAL_NETWORKS: Final = frozenset({"host", "none", "bridge", "default"})
_TEMPORARY: Final = re.compile(r"\.(?:new|old)-\d+-\d+$")


class Label(StrEnum):
    """The labels on everything we create."""

    TARGET = "releaser.target"
    ROLLOUT = "releaser.rollout"
    ATTEMPT = "releaser.attempt"
    ROLE = "releaser.role"
    GENERATION = "releaser.generation"
    VERSION = "releaser.version"
    DIGEST = "releaser.digest"
    CONFIG = "releaser.config"
    REPLACES = "releaser.replaces"
    RENEWS = "releaser.renews"


class Made(StrEnum):
    """Why a container was made (the label `releaser.role`)."""

    RELEASE = "release"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What the old container was like before we touched it, kept in a label of the new one until the commit.

    The old one loses its restart policy and its aliases during the cutover; here they survive any crash.
    """

    container_id: str
    name: str
    restart: Mapping[str, Any]
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_label(self) -> str:
        """As the label's text."""
        return json.dumps(
            {"id": self.container_id, "name": self.name, "restart": self.restart, "networks": self.networks},
            sort_keys=True,
        )

    @classmethod
    def from_label(cls, text: str | None) -> Replaced | None:
        """Back from the label's text; nothing if there is none or it was tampered with."""
        try:
            data = json.loads(text or "")
            networks = {str(name): tuple(map(str, aliases)) for name, aliases in data["networks"].items()}
            return cls(
                container_id=str(data["id"]), name=str(data["name"]), restart=dict(data["restart"]), networks=networks
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def new_name(assignment: Assignment) -> str:
    """What the new container is called before it takes the target's name."""
    return f"{assignment.desired.spec.name}.new-{assignment.rollout}-{assignment.attempt}"


def old_name(assignment: Assignment) -> str:
    """What the old container is called until it is removed."""
    return f"{assignment.desired.spec.name}.old-{assignment.rollout}-{assignment.attempt}"


def plain_name(name: str) -> str:
    """The name without what an update in flight appended."""
    return _TEMPORARY.sub("", name)


def is_unfinished(name: str) -> bool:
    """Whether a container of this name was made by an attempt that never brought it into service."""
    return re.search(r"\.new-\d+-\d+$", name) is not None


def is_shareable(network: str) -> bool:
    """Whether a network is one a user made, where aliases and later connecting are possible."""
    return network not in _SPECIAL_NETWORKS and not network.startswith("container:")


def shareable_networks(spec: ContainerSpec) -> tuple[str, ...]:
    """The user-made networks of a specification."""
    return tuple(network for network in spec.networks if is_shareable(network))


def service_aliases(spec: ContainerSpec) -> tuple[str, ...]:
    """The names under which the networks find the service.

    Start-first adds the container's own name: while two are there the engine resolves it only by alias.
    """
    own = (spec.name,) if spec.order is Order.START_FIRST else ()
    return tuple(dict.fromkeys((*spec.aliases, *own)))


def labels(assignment: Assignment, desired: Desired, *, made: Made, replaces: Replaced | None) -> dict[str, str]:
    """Ours; they win over the user's."""
    ours = {
        Label.TARGET: assignment.target,
        Label.ROLLOUT: str(assignment.rollout),
        Label.ATTEMPT: str(assignment.attempt),
        Label.GENERATION: str(assignment.generation),
        Label.ROLE: made.value,
        Label.VERSION: desired.version,
        Label.DIGEST: desired.digest,
        Label.CONFIG: config_hash(desired.spec),
    }
    if replaces is not None:
        ours[Label.REPLACES] = replaces.to_label()
    return {key.value: value for key, value in ours.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A create request without networks, and how each network a user made is to be connected."""

    payload: dict[str, Any]
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)

    def request(self, *, all_networks: bool) -> dict[str, Any]:
        """What is posted. Before API 1.44 only one network may be named; the others are connected afterwards.

        Since then a MAC belongs to the network, and not to the container.
        """
        mode, payload = self.payload["HostConfig"].get("NetworkMode"), dict(self.payload)
        named = {name: one for name, one in self.endpoints.items() if all_networks or name == mode}
        if all_networks and mode in named and payload.get("MacAddress"):
            named[mode] = {**named[mode], "MacAddress": payload.pop("MacAddress")}
        return {**payload, "NetworkingConfig": {"EndpointsConfig": named}} if named else payload


def declared_body(spec: ContainerSpec, *, aliases: tuple[str, ...]) -> Body:
    """What a specification alone makes."""
    return Body(
        payload=create_payload(spec),
        endpoints={network: {"Aliases": list(aliases)} for network in shareable_networks(spec)},
    )


def create_payload(spec: ContainerSpec) -> dict[str, Any]:
    """The body of the create request, without image, our labels and networks."""
    payload: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "ExposedPorts": {f"{port.container_port}/{port.protocol}": {} for port in spec.ports},
        "StopTimeout": spec.stop_grace_s,
        "HostConfig": _host_config(spec),
    }
    if spec.command:
        payload["Cmd"] = list(spec.command)
    if spec.user:
        payload["User"] = spec.user
    if spec.health.command:
        payload["Healthcheck"] = _healthcheck(spec)
    return payload


def restart_policy(text: str) -> dict[str, Any]:
    """`unless-stopped`, or `on-failure:3` with its limit, as the engine writes it."""
    name, _, limit = text.partition(":")
    return {"Name": name or "no", "MaximumRetryCount": int(limit) if limit.isdecimal() else 0}


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        host_port = str(port.host_port) if port.host_port else ""
        bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(
            {"HostIp": port.host_ip, "HostPort": host_port}
        )
    config: dict[str, Any] = {
        "Binds": [f"{v.source}:{v.target}{':ro' if v.read_only else ''}" for v in spec.volumes],
        "PortBindings": bindings,
        "RestartPolicy": restart_policy(spec.restart),
    }
    if spec.networks:
        config["NetworkMode"] = spec.networks[0]
    if spec.memory_mb is not None:
        config["Memory"] = spec.memory_mb * 1024 * 1024
    if spec.cpus is not None:
        config["NanoCpus"] = int(spec.cpus * _SECOND_NS)
    return config


def _healthcheck(spec: ContainerSpec) -> dict[str, Any]:
    """The engine's own check; until the gate's deadline a failure means "still starting", not "unhealthy"."""
    return {
        "Test": ["CMD", *spec.health.command],
        "Interval": int(spec.health.interval_s * _SECOND_NS),
        "Timeout": int(spec.health.timeout_s * _SECOND_NS),
        "Retries": 3,
        "StartPeriod": int(spec.health.deadline_s * _SECOND_NS),
    }
