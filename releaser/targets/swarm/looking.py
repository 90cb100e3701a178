"""Every setting of a service by its name, to tell later what was changed by hand. Pure.

Values that may be secret are given as a digest: they can be compared, and cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from releaser.domain.drift import MADE_BY, SOMEBODY, US
from releaser.targets.docker.container import Label
from releaser.targets.docker.looking import secret
from releaser.targets.swarm.payload import EMPTY, users_labels, without_empty

Json = Mapping[str, Any]

_LONGEST: Final = 200
# How an update goes is declared, but is no part of what runs; the image has its own place.
_LEFT: Final = frozenset({"Name", "Labels", "UpdateConfig", "RollbackConfig"})
_NO_SETTINGS: Final = frozenset({"Image", "Env", "Labels", "Isolation"})
_HIDDEN: Final = frozenset({"Args", "Command", "Healthcheck"})


def settings(spec: Json) -> dict[str, str]:
    """Name -> value; what is empty is left out."""
    found = dict(_fields(spec, leave=_LEFT | {"TaskTemplate"}))
    task = spec.get("TaskTemplate") or {}
    found.update(_fields(task, leave=frozenset({"ContainerSpec", "Runtime"})))
    container = task.get("ContainerSpec") or {}
    found.update(_fields(container, leave=_NO_SETTINGS))
    for text in container.get("Env") or ():
        name, _, value = str(text).partition("=")
        found[f"variable {name}"] = secret(value)
    for name, value in users_labels(spec).items():
        found[f"label {name}"] = secret(value)
    found[MADE_BY] = US if Label.CONFIG.value in (spec.get("Labels") or {}) else SOMEBODY
    return found


def _fields(values: Json, *, leave: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        plain = without_empty(value)
        if name in leave or plain in EMPTY:
            continue
        text = json.dumps(plain, sort_keys=True)
        yield name, secret(text) if name in _HIDDEN or len(text) > _LONGEST else text
