from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest

from releaser.domain.notice import (
    DELIVERY_MOVES,
    ENDED,
    MOST_ATTEMPTS,
    MOVES,
    STANDING,
    DeliveryState,
    Measured,
    NoticeImpact,
    NoticeState,
    Outcome,
    end_of_work,
    impact_of,
    measured_stop,
    outcome_of,
    planned_end,
    retry_after,
    worst,
)
from releaser.domain.rollout import UpdateState
from releaser.domain.target import Stop

N, D, U = NoticeState, DeliveryState, UpdateState
NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)

ALLOWED = {
    (N.DRAFT, N.ANNOUNCED),
    (N.DRAFT, N.CANCELLED),
    (N.ANNOUNCED, N.IN_PROGRESS),
    (N.ANNOUNCED, N.CANCELLED),
    (N.IN_PROGRESS, N.COMPLETED),
    (N.IN_PROGRESS, N.ROLLED_BACK),
    (N.IN_PROGRESS, N.CANCELLED),
}
ALLOWED_DELIVERY = {(D.QUEUED, D.SENT), (D.QUEUED, D.SUPERSEDED), (D.QUEUED, D.GIVEN_UP), (D.GIVEN_UP, D.QUEUED)}


@pytest.mark.parametrize(("source", "to"), list(product(N, N)))
def test_notice_moves_as_allowed_only(source: NoticeState, to: NoticeState) -> None:
    assert (to in MOVES[source]) is ((source, to) in ALLOWED)


@pytest.mark.parametrize(("source", "to"), list(product(D, D)))
def test_delivery_moves_as_allowed_only(source: DeliveryState, to: DeliveryState) -> None:
    assert (to in DELIVERY_MOVES[source]) is ((source, to) in ALLOWED_DELIVERY)


def test_ended_notices_move_nowhere() -> None:
    assert {state for state in N if not MOVES[state]} == ENDED
    assert {N.DRAFT} == set(N) - ENDED - STANDING


@pytest.mark.parametrize(
    ("stop", "impact"),
    [(Stop.NONE, NoticeImpact.NO_IMPACT), (Stop.PARTIAL, NoticeImpact.DEGRADED), (Stop.FULL, NoticeImpact.OUTAGE)],
)
def test_impact_follows_the_stop(stop: Stop, impact: NoticeImpact) -> None:
    assert impact_of(stop) is impact


def test_worst_stop_counts() -> None:
    assert worst([]) is Stop.NONE
    assert worst([Stop.PARTIAL, Stop.NONE]) is Stop.PARTIAL
    assert worst([Stop.PARTIAL, Stop.FULL]) is Stop.FULL


@pytest.mark.parametrize(
    ("stops", "minutes"),
    [([], 30), ([timedelta(seconds=2)] * 3, 30), ([timedelta(minutes=20)], 40), ([timedelta(minutes=8)] * 2, 35)],
)
def test_planned_end_leaves_room_for_rolling_back(stops: list[timedelta], minutes: int) -> None:
    assert planned_end(NOW, stops) == NOW + timedelta(minutes=minutes)


def test_tries_come_ever_slower_and_end() -> None:
    waits = [retry_after(attempt) for attempt in range(1, MOST_ATTEMPTS)]
    assert all(earlier < later for earlier, later in pairwise([w for w in waits if w is not None]))
    assert None not in waits
    assert retry_after(MOST_ATTEMPTS) is None
    assert retry_after(MOST_ATTEMPTS + 1) is None
    assert retry_after(0) is None


def stopped(start_s: float | None, end_s: float | None, state: UpdateState = U.SUCCEEDED) -> Measured:
    return Measured(
        state=state,
        stopped_at=None if start_s is None else NOW + timedelta(seconds=start_s),
        served_at=None if end_s is None else NOW + timedelta(seconds=end_s),
    )


@pytest.mark.parametrize(
    ("updates", "seconds"),
    [
        ([], 0),
        ([stopped(None, 3)], 0),
        ([stopped(0, 1.5)], 1.5),
        ([stopped(0, 2), stopped(10, 13)], 5),
        ([stopped(10, 13), stopped(0, 2)], 5),
        ([stopped(0, 5), stopped(1, 2), stopped(4, 8)], 8),
        ([stopped(0, 2), stopped(3, None)], None),
        ([stopped(0, 2), stopped(None, None)], 2),
    ],
)
def test_measured_stop_counts_each_moment_once(updates: list[Measured], seconds: float | None) -> None:
    assert measured_stop(updates) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([], Outcome.SKIPPED),
        ([U.SUCCEEDED, U.ALREADY_INSTALLED], Outcome.SUCCEEDED),
        ([U.SUCCEEDED, U.ROLLED_BACK], Outcome.ROLLED_BACK),
        ([U.ROLLED_BACK, U.FAILED], Outcome.FAILED),
        ([U.FAILED, U.INCONSISTENT], Outcome.INCONSISTENT),
        ([U.SKIPPED], Outcome.SKIPPED),
        ([U.PENDING], Outcome.SKIPPED),
    ],
)
def test_installation_fares_as_its_worst_target(states: list[UpdateState], outcome: Outcome) -> None:
    assert outcome_of(Measured(state=state) for state in states) is outcome


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ([Outcome.SUCCEEDED, Outcome.ROLLED_BACK], N.COMPLETED),
        ([Outcome.ROLLED_BACK], N.ROLLED_BACK),
        ([Outcome.FAILED, Outcome.SKIPPED], N.ROLLED_BACK),
        ([], N.ROLLED_BACK),
    ],
)
def test_work_that_came_to_nothing_anywhere_is_rolled_back(outcomes: list[Outcome], end: NoticeState) -> None:
    assert end_of_work(outcomes) is end
