"""What a container is to be made from: the declaration alone, or laid over what the one before it is.

Asks the engine for what `keeping` has to know: the image of the old one, names of other containers, the host's own name.

What does not live here: telling apart what somebody set (`keeping`), and the steps (`work`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from releaser.domain.spec import ContainerSpec
from releaser.errors import RefusedError
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Body, Label, declared_body
from releaser.targets.docker.keeping import joined, kept, only_one_can_have, overlaid, own_ulimits, without_aliases
from releaser.targets.docker.scene import Found
from releaser.targets.target import InconsistentError

ALL_NETWORKS_SINCE: Final = (1, 44)
_TOLD_APART_UNTIL: Final = "1.43"
_UNFINISHED: Final = "unfinished"


def clone(engine: Engine, found: Found) -> Body:
    """What the container was asked to be. An image that is gone brings nothing: then its defaults count as set."""
    raw = found.raw
    image = engine.image(str(raw["Image"])) or {}
    host_name = str(engine.info().get("Name", "")) if raw["HostConfig"].get("NetworkMode") == "host" else ""
    return kept(
        raw, image.get("Config") or {}, names=_names(engine, raw), host_name=host_name, mac=_own_mac(engine, found)
    )


def _names(engine: Engine, raw: Mapping[str, Any]) -> dict[str, str]:
    """Id -> name of the containers this one refers to."""
    found = {other: engine.container(other) for other in joined(raw)}
    return {other: str(one["Name"]).removeprefix("/") for other, one in found.items() if one is not None}


def _own_mac(engine: Engine, found: Found) -> str:
    """Newer engines mix the MAC that somebody set with the one they made up, and tell them apart only to older clients."""
    if engine.api_version() < ALL_NETWORKS_SINCE or not engine.speaks(_TOLD_APART_UNTIL):
        return ""
    raw = engine.container(found.id, api_version=_TOLD_APART_UNTIL) or {}
    return str((raw.get("Config") or {}).get("MacAddress") or "")


def body(
    engine: Engine, spec: ContainerSpec, *, source: Found | None, before: ContainerSpec | None, aliases: tuple[str, ...]
) -> Body:
    """What is to be created for `spec`; `source` is what its undeclared settings are kept from, where they are.

    `before` is the declaration that `source` was made by. Raises `InconsistentError` when there is nothing to keep from.
    """
    if not spec.keep_undeclared:
        return declared_body(spec, aliases=aliases)
    if source is None:
        raise InconsistentError(
            f"Container {spec.name} is gone, and parts of its configuration were kept in it only.",
            permanent=True,
            advice="Start it by hand as it was, or declare all of it with keep_undeclared: false.",
            container=spec.name,
        )
    return overlaid(clone(engine, source), before=before, now=spec)


def beside(found: Body, *, name: str) -> Body:
    """For one that stands beside the old one until it is healthy. Raises `RefusedError` when two cannot be."""
    if reason := only_one_can_have(found):
        raise RefusedError(
            f"Target '{name}' cannot be updated start-first: {reason}.",
            rule="start-first-needs-two",
            advice="Use order 'stop-first'.",
            field="order",
        )
    return without_aliases(found)


def create(engine: Engine, name: str, made: Body) -> str:
    """Create the container; its id. Limits that the engine sets by itself are left to it, so that they move with it."""
    request = made.request(all_networks=engine.api_version() >= ALL_NETWORKS_SINCE)
    asked = request["HostConfig"].get("Ulimits")
    if not asked:
        return engine.create(name, request)
    # Only a container made without any tells what the engine sets by itself; marked, so that nobody takes it for whole.
    probe = {
        **request,
        "Labels": {**request["Labels"], Label.CONFIG.value: _UNFINISHED},
        "HostConfig": {**request["HostConfig"], "Ulimits": None},
    }
    probe_id = engine.create(name, probe)
    raw = engine.container(probe_id) or {}
    engine.remove(probe_id, volumes=True)
    defaults = (raw.get("HostConfig") or {}).get("Ulimits") or []
    request["HostConfig"] = {**request["HostConfig"], "Ulimits": own_ulimits(asked, defaults)}
    return engine.create(name, request)
