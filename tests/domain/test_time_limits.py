"""How long the parts of an update may take: what the specification allows its service is always in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from releaser.domain.rollout import UpdateState
from releaser.domain.spec import ContainerSpec, HealthSpec, SwarmSpec
from releaser.domain.target import Desired, Phase, Step
from releaser.domain.time_limits import ROLL_BACK_FOR, TIDY_FOR, extended, limit_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def desired(*, grace_s: int = 10, deadline_s: float = 60.0) -> Desired:
    spec = ContainerSpec(name="app", stop_grace_s=grace_s, health=HealthSpec(deadline_s=deadline_s))
    return Desired(version="1.1", image="r/app", digest="sha256:1", spec=spec)


@pytest.mark.parametrize("long", ["desired", "previous"])
def test_service_may_stop_for_long_going_there_and_back_may_take_as_long(long: str) -> None:
    versions = {"desired": desired(), "previous": desired()} | {long: desired(grace_s=3600)}
    for state in (UpdateState.CUTTING_OVER, UpdateState.ROLLING_BACK):
        limit = limit_of(state, desired=versions["desired"], previous=versions["previous"])
        assert limit is not None
        assert limit > timedelta(hours=1)


def test_way_back_of_many_tasks_one_at_a_time_may_take_the_grace_of_each() -> None:
    spec = SwarmSpec(name="app", replicas=6, parallel=2, stop_grace_s=300, health=HealthSpec(deadline_s=900))
    version = Desired(version="1.1", image="r/app", digest="sha256:1", spec=spec)
    limit = limit_of(UpdateState.ROLLING_BACK, desired=version, previous=version)
    assert limit is not None
    assert limit >= timedelta(seconds=3 * 300 + 900)


def test_going_back_is_tried_for_ten_minutes_at_least_and_tidying_for_two() -> None:
    assert limit_of(UpdateState.ROLLING_BACK, desired=desired(), previous=None) == ROLL_BACK_FOR
    assert limit_of(UpdateState.ROLLING_BACK, desired=desired(), previous=None, cut_over=False) == TIDY_FOR
    assert limit_of(UpdateState.SOAKING, desired=desired(), previous=None) is None


@pytest.mark.parametrize(
    ("left", "gate", "then"),
    [
        (timedelta(minutes=6), False, timedelta(minutes=6)),
        (timedelta(minutes=4), False, LIMIT),
        (timedelta(minutes=-1), False, LIMIT),
        (timedelta(minutes=6), True, LIMIT),
    ],
)
def test_deadline_moves_on_with_a_step_that_is_done_once_half_of_it_is_gone(
    left: timedelta, then: timedelta, *, gate: bool
) -> None:
    step = Step(name="stop-new", phase=Phase.ROLL_BACK, gate=gate)
    assert extended(NOW + left, limit=LIMIT, step=step, now=NOW) == NOW + then
