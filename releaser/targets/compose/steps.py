"""Which steps an update of a compose service has, in which order, and what each is expected to stop. Pure.

The names are shown to people and kept in journals: they stay as they are. How a step is done is in `work`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from releaser.domain.spec import ComposeSpec, Order, of_kind
from releaser.domain.target import Desired, Observation, Phase, Step, Stop
from releaser.errors import RefusedError

_MOMENT = timedelta(milliseconds=300)
_PULL = timedelta(seconds=5)
_COMPOSE = timedelta(seconds=3)
WHY: Final = "compose takes the old container away before the new one serves"


class StepName(StrEnum):
    """Every step this driver knows."""

    PULL = "pull"
    STAGE = "stage-override"
    BACK_UP = "back-up"
    RECREATE = "compose-up"
    CLEAN_UP = "clean-up"
    RESTORE = "restore-override"
    RECREATE_BACK = "compose-up-old"
    DISCARD = "discard-new"


def plan(*, desired: Desired, previous: Desired | None, observed: Observation | None) -> tuple[Step, ...]:
    """Prepare, cut over, commit. Raises `OtherKindError`, `RefusedError`."""
    spec = of_kind(desired.spec, ComposeSpec)
    if previous is not None:
        _check_change(spec, of_kind(previous.spec, ComposeSpec))
    if spec.order is not Order.STOP_FIRST:
        raise RefusedError(
            f"Target '{spec.name}' cannot be updated start-first: {WHY}.",
            rule="start-first-needs-two",
            advice="Use order 'stop-first', or the driver docker with a front.",
            field="order",
            target=spec.name,
        )
    first = previous is None and (observed is None or observed.serving is None)
    stops, why = (Stop.NONE, "") if first else (Stop.FULL, WHY)
    takes = _COMPOSE + timedelta(seconds=0 if first else spec.stop_grace_s)
    cut = Phase.CUT_OVER
    return (
        Step(name=StepName.PULL.value, phase=Phase.PREPARE, estimated_for=_PULL),
        Step(name=StepName.STAGE.value, phase=Phase.PREPARE, estimated_for=_MOMENT),
        Step(name=StepName.BACK_UP.value, phase=cut, estimated_for=_MOMENT),
        Step(name=StepName.RECREATE.value, phase=cut, stops=stops, estimated_for=takes, gate=True, why=why),
        Step(name=StepName.CLEAN_UP.value, phase=Phase.COMMIT, estimated_for=_MOMENT, undoable=False),
    )


def plan_back(*, desired: Desired) -> tuple[Step, ...]:
    """From any point before the commit back to what was there; each step finds for itself whether there is anything to do."""
    takes = _COMPOSE + timedelta(seconds=desired.spec.stop_grace_s)
    return (
        _back(StepName.RESTORE, stops=Stop.NONE),
        _back(StepName.RECREATE_BACK, takes=takes, gate=True),
        _back(StepName.DISCARD, stops=Stop.NONE),
    )


def _back(name: StepName, *, takes: timedelta = _MOMENT, stops: Stop = Stop.FULL, gate: bool = False) -> Step:
    why = WHY if stops is Stop.FULL else ""
    return Step(
        name=name.value, phase=Phase.ROLL_BACK, stops=stops, estimated_for=takes, undoable=False, gate=gate, why=why
    )


def _check_change(spec: ComposeSpec, before: ComposeSpec) -> None:
    for field in ("folder", "project", "service"):
        if getattr(spec, field) != getattr(before, field):
            raise RefusedError(
                f"Target '{spec.name}' is to go from {field} {getattr(before, field)} to {getattr(spec, field)}: "
                "the old one would run on.",
                rule="project-stays",
                advice="Declare a new target for it, and remove the old one when it is no longer needed.",
                field=field,
                target=spec.name,
            )
