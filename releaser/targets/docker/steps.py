"""Which steps an update of a container has, in which order, and what each is expected to stop. Pure.

The names are shown to people and kept in journals: they stay as they are. How a step is done is in `work`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from releaser.domain.spec import ContainerSpec, Cutover, Order, of_kind
from releaser.domain.target import Desired, Observation, Phase, Step, Stop
from releaser.errors import InvalidError, RefusedError
from releaser.targets.docker.container import is_shareable, shareable_networks
from releaser.targets.docker.cutover import DEFAULT, same_fixed_port

MOMENT = timedelta(milliseconds=50)
_START = timedelta(seconds=1)
_SWAPPED = timedelta(milliseconds=500)


class StepName(StrEnum):
    """Every step this driver knows."""

    PULL = "pull"
    CREATE = "create"
    DISABLE_RESTART = "disable-restart"
    STOP_OLD = "stop-old"
    RENAME_OLD = "rename-old"
    RENAME_NEW = "rename-new"
    START_NEW = "start-new"
    ATTACH_ALIAS = "attach-alias"
    DETACH_OLD = "detach-old"
    REMOVE_OLD = "remove-old"
    RESTORE_OLD = "restore-old"
    START_OLD = "start-old"
    ATTACH_OLD = "attach-old"
    STOP_NEW = "stop-new"
    RENAME_BACK = "rename-back"
    REMOVE_NEW = "remove-new"
    HAND_OVER = "hand-over"
    SWAP_IN = "swap-in"
    SWAP_BACK = "swap-back"
    FRONT_CHECK = "front-check"
    FRONT_CREATE = "front-create"
    FRONT_START = "front-start"
    FRONT_STOP = "front-stop"
    FRONT_PUT = "front-put"
    FRONT_DRAIN = "front-drain"
    FRONT_BACK = "front-back"


FRONT_STEPS: Final = frozenset(
    {StepName.FRONT_CHECK, StepName.FRONT_CREATE, StepName.FRONT_START, StepName.FRONT_STOP},
)
"""The steps that are about a front as a whole."""


def plan(*, desired: Desired, previous: Desired | None, observed: Observation | None) -> tuple[Step, ...]:
    """Prepare, cut over, commit. Raises `InvalidError` or `RefusedError` where the specification does not allow it."""
    spec = of_kind(desired.spec, ContainerSpec)
    check(spec)
    prepare = (_step(StepName.PULL, Phase.PREPARE), _step(StepName.CREATE, Phase.PREPARE))
    if previous is None and (observed is None or observed.serving is None):
        return (*prepare, _cut(StepName.RENAME_NEW), _cut(StepName.START_NEW, takes=to_start(spec), gate=True))
    grace = timedelta(seconds=max(spec.stop_grace_s, previous.spec.stop_grace_s if previous else 0))
    cut = _cut_over(spec, of_kind(previous.spec, ContainerSpec) if previous else None, grace)
    return (*prepare, *cut, _step(StepName.REMOVE_OLD, Phase.COMMIT, undoable=False))


def plan_back(*, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
    """From any point before the commit back to what was there; each step finds for itself whether there is anything to do."""
    stop = timedelta(seconds=desired.spec.stop_grace_s)
    start = to_start(of_kind((previous or desired).spec, ContainerSpec))
    restore, start_old = StepName.RESTORE_OLD, StepName.START_OLD
    if of_kind(desired.spec, ContainerSpec).cutover is Cutover.NETWORK_SWAP:
        return (
            _back(restore),
            _back(StepName.SWAP_BACK, takes=_SWAPPED, stops=Stop.FULL, gate=True),
            _back(StepName.STOP_NEW, takes=stop),
            _back(StepName.RENAME_BACK),
            _back(StepName.REMOVE_NEW),
        )
    if desired.spec.order is Order.START_FIRST:
        return (
            _back(restore),
            _back(start_old, takes=start, gate=True),
            _back(StepName.ATTACH_OLD),
            _back(StepName.STOP_NEW, takes=stop),
            _back(StepName.RENAME_BACK),
            _back(StepName.REMOVE_NEW),
        )
    return (
        _back(restore),
        _back(StepName.STOP_NEW, takes=stop, stops=Stop.FULL),
        _back(StepName.RENAME_BACK, stops=Stop.FULL),
        _back(start_old, takes=start, stops=Stop.FULL, gate=True),
        _back(StepName.REMOVE_NEW),
    )


def check(spec: ContainerSpec) -> None:
    """Refuse what cannot work, while nothing has been touched."""
    if spec.aliases and not shareable_networks(spec):
        raise InvalidError(
            f"Target '{spec.name}' has aliases, but no network to be found on.",
            advice="Name the network under 'networks', or drop the aliases.",
            field="aliases",
        )
    if len(spec.networks) > 1 and not all(map(is_shareable, spec.networks)):
        raise InvalidError(
            f"Target '{spec.name}' mixes {', '.join(spec.networks)}: a special network has to stand alone.",
            advice="Keep either the special network or the others.",
            field="networks",
        )
    if spec.order is Order.START_FIRST:
        _check_start_first(spec)


def _check_start_first(spec: ContainerSpec) -> None:
    """Two at the same time need what only one can have, or need to be told apart."""
    fixed = [port.host_port for port in spec.ports if port.host_port]
    special = [network for network in spec.networks if not is_shareable(network) and network != "bridge"]
    reason = field = ""
    if fixed:
        reason, field = f"it publishes the fixed host port {fixed[0]}, which only one container can hold", "ports"
    elif special:
        reason, field = f"it uses the network '{special[0]}', which the two would share", "networks"
    elif spec.health.http and "{ip}" not in spec.health.http and "{port}" not in spec.health.http:
        reason, field = "its probe has a fixed address, where the old container would answer for the new one", "health"
    if reason:
        raise RefusedError(
            f"Target '{spec.name}' cannot be updated start-first: {reason}.",
            rule="start-first-needs-two",
            advice="Use order 'stop-first', or host port 0 and a probe with {ip} or {port} behind a proxy.",
            field=field,
            target=spec.name,
        )


def _cut_over(spec: ContainerSpec, before: ContainerSpec | None, grace: timedelta) -> tuple[Step, ...]:
    if spec.order is Order.START_FIRST:
        return _start_first(spec, grace)
    if spec.cutover is Cutover.NETWORK_SWAP:
        return _network_swap(spec, grace)
    port = same_fixed_port(spec, before)
    return _overlapping(spec, grace, port) if port else _stop_first(spec, grace)


def why_forced(spec: ContainerSpec) -> str:
    """Why the old one has to stop before the new one serves; empty where that is only how it is declared."""
    fixed = next((str(port.host_port) for port in spec.ports if port.host_port), "")
    special = next((name for name in spec.networks if not is_shareable(name) and name != DEFAULT), "")
    if fixed:
        return f"only one container can hold the fixed host port {fixed}"
    return f"both would share the network '{special}'" if special else ""


def _stop_first(spec: ContainerSpec, grace: timedelta) -> tuple[Step, ...]:
    full = Stop.FULL
    why = f"stop-first is forced: {forced}" if (forced := why_forced(spec)) else "stop-first is declared"
    return (
        _cut(StepName.DISABLE_RESTART),
        _cut(StepName.STOP_OLD, takes=grace, stops=full, why=why),
        _cut(StepName.RENAME_OLD, stops=full),
        _cut(StepName.RENAME_NEW, stops=full),
        _cut(StepName.START_NEW, takes=to_start(spec), stops=full, gate=True),
    )


def _overlapping(spec: ContainerSpec, grace: timedelta, port: int) -> tuple[Step, ...]:
    """The old one serves until it is told to stop; the new one is started while it stops."""
    why = (
        f"stop-first is forced: only one container can hold the fixed host port {port}; "
        "cutover network-swap stops for about half a second, cutover front for nothing"
    )
    return (
        _cut(StepName.DISABLE_RESTART),
        _cut(StepName.RENAME_OLD),
        _cut(StepName.RENAME_NEW),
        _cut(StepName.HAND_OVER, takes=grace + to_start(spec), stops=Stop.FULL, gate=True, why=why),
    )


def _network_swap(spec: ContainerSpec, grace: timedelta) -> tuple[Step, ...]:
    why = f"the swap takes a moment: {why_forced(spec)}; cutover front stops for nothing"
    return (
        _cut(StepName.START_NEW, takes=to_start(spec), gate=True),
        _cut(StepName.DISABLE_RESTART),
        _cut(StepName.RENAME_OLD),
        _cut(StepName.RENAME_NEW),
        _cut(StepName.SWAP_IN, takes=_SWAPPED, stops=Stop.FULL, gate=True, why=why),
        _cut(StepName.STOP_OLD, takes=grace),
    )


def _start_first(spec: ContainerSpec, grace: timedelta) -> tuple[Step, ...]:
    return (
        _cut(StepName.START_NEW, takes=to_start(spec), gate=True),
        _cut(StepName.ATTACH_ALIAS, gate=True),
        _cut(StepName.DETACH_OLD),
        _cut(StepName.DISABLE_RESTART),
        _cut(StepName.STOP_OLD, takes=grace),
        _cut(StepName.RENAME_OLD),
        _cut(StepName.RENAME_NEW),
    )


def to_start(spec: ContainerSpec) -> timedelta:
    """Start, and the first verdict of the engine's own check if there is one."""
    return _START + timedelta(seconds=spec.health.interval_s if spec.health.command else 0)


def _step(name: StepName, phase: Phase, *, undoable: bool = True) -> Step:
    return Step(name=name.value, phase=phase, estimated_for=MOMENT, undoable=undoable)


def _cut(
    name: StepName, *, takes: timedelta = MOMENT, stops: Stop = Stop.NONE, gate: bool = False, why: str = ""
) -> Step:
    return Step(name=name.value, phase=Phase.CUT_OVER, stops=stops, estimated_for=takes, gate=gate, why=why)


def _back(name: StepName, *, takes: timedelta = MOMENT, stops: Stop = Stop.NONE, gate: bool = False) -> Step:
    return Step(name=name.value, phase=Phase.ROLL_BACK, stops=stops, estimated_for=takes, undoable=False, gate=gate)
