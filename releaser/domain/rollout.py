"""The life of a rollout, of its waves, of each target's update and of a step: states and allowed moves.

What happens next is decided in `domain.advance`; which targets go together in `domain.waves`; what a
container must look like in `domain.target`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RolloutState(StrEnum):
    """Where a rollout stands."""

    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


class PauseReason(StrEnum):
    """Why a rollout is paused."""

    MANUAL = "manual"
    THRESHOLD = "threshold"
    GATE = "gate"


class WaveState(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    RUNNING = "running"
    SOAKING = "soaking"
    GATE = "gate"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class UpdateState(StrEnum):
    """Where the update of one target stands."""

    PENDING = "pending"
    PREPARING = "preparing"
    PREPARED = "prepared"
    WAITING = "waiting"
    CUTTING_OVER = "cutting_over"
    VERIFYING = "verifying"
    SOAKING = "soaking"
    COMMITTING = "committing"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    ALREADY_INSTALLED = "already_installed"
    SKIPPED = "skipped"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    TIMED_OUT = "timed_out"
    INCONSISTENT = "inconsistent"


class WaitsFor(StrEnum):
    """What a target waits for: prepared, for leave to be cut over; while it is prepared, for its host to answer (`OFFLINE`)."""

    CONSENT = "consent"
    WINDOW = "window"
    NOTICE = "notice"
    FREEZE = "freeze"
    LOCK = "lock"
    OFFLINE = "offline"


class StepState(StrEnum):
    """A journal row: the intent is written before the step is carried out."""

    INTENT = "intent"
    DONE = "done"


_R = RolloutState
_W = WaveState
_U = UpdateState

ROLLOUT_MOVES: Mapping[RolloutState, frozenset[RolloutState]] = {
    _R.PLANNED: frozenset({_R.AWAITING_APPROVAL, _R.SCHEDULED, _R.RUNNING, _R.SUCCEEDED, _R.ABORTED, _R.SUPERSEDED}),
    _R.AWAITING_APPROVAL: frozenset({_R.SCHEDULED, _R.RUNNING, _R.SUCCEEDED, _R.ABORTED, _R.SUPERSEDED}),
    _R.SCHEDULED: frozenset({_R.AWAITING_APPROVAL, _R.RUNNING, _R.SUCCEEDED, _R.ABORTED, _R.SUPERSEDED}),
    _R.RUNNING: frozenset({_R.PAUSED, _R.ROLLING_BACK, _R.STOPPING, _R.SUCCEEDED, _R.FAILED}),
    _R.PAUSED: frozenset({_R.RUNNING, _R.STOPPING}),
    _R.ROLLING_BACK: frozenset({_R.ROLLED_BACK, _R.FAILED, _R.STOPPING}),
    _R.STOPPING: frozenset({_R.ABORTED, _R.FAILED, _R.SUPERSEDED}),
    _R.SUCCEEDED: frozenset({_R.RUNNING}),
    _R.FAILED: frozenset({_R.RUNNING}),
    _R.ROLLED_BACK: frozenset({_R.RUNNING}),
    _R.ABORTED: frozenset(),
    _R.SUPERSEDED: frozenset(),
}

WAVE_MOVES: Mapping[WaveState, frozenset[WaveState]] = {
    _W.PENDING: frozenset({_W.RUNNING, _W.SKIPPED}),
    _W.RUNNING: frozenset({_W.SOAKING, _W.GATE, _W.SUCCEEDED, _W.FAILED, _W.SKIPPED}),
    _W.SOAKING: frozenset({_W.GATE, _W.SUCCEEDED, _W.FAILED}),
    _W.GATE: frozenset({_W.SUCCEEDED, _W.FAILED}),
    _W.SUCCEEDED: frozenset({_W.PENDING}),
    _W.FAILED: frozenset({_W.PENDING}),
    _W.SKIPPED: frozenset({_W.PENDING}),
}

UPDATE_MOVES: Mapping[UpdateState, frozenset[UpdateState]] = {
    _U.PENDING: frozenset({_U.PREPARING, _U.ALREADY_INSTALLED, _U.SKIPPED}),
    _U.PREPARING: frozenset({_U.PREPARED, _U.WAITING, _U.ROLLING_BACK}),
    _U.PREPARED: frozenset({_U.WAITING, _U.CUTTING_OVER, _U.ROLLING_BACK}),
    _U.WAITING: frozenset({_U.PREPARING, _U.CUTTING_OVER, _U.ROLLING_BACK}),
    _U.CUTTING_OVER: frozenset({_U.VERIFYING, _U.ROLLING_BACK, _U.INCONSISTENT}),
    _U.VERIFYING: frozenset({_U.SOAKING, _U.ROLLING_BACK, _U.INCONSISTENT}),
    _U.SOAKING: frozenset({_U.COMMITTING, _U.ROLLING_BACK, _U.INCONSISTENT}),
    _U.COMMITTING: frozenset({_U.SUCCEEDED, _U.INCONSISTENT}),
    _U.ROLLING_BACK: frozenset({_U.ROLLED_BACK, _U.FAILED, _U.SKIPPED, _U.TIMED_OUT, _U.INCONSISTENT}),
    _U.SUCCEEDED: frozenset(),
    _U.ALREADY_INSTALLED: frozenset(),
    _U.SKIPPED: frozenset({_U.PENDING}),
    _U.FAILED: frozenset({_U.PENDING}),
    _U.ROLLED_BACK: frozenset({_U.PENDING}),
    _U.TIMED_OUT: frozenset({_U.PENDING}),
    _U.INCONSISTENT: frozenset(),
}

ENDED = frozenset({_R.SUCCEEDED, _R.FAILED, _R.ROLLED_BACK, _R.ABORTED, _R.SUPERSEDED})
NOT_BEGUN = frozenset({_R.PLANNED, _R.AWAITING_APPROVAL, _R.SCHEDULED})
UNDER_WAY = frozenset({_R.SCHEDULED, _R.RUNNING, _R.ROLLING_BACK, _R.STOPPING})
UPDATE_FAILED = frozenset({_U.FAILED, _U.ROLLED_BACK, _U.TIMED_OUT, _U.INCONSISTENT})
UPDATE_ENDED = UPDATE_FAILED | {_U.SUCCEEDED, _U.ALREADY_INSTALLED, _U.SKIPPED}
UPDATE_GOOD = frozenset({_U.SUCCEEDED, _U.ALREADY_INSTALLED})
RETRIABLE = frozenset({_U.FAILED, _U.ROLLED_BACK, _U.TIMED_OUT, _U.SKIPPED})
BEING_CUT_OVER = frozenset({_U.CUTTING_OVER, _U.VERIFYING, _U.SOAKING, _U.COMMITTING})
AT_WORK = (BEING_CUT_OVER | {_U.PREPARING, _U.ROLLING_BACK}) - UPDATE_ENDED


def is_worked_on(state: UpdateState, waits_for: WaitsFor | None) -> bool:
    """Whether a worker has to see to it: also to one that waits for its host, for somebody has to ask whether it is back."""
    return state in AT_WORK or (state is _U.WAITING and waits_for is WaitsFor.OFFLINE)
