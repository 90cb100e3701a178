"""What can be declared of a container that runs, and what of it cannot and is kept by being copied.

Secrets are never declared: they stay where they are, and nobody is shown them. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from releaser.domain.adoption import Kept
from releaser.domain.spec import ContainerSpec, HealthSpec, PortBinding, Volume
from releaser.targets.docker.container import Body, create_payload, is_shareable
from releaser.targets.docker.keeping import DEFAULT_GRACE_S
from releaser.targets.docker.looking import EMPTY

Json = Mapping[str, Any]

HIDDEN: Final = "(a secret: stays on its host)"
_SECRET_NAME: Final = re.compile(
    r"pass|pwd|secret|token|credential|private|auth|salt|signature|api.?key|access.?key|(?:^|_)key$|dsn", re.IGNORECASE
)
_SECRET_VALUE: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN|^\$(?:2[aby]|5|6|argon2\w*)\$|^[\w.+/=-]{40,}$")
_COMPOSE: Final = "com.docker.compose."
_MB: Final = 2**20
_SECOND_NS: Final = 1_000_000_000
_TOLD: Final = 20
_CONTAINER: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_BIND: Final = re.compile(r"(?P<source>[^:]+):(?P<target>/[^:]*)(?::(?P<mode>ro|rw))?")
_VARIABLE: Final = re.compile(r"[^=\x00\s]+")
# What engines fill in for everybody, by themselves.
_USUAL: Final[Mapping[str, tuple[object, ...]]] = {
    "CgroupnsMode": ("host", "private"),
    "IpcMode": ("private", "shareable"),
    "NetworkMode": ("default", "bridge"),
    "Runtime": ("runc",),
    "ShmSize": (64 * _MB,),
    "LogConfig": ({"Type": "json-file", "Config": {}},),
}
_FOR_EVERYBODY: Final = frozenset({"MaskedPaths", "ReadonlyPaths", "RestartPolicy", "StdinOnce"})
_GIVEN_ONE_BY_ONE: Final = frozenset({"Env", "Labels", "HostConfig", "Binds", "PortBindings", "ExposedPorts", "Mounts"})


def declared(raw: Json, body: Body) -> ContainerSpec:
    """The specification that says of the container as much as one can; what it leaves out is kept."""
    host, payload = body.payload["HostConfig"], body.payload
    memory, cpus = int(host.get("Memory") or 0), int(host.get("NanoCpus") or 0)
    networks, aliases = _networks(body)
    return ContainerSpec(
        name=str(raw["Name"]).removeprefix("/"),
        networks=networks,
        aliases=aliases,
        ports=tuple(_ports(host)),
        environment=dict(_environment(payload)),
        volumes=tuple(_volumes(host)),
        labels={
            name: text
            for name, text in (payload.get("Labels") or {}).items()
            if not name.startswith(_COMPOSE) and not is_secret(name, text)
        },
        command=_command(payload),
        user=str(payload.get("User") or ""),
        restart=_restart(host),
        memory_mb=memory // _MB if memory and memory % _MB == 0 else None,
        cpus=cpus / _SECOND_NS if cpus and int(cpus / _SECOND_NS * _SECOND_NS) == cpus else None,
        stop_grace_s=int(payload.get("StopTimeout", DEFAULT_GRACE_S)),
        health=_health(raw),
        keep_undeclared=True,
    )


def is_secret(name: str, value: str) -> bool:
    """Whether a value looks like one that is nobody's business; when in doubt it does."""
    return _SECRET_NAME.search(name) is not None or _SECRET_VALUE.search(value) is not None


def _networks(body: Body) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Networks with one set of aliases for all; with different ones, only the networks can be declared."""
    mode = str(body.payload["HostConfig"].get("NetworkMode") or "")
    names = tuple(name for name in body.endpoints if _CONTAINER.fullmatch(name))
    if not names:
        return (mode,) if mode in {"host", "none"} else (), ()
    if mode not in names and is_shareable(mode):
        return (), ()
    sets = {frozenset(one.get("Aliases") or ()) for one in body.endpoints.values()}
    first = body.endpoints[names[0]].get("Aliases") or ()
    return names, tuple(first) if len(sets) == 1 else ()


def _ports(host: Json) -> Iterator[PortBinding]:
    for key, bindings in (host.get("PortBindings") or {}).items():
        number, _, protocol = key.partition("/")
        texts = [str(one.get("HostPort") or "0") for one in bindings or ()]
        if number.isdecimal() and all(text.isdecimal() for text in texts):
            for text, one in zip(texts, bindings, strict=True):
                yield PortBinding(
                    container_port=int(number),
                    host_port=int(text),
                    host_ip=str(one.get("HostIp") or ""),
                    protocol=protocol or "tcp",
                )


def _environment(payload: Json) -> Iterator[tuple[str, str]]:
    for text in payload.get("Env") or ():
        name, equals, value = str(text).partition("=")
        if equals and _VARIABLE.fullmatch(name) and not is_secret(name, value):
            yield name, value


def _volumes(host: Json) -> Iterator[Volume]:
    for text in host.get("Binds") or ():
        found = _BIND.fullmatch(str(text))
        # A volume without a name is re-bound by what the engine called it, which is nothing to declare.
        if found and found["mode"] != "rw" and not re.fullmatch(r"[0-9a-f]{64}", found["source"]):
            yield Volume(source=found["source"], target=found["target"], read_only=found["mode"] == "ro")


def _command(payload: Json) -> tuple[str, ...]:
    command = tuple(map(str, payload.get("Cmd") or ()))
    return () if any(is_secret(word, word) for word in command) else command


def _restart(host: Json) -> str:
    policy = host.get("RestartPolicy") or {}
    name, count = policy.get("Name") or "no", int(policy.get("MaximumRetryCount") or 0)
    return f"{name}:{count}" if name == "on-failure" and count else str(name)


def _health(raw: Json) -> HealthSpec:
    """The check itself is kept; the gate has to wait as long as the check may take."""
    check = raw["Config"].get("Healthcheck") or {}
    if not check.get("Test") or check["Test"] == ["NONE"]:
        return HealthSpec()
    interval, timeout = check.get("Interval") or 30 * _SECOND_NS, check.get("Timeout") or 30 * _SECOND_NS
    retries, start = int(check.get("Retries") or 3), int(check.get("StartPeriod") or 0)
    longest = (start + (interval + timeout) * retries) / _SECOND_NS
    return HealthSpec(deadline_s=float(min(86_400, max(HealthSpec().deadline_s, longest))))


def undeclared(body: Body, spec: ContainerSpec) -> tuple[Kept, ...]:
    """What the specification does not say of the container, in the engine's words."""
    return tuple(sorted(_undeclared(body, spec), key=lambda one: one.name))


def in_words(body: Body, spec: ContainerSpec) -> str:
    """The names of what is kept besides the declaration, for the journal; never a value."""
    names = list(dict.fromkeys(one.name for one in undeclared(body, spec)))
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"; kept besides what is declared: {', '.join(names[:_TOLD])}{more}" if names else ""


def _undeclared(body: Body, spec: ContainerSpec) -> Iterator[Kept]:
    said = create_payload(spec)
    payload, host = body.payload, body.payload["HostConfig"]
    for text in payload.get("Env") or ():
        name, _, value = str(text).partition("=")
        if name not in spec.environment:
            yield Kept(name=f"environment {name}", value=HIDDEN if is_secret(name, value) else value)
    labels = [name for name in payload.get("Labels") or {} if name not in spec.labels]
    yield from (Kept(name=f"label {name}", value=HIDDEN) for name in labels if not name.startswith(_COMPOSE))
    if compose := sum(name.startswith(_COMPOSE) for name in labels):
        yield Kept(name=f"labels {_COMPOSE}*", value=str(compose))
    for bind in host.get("Binds") or ():
        if bind not in said["HostConfig"]["Binds"]:
            yield Kept(name="Binds", value=str(bind))
    for mount in host.get("Mounts") or ():
        yield Kept(name="Mounts", value=f"{mount.get('Type')} {mount.get('Source') or ''}:{mount.get('Target')}")
    for kind, there, told in (
        ("PortBindings", host.get("PortBindings"), said["HostConfig"]["PortBindings"]),
        ("ExposedPorts", payload.get("ExposedPorts"), said["ExposedPorts"]),
    ):
        yield from (Kept(name=kind, value=key) for key in there or {} if key not in told)
    yield from _plain(payload, said)
    yield from _plain(host, said["HostConfig"])
    yield from _of_networks(body, spec)


def _plain(there: Json, said: Json) -> Iterator[Kept]:
    for name, value in there.items():
        usual = value in EMPTY or value in _USUAL.get(name, ()) or name in _FOR_EVERYBODY
        if usual or name in _GIVEN_ONE_BY_ONE or said.get(name) == value:
            continue
        if name == "MemorySwap" and value == 2 * int(there.get("Memory") or 0):
            continue
        if name.startswith("Attach"):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        # A word of a command or an option may name a secret as well as be one.
        yield Kept(name=name, value=HIDDEN if is_secret(text, text) else text)


def _of_networks(body: Body, spec: ContainerSpec) -> Iterator[Kept]:
    for name, one in body.endpoints.items():
        told = set(spec.aliases) if name in spec.networks else set()
        rest = [alias for alias in one.get("Aliases") or () if alias not in told]
        more = [json.dumps(value) for key, value in one.items() if key != "Aliases" and value]
        if name not in spec.networks or rest or more:
            yield Kept(name=f"network {name}", value="; ".join([", ".join(rest), *more]).strip("; ") or "joined")
