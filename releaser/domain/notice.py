"""The life of a notice and of one delivery, and the rules of both: impact, planned time, tries.

What does not live here: what a notice says (`domain.notice_text`), how calendars are told (`domain.maintnote`), and how long
before it must be said (`domain.regulation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releaser.domain.rollout import UpdateState
from releaser.domain.target import Stop


class NoticeState(StrEnum):
    """Where a notice stands."""

    DRAFT = "draft"
    ANNOUNCED = "announced"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"


class NoticeTopic(StrEnum):
    """What a notice is about: planned work, or the end of a line's support."""

    WORK = "work"
    SUPPORT_END = "support_end"


class NoticeImpact(StrEnum):
    """What the recipients will feel, best first."""

    NO_IMPACT = "no_impact"
    REDUCED_REDUNDANCY = "reduced_redundancy"
    DEGRADED = "degraded"
    OUTAGE = "outage"


class DeliveryKind(StrEnum):
    """What a delivery tells of the notice."""

    ANNOUNCED = "announced"
    REVISED = "revised"
    REMINDED = "reminded"
    STARTED = "started"
    DONE = "done"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """Where one delivery stands."""

    QUEUED = "queued"
    SENT = "sent"
    SUPERSEDED = "superseded"
    GIVEN_UP = "given_up"


_N = NoticeState
_D = DeliveryState
_U = UpdateState

MOVES: Mapping[NoticeState, frozenset[NoticeState]] = {
    _N.DRAFT: frozenset({_N.ANNOUNCED, _N.CANCELLED}),
    _N.ANNOUNCED: frozenset({_N.IN_PROGRESS, _N.CANCELLED}),
    _N.IN_PROGRESS: frozenset({_N.COMPLETED, _N.ROLLED_BACK, _N.CANCELLED}),
    _N.COMPLETED: frozenset(),
    _N.ROLLED_BACK: frozenset(),
    _N.CANCELLED: frozenset(),
}

DELIVERY_MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _D.QUEUED: frozenset({_D.SENT, _D.SUPERSEDED, _D.GIVEN_UP}),
    _D.SENT: frozenset(),
    _D.SUPERSEDED: frozenset(),
    _D.GIVEN_UP: frozenset({_D.QUEUED}),
}

STANDING = frozenset({_N.ANNOUNCED, _N.IN_PROGRESS})
ENDED = frozenset({_N.COMPLETED, _N.ROLLED_BACK, _N.CANCELLED})
TELLS = frozenset({DeliveryKind.ANNOUNCED, DeliveryKind.REVISED})

_IMPACT = {Stop.NONE: NoticeImpact.NO_IMPACT, Stop.PARTIAL: NoticeImpact.DEGRADED, Stop.FULL: NoticeImpact.OUTAGE}
_STOPS = list(Stop)

# Beside the stop itself: time to pull and check, and to roll back; people plan by it, so it is generous.
LEAST_WORK_FOR = timedelta(minutes=30)
_ROUND_TO = timedelta(minutes=5)

_RETRY_AFTER = tuple(timedelta(minutes=m) for m in (0.5, 2, 10, 30, 120, 300, 600))
MOST_ATTEMPTS = len(_RETRY_AFTER) + 1


def impact_of(stop: Stop) -> NoticeImpact:
    """What a stop means for those who use the product: a full one is an outage, a partial one degrades."""
    return _IMPACT[stop]


def worst(stops: Iterable[Stop]) -> Stop:
    """The worst of some stops; of none, `NONE`."""
    return max(stops, key=_STOPS.index, default=Stop.NONE)


def planned_end(starts_at: datetime, stops_for: Iterable[timedelta]) -> datetime:
    """When the work is planned to end: every stop one after the other and once more for rolling back, rounded up."""
    needed = max(LEAST_WORK_FOR, 2 * sum(stops_for, timedelta(0)))
    return starts_at + -(-needed // _ROUND_TO) * _ROUND_TO


def sequence_of(state: NoticeState, *, revision: int, begun: bool) -> int:
    """How often times or status of what was announced changed: a calendar takes what has a higher one (RFC 5545, 3.8.7.4)."""
    return revision + begun + (state in {_N.COMPLETED, _N.ROLLED_BACK})


def retry_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts to deliver; None when it is time to give up."""
    return _RETRY_AFTER[attempts - 1] if 1 <= attempts < MOST_ATTEMPTS else None


class Outcome(StrEnum):
    """How the work ended at one installation, best first."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    INCONSISTENT = "inconsistent"


_OUTCOME = {
    _U.SUCCEEDED: Outcome.SUCCEEDED,
    _U.ALREADY_INSTALLED: Outcome.SUCCEEDED,
    _U.ROLLED_BACK: Outcome.ROLLED_BACK,
    _U.FAILED: Outcome.FAILED,
    _U.INCONSISTENT: Outcome.INCONSISTENT,
}
_OUTCOMES = list(Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of the update of one target: its end and, if the service was stopped, since when and until when.

    `before_s`: for how many seconds it was away earlier in the same attempt.
    """

    state: UpdateState
    before_s: float = 0.0
    stopped_at: datetime | None = None
    served_at: datetime | None = None


def outcome_of(updates: Iterable[Measured]) -> Outcome:
    """How an installation fared: the worst of its targets; one that was never touched counts as skipped."""
    return max((_OUTCOME.get(u.state, Outcome.SKIPPED) for u in updates), key=_OUTCOMES.index, default=Outcome.SKIPPED)


def measured_stop(updates: Iterable[Measured]) -> timedelta | None:
    """How long any target of an installation was away, times at once counted once; None while one is not back."""
    stopped = [update for update in updates if update.stopped_at is not None]
    spans = sorted((u.stopped_at, u.served_at) for u in stopped if u.stopped_at and u.served_at)
    if len(spans) < len(stopped):
        return None
    total, reached = sum((timedelta(seconds=update.before_s) for update in stopped), timedelta(0)), None
    for start, end in spans:
        total += max(end - (start if reached is None else max(start, reached)), timedelta(0))
        reached = end if reached is None else max(reached, end)
    return total


def end_of_work(outcomes: Iterable[Outcome]) -> NoticeState:
    """How a notice ends whose work had begun: rolled back when it came to nothing anywhere."""
    return NoticeState.COMPLETED if Outcome.SUCCEEDED in set(outcomes) else NoticeState.ROLLED_BACK
