"""Every setting of a container by its name, to tell later what was changed by hand.

Values that may be secret are given as a digest: they can be compared, and cannot be read. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from releaser.domain.drift import MADE_BY, SECRET, SOMEBODY, US
from releaser.targets.docker.container import Label, is_shareable
from releaser.targets.docker.keeping import endpoints

Json = Mapping[str, Any]

_OURS: Final = frozenset(label.value for label in Label)
_READABLE: Final = frozenset(
    {
        "AutoRemove", "Binds", "BlkioWeight", "CapAdd", "CapDrop", "CgroupParent", "CpuPeriod", "CpuQuota", "CpuShares",
        "CpusetCpus", "CpusetMems", "Devices", "Dns", "DnsSearch", "ExtraHosts", "GroupAdd", "Init", "IpcMode", "Memory",
        "MemoryReservation", "MemorySwap", "NanoCpus", "NetworkMode", "OomScoreAdj", "PidMode", "PidsLimit",
        "PortBindings", "Privileged", "PublishAllPorts", "ReadonlyRootfs", "RestartPolicy", "Runtime", "ShmSize",
        "Sysctls", "Tmpfs", "Ulimits", "UsernsMode", "VolumesFrom",
        "Domainname", "Hostname", "StopSignal", "StopTimeout", "User", "WorkingDir", "ExposedPorts", "Volumes",
    }
)  # fmt: skip
_NOT_SETTINGS: Final = frozenset({"Image", "Env", "Labels", "Hostname", "HostConfig", "NetworkingConfig"})
_LONGEST: Final = 200
_AN_ID: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
EMPTY: Final[tuple[object, ...]] = (None, "", 0, False, [], {}, [0, 0], -1)


def settings(raw: Json) -> dict[str, str]:
    """Name -> value; what is empty is left out."""
    config, host = raw["Config"], raw["HostConfig"]
    found = dict(_fields(config, leave=_NOT_SETTINGS))
    found.update(_fields(host, leave=frozenset({"ContainerIDFile"})))
    if (hostname := config.get("Hostname")) and hostname != str(raw["Id"])[:12]:
        found["Hostname"] = str(hostname)
    for text in config.get("Env") or ():
        name, _, value = str(text).partition("=")
        found[f"variable {name}"] = secret(value)
    for name, value in (config.get("Labels") or {}).items():
        if name not in _OURS:
            found[f"label {name}"] = secret(str(value))
    for name, endpoint in endpoints(raw).items():
        found[f"network {name}"] = _endpoint(endpoint)
    joined = [name for name in raw["NetworkSettings"].get("Networks") or {} if not is_shareable(name)]
    found.update({f"network {name}": "joined" for name in joined})
    found[MADE_BY] = US if (config.get("Labels") or {}).get(Label.TARGET) else SOMEBODY
    return found


def _fields(values: Json, *, leave: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name in leave or value in EMPTY:
            continue
        # Another container that is made anew is another id, but no change here.
        text = _AN_ID.sub("another", json.dumps(value, sort_keys=True))
        if name not in _READABLE:
            text = secret(text)
        yield name, text if len(text) <= _LONGEST else secret(text)


def _endpoint(endpoint: Json) -> str:
    address = ", ".join(str(value) for value in (endpoint.get("IPAMConfig") or {}).values())
    aliases = ", ".join(sorted(endpoint.get("Aliases") or ()))
    return "; ".join(part for part in ("joined", aliases and f"as {aliases}", address) if part)


def secret(value: str) -> str:
    """A digest of the value; so short that it tells two apart, but does not tell whether a guess is right."""
    return SECRET + hashlib.sha256(value.encode()).hexdigest()[:4]
