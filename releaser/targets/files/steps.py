"""Which steps an update of files has, in which order, and what each is expected to stop. Pure.

The names are shown to people and kept in journals: they stay as they are. How a step is done is in `work`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from releaser.domain.spec import FilesSpec, Order, of_kind
from releaser.domain.target import Desired, Observation, Phase, Step, Stop
from releaser.errors import RefusedError

_MOMENT = timedelta(milliseconds=100)
_UNPACK = timedelta(seconds=5)
_START = timedelta(seconds=2)


class StepName(StrEnum):
    """Every step this driver knows."""

    UNPACK = "unpack"
    STAGE = "stage-configuration"
    VALIDATE = "validate"
    BACK_UP = "back-up"
    STOP = "stop-service"
    PLACE = "place-configuration"
    SWITCH = "switch-link"
    START = "start-service"
    CLEAN_UP = "clean-up"
    STOP_BACK = "stop-new-service"
    RESTORE = "restore-configuration"
    SWITCH_BACK = "switch-link-back"
    START_BACK = "start-old-service"
    DISCARD = "discard-new"


def plan(*, desired: Desired, previous: Desired | None, observed: Observation | None) -> tuple[Step, ...]:
    """Prepare, cut over, commit. Raises `OtherKindError`, `RefusedError`."""
    spec = of_kind(desired.spec, FilesSpec)
    if previous is not None:
        _check_change(spec, of_kind(previous.spec, FilesSpec))
    if spec.order is not Order.STOP_FIRST:
        raise RefusedError(
            f"Target '{spec.name}' cannot be updated start-first: its files are served from one place.",
            rule="start-first-needs-two",
            advice="Use order 'stop-first'.",
            field="order",
            target=spec.name,
        )
    first = previous is None and (observed is None or observed.serving is None)
    stops = Stop.NONE if first else Stop.FULL
    grace = timedelta(seconds=max(spec.stop_grace_s, previous.spec.stop_grace_s if previous else 0))
    cut = Phase.CUT_OVER
    return (
        Step(name=StepName.UNPACK.value, phase=Phase.PREPARE, estimated_for=_UNPACK),
        Step(name=StepName.STAGE.value, phase=Phase.PREPARE, estimated_for=_MOMENT),
        *((Step(name=StepName.VALIDATE.value, phase=Phase.PREPARE, estimated_for=_START),) if spec.validator else ()),
        Step(name=StepName.BACK_UP.value, phase=cut, estimated_for=_MOMENT),
        *((Step(name=StepName.STOP.value, phase=cut, stops=stops, estimated_for=grace),) if not first else ()),
        Step(name=StepName.PLACE.value, phase=cut, stops=stops, estimated_for=_MOMENT),
        Step(name=StepName.SWITCH.value, phase=cut, stops=stops, estimated_for=_MOMENT),
        Step(name=StepName.START.value, phase=cut, stops=stops, estimated_for=_START, gate=True),
        Step(name=StepName.CLEAN_UP.value, phase=Phase.COMMIT, estimated_for=_MOMENT, undoable=False),
    )


def plan_back(*, desired: Desired) -> tuple[Step, ...]:
    """From any point before the commit back to what was there; each step finds for itself whether there is anything to do."""
    grace = timedelta(seconds=desired.spec.stop_grace_s)
    return (
        _back(StepName.STOP_BACK, takes=grace),
        _back(StepName.RESTORE),
        _back(StepName.SWITCH_BACK),
        _back(StepName.START_BACK, takes=_START, gate=True),
        _back(StepName.DISCARD, stops=Stop.NONE),
    )


def _back(name: StepName, *, takes: timedelta = _MOMENT, stops: Stop = Stop.FULL, gate: bool = False) -> Step:
    return Step(name=name.value, phase=Phase.ROLL_BACK, stops=stops, estimated_for=takes, undoable=False, gate=gate)


def _check_change(spec: FilesSpec, before: FilesSpec) -> None:
    if spec.root != before.root:
        raise RefusedError(
            f"Target '{spec.name}' is to move from {before.root} to {spec.root}, which no update can undo by one link.",
            rule="root-stays",
            advice="Declare a new target for the new place, and remove the old one when it is no longer needed.",
            field="root",
            target=spec.name,
        )
