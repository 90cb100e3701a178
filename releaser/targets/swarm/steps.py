"""Which steps an update of a service has, and what each is expected to stop. Pure.

The names are shown to people and kept in journals: they stay as they are. How a step is done is in `work`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from enum import StrEnum
from typing import Final

from releaser.domain.declaration.swarm_rules import expected_time
from releaser.domain.spec import Order, SwarmSpec, of_kind
from releaser.domain.target import Desired, Observation, Phase, Step, Stop

PROXY: Final = "proxy"
"""Under which name an observation tells what the proxy before the service was made from."""
_MOMENT = timedelta(milliseconds=50)
_A_START = timedelta(seconds=2)
_WHY_PROXY = "the proxy before the service is made anew, and only one can hold its ports"
_ROOM = 64
_SPARE = 4


class StepName(StrEnum):
    """Every step this driver knows."""

    FIND_IMAGE = "find-image"
    CLAIM = "claim-service"
    PROXY_CREATE = "proxy-create"
    CREATE = "create-service"
    UPDATE = "update-service"
    PROXY_CHANGE = "proxy-change"
    FORGET = "forget-before"
    RESTORE = "restore-service"
    PROXY_BACK = "proxy-back"
    LET_GO = "let-go"


def plan(*, desired: Desired, previous: Desired | None, observed: Observation | None) -> tuple[Step, ...]:
    """Prepare, cut over, commit."""
    spec = of_kind(desired.spec, SwarmSpec)
    before = of_kind(previous.spec, SwarmSpec) if previous is not None else None
    prepare = [_step(StepName.FIND_IMAGE, Phase.PREPARE)]
    commit = _step(StepName.FORGET, Phase.COMMIT, undoable=False)
    is_first = previous is None and (observed is None or observed.serving is None)
    if is_first:
        cut = [_step(StepName.CREATE, Phase.CUT_OVER, takes=_A_START, gate=True)]
    else:
        prepare.append(_step(StepName.CLAIM, Phase.PREPARE))
        stops, why, takes = stopped_by(spec, before)
        cut = [_step(StepName.UPDATE, Phase.CUT_OVER, takes=takes, stops=stops, why=why, gate=True)]
    declared = not is_first and proxy_of(spec) != (proxy_of(before) if before is not None else {})
    if declared or (not is_first and is_other_proxy(_proxy_seen(observed), spec)):
        # One that nobody had declared was left over by an attempt that broke off.
        stops = Stop.FULL if spec.proxy is not None or declared else Stop.NONE
        why = _WHY_PROXY if stops is Stop.FULL else ""
        cut.append(_step(StepName.PROXY_CHANGE, Phase.CUT_OVER, takes=_A_START, stops=stops, why=why, gate=True))
    elif spec.proxy is not None:
        prepare.append(_step(StepName.PROXY_CREATE, Phase.PREPARE))
    return (*prepare, *cut, commit)


def plan_back(*, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
    """From any point before the commit back to what was there; each step finds for itself whether there is anything to do."""
    spec = of_kind(desired.spec, SwarmSpec)
    before = of_kind(previous.spec, SwarmSpec) if previous is not None else None
    stops, why, takes = stopped_by(before, spec) if before is not None else (Stop.NONE, "", _A_START)
    steps = [_step(StepName.RESTORE, Phase.ROLL_BACK, takes=takes, stops=stops, why=why, gate=True)]
    if spec.proxy is not None or (before is not None and before.proxy is not None):
        changed = before is not None and proxy_of(before) != proxy_of(spec)
        stops, why = (Stop.FULL, _WHY_PROXY) if changed else (Stop.NONE, "")
        steps.append(_step(StepName.PROXY_BACK, Phase.ROLL_BACK, takes=_A_START, stops=stops, why=why))
    return (*steps, _step(StepName.LET_GO, Phase.ROLL_BACK))


def stopped_by(spec: SwarmSpec, before: SwarmSpec | None) -> tuple[Stop, str, timedelta]:
    """What replacing the tasks stops, why, and for how long by estimate: the whole of it where nobody else serves."""
    takes = expected_time(spec)
    if spec.order is Order.START_FIRST:
        return Stop.NONE, "", takes
    serving = min(spec.replicas, before.replicas if before is not None else spec.replicas)
    if serving > 1 and 0 < spec.parallel < serving:
        return Stop.NONE, f"stop-first is declared; {serving - spec.parallel} of {serving} tasks serve meanwhile", takes
    grace = timedelta(seconds=max(spec.stop_grace_s, before.stop_grace_s if before is not None else 0))
    why = "stop-first is declared, and " + (
        "there is one task only" if serving == 1 else "all tasks go at the same time"
    )
    return Stop.FULL, why, grace + _A_START


def proxy_of(spec: SwarmSpec) -> dict[str, object]:
    """All that the proxy is made from, as plain data by name; two that are equal need no change of it.

    The words of its configuration do not belong to it: where a newer release of ours writes them otherwise, a proxy that serves
    keeps the older ones until it is made anew for a reason that was planned.
    """
    if spec.proxy is None:
        return {}
    return {
        "image": spec.proxy.image,
        "constraints": list(spec.proxy.constraints),
        "service": spec.name,
        "ports": [[port.published, port.target] for port in spec.ports],
        "networks": list(spec.networks),
        "room": room_of(spec),
    }


def proxy_text(spec: SwarmSpec) -> str:
    """The same as it stands in the proxy's label."""
    return json.dumps(proxy_of(spec), sort_keys=True)


def is_other_proxy(text: str | None, spec: SwarmSpec) -> bool:
    """Whether a proxy with this label is another one than is declared; of what another release wrote only what is known counts."""
    if text is None:
        return False
    wanted = proxy_of(spec)
    try:
        there = dict(json.loads(text))
    except (ValueError, TypeError):
        return not wanted
    return not wanted or any(there[key] != wanted[key] for key in there.keys() & wanted.keys())


def _proxy_seen(observed: Observation | None) -> str | None:
    serving = observed.serving if observed is not None else None
    return serving.configuration.get(PROXY) if serving is not None else None


def room_of(spec: SwarmSpec) -> int:
    """For how many tasks at once the proxy has room: all replicas twice, in steps so wide that scaling seldom needs more."""
    needed, room = spec.replicas * 2 + _SPARE, _ROOM
    while room < needed:
        room *= 2
    return room


def _step(
    name: StepName,
    phase: Phase,
    *,
    takes: timedelta = _MOMENT,
    stops: Stop = Stop.NONE,
    why: str = "",
    gate: bool = False,
    undoable: bool = True,
) -> Step:
    undoable = undoable and phase is not Phase.ROLL_BACK
    return Step(name=name.value, phase=phase, estimated_for=takes, stops=stops, why=why, gate=gate, undoable=undoable)
