"""The specification of a service as a manager keeps it, made out of ours: names, labels, and what an update lays over. Pure.

Rules: everything made carries the labels, so that whoever comes after a crash knows what it is. What was there before an
update is kept in a label of the service itself until the commit.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from releaser.domain.spec import HealthSpec, SwarmSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.container import Label, Made

Json = Mapping[str, Any]
BEFORE: Final = "releaser.before"
"""The label that holds what a roll-back goes back to."""

EMPTY: Final[tuple[object, ...]] = (None, "", 0, False, [], {})
_OURS: Final = frozenset({*(label.value for label in Label), BEFORE})
_SECOND_NS: Final = 1_000_000_000
_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the service was like before an attempt touched it; `spec` is None where there was none."""

    rollout: int
    attempt: int
    spec: Json | None

    def to_label(self) -> str:
        """As the label's text."""
        return json.dumps({"rollout": self.rollout, "attempt": self.attempt, "spec": self.spec}, sort_keys=True)

    @classmethod
    def from_label(cls, text: str | None) -> Before | None:
        """Back from the label's text; nothing if there is none or it was tampered with."""
        try:
            data = json.loads(text or "")
            spec = data["spec"]
            if spec is not None and not isinstance(spec["TaskTemplate"]["ContainerSpec"], dict):
                return None
            return cls(rollout=int(data["rollout"]), attempt=int(data["attempt"]), spec=spec)
        except (ValueError, KeyError, TypeError):
            return None


def users_labels(spec: Json) -> dict[str, str]:
    """The labels of a service that are not ours."""
    return {key: value for key, value in (spec.get("Labels") or {}).items() if key not in _OURS}


def with_labels(spec: Json, **ours: str | None) -> dict[str, Any]:
    """The same specification with these labels of ours set, or taken away where None. Names as in `Label`, or BEFORE."""
    changed = copy.deepcopy(dict(spec))
    labels = dict(changed.get("Labels") or {})
    for name, value in ours.items():
        key = BEFORE if name == "BEFORE" else Label[name].value
        labels.pop(key, None)
        if value is not None:
            labels[key] = value
    changed["Labels"] = labels
    return changed


def labels(assignment: Assignment, desired: Desired, *, made: Made, before: Before | None) -> dict[str, str]:
    """Ours for a service that runs `desired`."""
    ours = {
        Label.TARGET.value: assignment.target,
        Label.ROLLOUT.value: str(assignment.rollout),
        Label.ATTEMPT.value: str(assignment.attempt),
        Label.GENERATION.value: str(assignment.generation),
        Label.ROLE.value: made.value,
        Label.VERSION.value: desired.version,
        Label.DIGEST.value: desired.digest,
        Label.CONFIG.value: config_hash(desired.spec),
    }
    return ours | ({BEFORE: before.to_label()} if before is not None else {})


def payload(
    desired: Desired,
    ours: Mapping[str, str],
    *,
    networks: Mapping[str, str],
    base: Json | None,
    declared_before: SwarmSpec | None,
) -> dict[str, Any]:
    """What is posted to run `desired`. With `keep_undeclared` everything else stays as `base` has it.

    `declared_before` tells which variables, labels and networks of `base` came from a declaration, and go with it.
    `networks` are the ids of all that are declared, by name.
    """
    spec = of_kind(desired.spec, SwarmSpec)
    kept = base if spec.keep_undeclared and base is not None else None
    made = copy.deepcopy(dict(kept)) if kept is not None else {}
    task: dict[str, Any] = made.setdefault("TaskTemplate", {})
    container: dict[str, Any] = task.setdefault("ContainerSpec", {})
    made["Name"] = spec.name
    left = _left(users_labels(made), declared_before.labels if declared_before else {})
    made["Labels"] = {**left, **spec.labels, **ours}
    _container(container, desired, spec, declared_before)
    task["Networks"] = _networks(task, spec, declared_before, networks)
    _task(task, spec, kept=kept is not None)
    made["Mode"] = {"Replicated": {"Replicas": spec.replicas}}
    made["UpdateConfig"] = update_config(spec)
    made["RollbackConfig"] = update_config(spec)
    if kept is None or spec.ports:
        made["EndpointSpec"] = {"Mode": spec.endpoint_mode.value, "Ports": _ports(spec)}
    return made


def _networks(task: Json, spec: SwarmSpec, before: SwarmSpec | None, ids: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Those that are kept, as they are, without those of the declaration before; then those that are declared."""
    wanted = [ids.get(name, name) for name in spec.networks]
    gone = {ids.get(name, name) for name in (before.networks if before else ())} - set(wanted)
    there = {str(one["Target"]): one for one in task.get("Networks") or () if one["Target"] not in gone}
    return [*there.values(), *({"Target": one} for one in wanted if one not in there)]


def update_config(spec: SwarmSpec) -> dict[str, Any]:
    """How swarm replaces the tasks: it pauses where too many fail, and what happens then is ours to say."""
    return {
        "Parallelism": spec.parallel,
        "Delay": int(spec.delay_s * _SECOND_NS),
        "FailureAction": "pause",
        "Monitor": int(spec.monitor_s * _SECOND_NS),
        "MaxFailureRatio": spec.max_failure_ratio,
        "Order": spec.order.value,
    }


def _container(made: dict[str, Any], desired: Desired, spec: SwarmSpec, before: SwarmSpec | None) -> None:
    made["Image"] = desired.reference
    env = dict(str(one).partition("=")[::2] for one in made.get("Env") or ())
    env = {**_left(env, before.environment if before else {}), **spec.environment}
    made["Env"] = [f"{key}={value}" for key, value in env.items()]
    made["StopGracePeriod"] = spec.stop_grace_s * _SECOND_NS
    targets = {volume.target for volume in (*spec.volumes, *(before.volumes if before else ()))}
    made["Mounts"] = [one for one in made.get("Mounts") or () if one.get("Target") not in targets] + _mounts(spec)
    if spec.command:
        made["Args"] = list(spec.command)
    elif before is not None and before.command:
        made.pop("Args", None)
    if spec.user:
        made["User"] = spec.user
    if spec.health.command:
        made["Healthcheck"] = healthcheck(spec.health)
    elif before is not None and before.health.command:
        made.pop("Healthcheck", None)


def _task(made: dict[str, Any], spec: SwarmSpec, *, kept: bool) -> None:
    if spec.constraints or not kept:
        made["Placement"] = {**(made.get("Placement") or {}), "Constraints": list(spec.constraints)}
    limits = dict((made.get("Resources") or {}).get("Limits") or {})
    if spec.memory_mb is not None:
        limits["MemoryBytes"] = spec.memory_mb * _MB
    if spec.cpus is not None:
        limits["NanoCPUs"] = int(spec.cpus * _SECOND_NS)
    made["Resources"] = {**(made.get("Resources") or {}), "Limits": limits}
    made.setdefault("RestartPolicy", {"Condition": "any", "Delay": 5 * _SECOND_NS, "MaxAttempts": 0})


def _mounts(spec: SwarmSpec) -> list[dict[str, Any]]:
    return [
        {
            "Type": "bind" if volume.source.startswith("/") else "volume",
            "Source": volume.source,
            "Target": volume.target,
            "ReadOnly": volume.read_only,
        }
        for volume in spec.volumes
    ]


def _ports(spec: SwarmSpec) -> list[dict[str, Any]]:
    """Behind a proxy the ports are the proxy's."""
    return [
        {
            "Protocol": port.protocol,
            "TargetPort": port.target,
            "PublishedPort": port.published,
            "PublishMode": port.mode.value,
        }
        for port in (spec.ports if spec.proxy is None else ())
    ]


def healthcheck(health: HealthSpec) -> dict[str, Any]:
    """Swarm calls a task running only when this passes; a failure before the deadline means "still starting"."""
    return {
        "Test": ["CMD", *health.command],
        "Interval": int(health.interval_s * _SECOND_NS),
        "Timeout": int(health.timeout_s * _SECOND_NS),
        "Retries": 3,
        "StartPeriod": int(health.deadline_s * _SECOND_NS),
    }


def _left(found: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """What is there without what a declaration had put there."""
    return {key: value for key, value in found.items() if key not in declared}


def is_as_told(found: Json, wanted: Desired) -> bool:
    """Whether a service that says it is `wanted` still is: everything that is declared stands there as it was told.

    Networks are left out, of which only the ids are known here; what is not declared is the business of drift.
    """
    spec = of_kind(wanted.spec, SwarmSpec)
    told = payload(wanted, {}, networks={}, base=found, declared_before=spec)
    return _compared(told) == _compared(found)


def _compared(spec: Json) -> list[object]:
    """The parts of a specification that a declaration makes, without what managers write out or leave out as they like."""
    task = spec.get("TaskTemplate") or {}
    container, endpoint = task.get("ContainerSpec") or {}, spec.get("EndpointSpec") or {}
    parts = [container.get(key) for key in ("Image", "Env", "StopGracePeriod", "Mounts", "Args", "User", "Healthcheck")]
    parts += [(task.get("Resources") or {}).get("Limits"), (task.get("Placement") or {}).get("Constraints")]
    parts += [spec.get("Mode"), endpoint.get("Mode"), endpoint.get("Ports")]
    return [without_empty(part) for part in parts]


def without_empty(value: object) -> object:
    """Managers write out empty parts or leave them out, depending on who made the last change."""
    if isinstance(value, Mapping):
        return {key: plain for key, one in value.items() if (plain := without_empty(one)) not in EMPTY}
    plain = [without_empty(one) for one in value] if isinstance(value, list) else value
    return None if plain in EMPTY else plain
