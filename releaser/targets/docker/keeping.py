"""The create request that makes a container again as it is: what somebody set stays, what came from its image moves on.

An engine's inspect mixes three things: what was asked for, what the image brought, and what the engine worked out. Here the
first is told from the others. A declaration is laid over it three-way: what the last one declared and this one does not is
taken away, what this one declares is set, everything else is kept. Rules: nothing here is written to a log or a database;
environments and the like go from one container to the next on their host only. Pure.

What does not live here: asking an engine (`cloning`), and what can be declared of a container (`declaring`).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from releaser.domain.spec import ContainerSpec
from releaser.targets.docker.container import Body, Label, create_payload, is_shareable

Json = Mapping[str, Any]

OURS: Final = frozenset(label.value for label in Label)
DEFAULT_GRACE_S: Final = ContainerSpec(name="any").stop_grace_s
_SHORT: Final = 12
_JOINED: Final = "container:"
_JOINABLE: Final = ("NetworkMode", "IpcMode", "PidMode")
_NOT_ASKED: Final = frozenset({"Image", "OnBuild", "ArgsEscaped"})
_FROM_IMAGE: Final = ("WorkingDir", "User", "StopSignal", "Shell")
# What podman reports for every container, asked for or not.
_ALWAYS_REPORTED: Final = "RLIMIT_"


def joined(raw: Json) -> Iterator[str]:
    """Ids or names of the containers that this one refers to by `container:`, `volumes-from` or a link."""
    host = raw["HostConfig"]
    for key in _JOINABLE:
        if str(host.get(key) or "").startswith(_JOINED):
            yield str(host[key]).removeprefix(_JOINED)
    for text in host.get("VolumesFrom") or ():
        yield str(text).partition(":")[0]


def kept(raw: Json, image: Json, *, names: Mapping[str, str], host_name: str = "", mac: str = "") -> Body:
    """What the inspected container `raw` was asked to be.

    `image` is the configuration of its image, `names` the names of the containers it refers to, `host_name` its
    host's. `mac` is one that somebody set and the engine tells apart only when asked for it.
    """
    container = raw["Config"]
    host = _host(raw, names)
    payload = {key: copy.deepcopy(value) for key, value in container.items() if key not in _NOT_ASKED}
    for key in _FROM_IMAGE:
        if payload.get(key) == image.get(key):
            payload.pop(key, None)
    _command(payload, image)
    _hostname(payload, raw, host_name)
    payload["Env"] = [text for text in container.get("Env") or () if text not in set(image.get("Env") or ())]
    labels, brought = container.get("Labels") or {}, image.get("Labels") or {}
    payload["Labels"] = {key: text for key, text in labels.items() if brought.get(key) != text and key not in OURS}
    for key in ("ExposedPorts", "Volumes"):
        payload[key] = {one: {} for one in container.get(key) or {} if one not in (image.get(key) or {})}
    _healthcheck(payload, image)
    host["Binds"] = [*(host.get("Binds") or ()), *_anonymous(raw)]
    _name_anonymous_mounts(host, raw)
    if mac:
        payload["MacAddress"] = mac
    payload = {key: value for key, value in payload.items() if value not in (None, "", {}, [])}
    return Body(payload={**payload, "HostConfig": host}, endpoints=endpoints(raw))


def _host(raw: Json, names: Mapping[str, str]) -> dict[str, Any]:
    """The whole host configuration, with other containers by their names."""
    host: dict[str, Any] = copy.deepcopy(dict(raw["HostConfig"]))
    host.pop("ContainerIDFile", None)
    for key in _JOINABLE:
        text = str(host.get(key) or "")
        if text.startswith(_JOINED):
            other = text.removeprefix(_JOINED)
            host[key] = _JOINED + names.get(other, other)
    if host.get("VolumesFrom"):
        host["VolumesFrom"] = [_renamed(str(text), names) for text in host["VolumesFrom"]]
    if host.get("Links"):
        # Told as "/db:/web/alias", asked for as "db:alias".
        pairs = [str(text).split(":", 1) for text in host["Links"]]
        host["Links"] = [f"{one.removeprefix('/')}:{rest[0].rpartition('/')[2]}" for one, *rest in pairs if rest]
    host["Ulimits"] = [
        one for one in host.get("Ulimits") or () if not str(one.get("Name", "")).startswith(_ALWAYS_REPORTED)
    ]
    return host


def _renamed(text: str, names: Mapping[str, str]) -> str:
    other, colon, mode = text.partition(":")
    return names.get(other, other) + colon + mode


def _command(payload: dict[str, Any], image: Json) -> None:
    """An entrypoint set by somebody takes the image's command away; only both together tell what was set."""
    own, brought = payload.get("Entrypoint"), image.get("Entrypoint")
    command, default = payload.get("Cmd") or None, image.get("Cmd") or None
    if own == brought or (not own and not brought):
        if command == default:
            payload.pop("Entrypoint", None)
            payload.pop("Cmd", None)
            return
        if command is not None:
            payload.pop("Entrypoint", None)
            return
    elif not own:
        payload["Entrypoint"] = [""]  # an engine reads this as "none", and nothing as "the image's"
    payload["Cmd"] = command


def _hostname(payload: dict[str, Any], raw: Json, host_name: str) -> None:
    """The engine's own choice is not kept; nor is that of a container, or a host, whose network is used."""
    mode = str(raw["HostConfig"].get("NetworkMode") or "")
    shared = mode.startswith(_JOINED) or (mode == "host" and payload.get("Hostname") == host_name)
    if shared or payload.get("Hostname") == str(raw["Id"])[:_SHORT]:
        payload.pop("Hostname", None)
    if shared:
        payload.pop("Domainname", None)
    if mode.startswith(_JOINED):
        payload.pop("MacAddress", None)


def _healthcheck(payload: dict[str, Any], image: Json) -> None:
    """Field by field, as the engine puts the two together."""
    own, brought = payload.get("Healthcheck") or {}, image.get("Healthcheck") or {}
    payload["Healthcheck"] = {key: value for key, value in own.items() if brought.get(key) != value}


def _anonymous(raw: Json) -> Iterator[str]:
    """Volumes without a name, by the name the engine gave them: they hold what the service wrote."""
    declared = set(raw["Config"].get("Volumes") or ())
    bound = {_destination(str(text)) for text in raw["HostConfig"].get("Binds") or ()}
    mounted = {str(one.get("Target")) for one in raw["HostConfig"].get("Mounts") or ()}
    for mount in raw.get("Mounts") or ():
        place = str(mount.get("Destination"))
        if mount.get("Type") == "volume" and mount.get("Name") and place in declared - bound - mounted:
            yield f"{mount['Name']}:{place}{'' if mount.get('RW', True) else ':ro'}"


def _name_anonymous_mounts(host: dict[str, Any], raw: Json) -> None:
    found = {str(one.get("Destination")): str(one.get("Name") or "") for one in raw.get("Mounts") or ()}
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and not mount.get("Source") and found.get(str(mount.get("Target"))):
            mount["Source"] = found[str(mount["Target"])]


def _destination(bind: str) -> str:
    """Where `source:destination[:mode]` is mounted."""
    parts = bind.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def endpoints(raw: Json) -> dict[str, dict[str, Any]]:
    """The networks a user made; addresses only where somebody set them, aliases without the engine's own."""
    mode = str(raw["HostConfig"].get("NetworkMode") or "")
    on = {name: one or {} for name, one in (raw["NetworkSettings"].get("Networks") or {}).items() if is_shareable(name)}
    made = {}
    for name in sorted(on, key=lambda name: name != mode):
        one = on[name]
        aliases = [alias for alias in one.get("Aliases") or () if alias != str(raw["Id"])[:_SHORT]]
        asked = {key: one[key] for key in ("Links", "DriverOpts", "GwPriority") if one.get(key)}
        address = {key: value for key, value in (one.get("IPAMConfig") or {}).items() if value}
        made[name] = {"Aliases": aliases, **asked, **({"IPAMConfig": address} if address else {})}
    return made


def overlaid(body: Body, *, before: ContainerSpec | None, now: ContainerSpec) -> Body:
    """`body` as it shall be by the declaration `now`, after one that was `before`."""
    payload = copy.deepcopy(body.payload)
    host = payload["HostConfig"]
    parts = create_payload(now)
    _keyed(payload, before, now)
    _ports(payload, before, parts)
    _volumes(host, before, now, parts)
    for key, value, was in (
        ("Cmd", parts.get("Cmd"), before.command if before else ()),
        ("User", parts.get("User"), before.user if before else ""),
        ("Healthcheck", parts.get("Healthcheck"), before.health.command if before else ()),
    ):
        if value:
            payload[key] = value
        elif was:
            payload.pop(key, None)
    if now.stop_grace_s != (before.stop_grace_s if before else DEFAULT_GRACE_S):
        payload["StopTimeout"] = now.stop_grace_s
    host["RestartPolicy"] = parts["HostConfig"]["RestartPolicy"]
    _limits(host, before, now, parts["HostConfig"])
    return Body(payload=payload, endpoints=_networks(host, body.endpoints, before, now))


def _keyed(payload: dict[str, Any], before: ContainerSpec | None, now: ContainerSpec) -> None:
    """Variables and labels, each by its name."""
    variables = dict(text.partition("=")[::2] for text in payload.get("Env") or () if "=" in text)
    unset = [text for text in payload.get("Env") or () if "=" not in text]
    was = (before.environment, before.labels) if before else ({}, {})
    payload["Env"] = [f"{name}={text}" for name, text in _laid(variables, was[0], now.environment).items()] + unset
    payload["Labels"] = _laid(payload.get("Labels") or {}, was[1], now.labels)


def _laid(there: Mapping[str, Any], before: Iterable[str], now: Mapping[str, Any]) -> dict[str, Any]:
    gone = set(before) - set(now)
    return {**{key: value for key, value in there.items() if key not in gone}, **now}


def _ports(payload: dict[str, Any], before: ContainerSpec | None, parts: Json) -> None:
    host = payload["HostConfig"]
    was = {f"{port.container_port}/{port.protocol}" for port in before.ports} if before else set()
    there, declared = host.get("PortBindings") or {}, parts["HostConfig"]["PortBindings"]
    # One that is published may be published without being exposed besides.
    exposed: dict[str, Any] = {key: {} for key in parts["ExposedPorts"] if key not in there}
    gone = was - set(declared)
    host["PortBindings"] = _laid(there, gone, declared)
    payload["ExposedPorts"] = _laid(payload.get("ExposedPorts") or {}, gone, exposed)


def _volumes(host: dict[str, Any], before: ContainerSpec | None, now: ContainerSpec, parts: Json) -> None:
    ruled = {volume.target for spec in (before, now) if spec for volume in spec.volumes}
    binds = [text for text in host.get("Binds") or () if _destination(str(text)) not in ruled]
    host["Binds"] = [*binds, *parts["HostConfig"]["Binds"]]
    if host.get("Mounts"):
        host["Mounts"] = [mount for mount in host["Mounts"] if mount.get("Target") not in ruled]


def _limits(host: dict[str, Any], before: ContainerSpec | None, now: ContainerSpec, declared: Json) -> None:
    for key, value, was in (
        ("Memory", now.memory_mb, before.memory_mb if before else None),
        ("NanoCpus", now.cpus, before.cpus if before else None),
    ):
        if value is None and was is None:
            continue
        old = host.get(key) or 0
        host[key] = declared[key] if value is not None else 0
        if key == "Memory" and old != host[key] and host.get("MemorySwap") == 2 * old:
            host["MemorySwap"] = 0  # the engine had worked it out of the limit, and does so again


def _networks(
    host: dict[str, Any], there: Json, before: ContainerSpec | None, now: ContainerSpec
) -> dict[str, dict[str, Any]]:
    gone = set(before.networks if before else ()) - set(now.networks)
    lost = set(before.aliases if before else ()) - set(now.aliases)
    made = {}
    for name in [*there, *(name for name in now.networks if is_shareable(name) and name not in there)]:
        if name in gone:
            continue
        one = dict(there.get(name) or {"Aliases": []})
        own = now.aliases if name in now.networks else ()
        one["Aliases"] = list(dict.fromkeys([a for a in one["Aliases"] if a not in lost] + list(own)))
        made[name] = one
    mode = str(host.get("NetworkMode") or "")
    if now.networks and (mode in gone or mode in {"", "default"} or (before and before.networks != now.networks)):
        host["NetworkMode"] = now.networks[0]
    elif mode in gone:
        host["NetworkMode"] = next(iter(made), "default")
    return dict(sorted(made.items(), key=lambda item: item[0] != host.get("NetworkMode")))


def without_aliases(body: Body) -> Body:
    """The same, not yet found under any name of the service."""
    return Body(payload=body.payload, endpoints={name: {**one, "Aliases": []} for name, one in body.endpoints.items()})


def only_one_can_have(body: Body) -> str:
    """What the container has that a second one beside it could not, in words; empty when there is nothing."""
    host = body.payload["HostConfig"]
    for key, bindings in (host.get("PortBindings") or {}).items():
        for binding in bindings or ():
            if re.fullmatch(r"[1-9][0-9]*", str(binding.get("HostPort") or "")):
                return f"it publishes {key} on the fixed host port {binding['HostPort']}"
    mode = str(host.get("NetworkMode") or "")
    if mode == "host" or mode.startswith(_JOINED):
        return f"it uses the network '{mode}', which the two would share"
    for name, one in body.endpoints.items():
        if one.get("IPAMConfig"):
            return f"it has an address of its own on network '{name}'"
    if body.payload.get("MacAddress"):
        return "it has a MAC address of its own"
    return "it has a device of its own" if host.get("Devices") else ""


def own_ulimits(asked: Sequence[Json], defaults: Sequence[Json]) -> list[Json]:
    """The limits that the engine would not set by itself."""
    return [one for one in asked if one not in defaults]
