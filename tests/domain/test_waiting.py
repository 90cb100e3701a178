"""How long a target may wait, what freezes hold, and what a window holds across midnight and changed clocks: as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from releaser.domain.regulation import from_mapping
from releaser.domain.rollout import RolloutState, UpdateState, WaitsFor, WaveState, is_worked_on
from releaser.domain.rollout_moves import Member, RolloutView, holds_up, next_moves
from releaser.domain.update_freeze import FreezeScope, Place, UpdateFreeze, holding
from releaser.domain.waiting import WHO_MAY, InvalidWaitError, Wait, checked_wait, deadline, is_over, prolonged

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = Place(product="shop", customer="acme", installation="acme-own")


@pytest.mark.parametrize(
    ("until", "latest"), [(None, NOW + HOUR), (NOW + 2 * HOUR, NOW + 3 * HOUR), (NOW - 2 * HOUR, NOW + HOUR)]
)
def test_wait_lasts_as_long_as_is_known_and_then_some(until: datetime | None, latest: datetime) -> None:
    assert deadline(Wait(what=WaitsFor.WINDOW, until=until), wait_for=HOUR, now=NOW) == latest


@pytest.mark.parametrize(
    ("what", "deadline_at", "progress_at", "over"),
    [
        (WaitsFor.NOTICE, None, None, False),
        (WaitsFor.NOTICE, NOW + HOUR, None, False),
        (WaitsFor.NOTICE, NOW, None, True),
        (WaitsFor.NOTICE, NOW, NOW, True),
        (WaitsFor.FREEZE, NOW, NOW, True),
        (WaitsFor.OFFLINE, NOW, NOW, True),
        (WaitsFor.WINDOW, NOW, None, True),
        (WaitsFor.WINDOW, NOW, NOW - HOUR / 2, False),
        (WaitsFor.LOCK, NOW, NOW - HOUR / 2, False),
        (WaitsFor.LOCK, NOW, NOW - HOUR, True),
    ],
)
def test_wait_is_over_at_its_deadline_but_in_a_queue_that_moves(
    what: WaitsFor,
    deadline_at: datetime | None,
    progress_at: datetime | None,
    over: bool,  # noqa: FBT001 -- of the table
) -> None:
    assert is_over(what, deadline_at, now=NOW, wait_for=HOUR, progress_at=progress_at) is over


@pytest.mark.parametrize(("until", "latest"), [(None, NOW), (NOW + HOUR, NOW + 2 * HOUR), (NOW - 2 * HOUR, NOW)])
def test_wait_for_the_same_lasts_longer_only_where_more_of_it_is_known(
    until: datetime | None, latest: datetime
) -> None:
    assert prolonged(NOW, Wait(what=WaitsFor.FREEZE, until=until), wait_for=HOUR) == latest
    assert prolonged(None, Wait(what=WaitsFor.FREEZE, until=until), wait_for=HOUR) is None


@pytest.mark.parametrize(
    ("needs", "now", "opens"),
    [
        (HOUR, "2026-03-02T08:30", "2026-03-02T08:30"),
        (HOUR, "2026-03-02T09:30", "2026-03-03T08:00"),
        (2 * HOUR, "2026-03-02T08:30", "2026-03-03T08:00"),
        (3 * HOUR, "2026-03-02T08:30", "2026-03-08T12:00"),  # Sunday's is the next that is long enough
        (7 * HOUR, "2026-03-02T08:30", None),
        (timedelta(0), "2026-03-02T10:00", "2026-03-03T08:00"),
    ],
)
def test_window_that_is_waited_for_can_hold_the_work(needs: timedelta, now: str, opens: str | None) -> None:
    regulation = from_mapping(
        {"windows": [{"from": "08:00", "to": "10:00"}, {"days": "sun", "from": "12:00", "to": "18:00"}]}
    )
    expected = datetime.fromisoformat(f"{opens}+00:00") if opens is not None else None
    assert regulation.opening_for(needs, datetime.fromisoformat(f"{now}+00:00")) == expected


def test_of_every_wait_it_is_told_who_ends_it() -> None:
    assert set(WHO_MAY) == set(WaitsFor)


@pytest.mark.parametrize("wait_for", [timedelta(0), -HOUR, timedelta(days=367)])
def test_wait_that_nobody_can_mean_is_refused(wait_for: timedelta) -> None:
    with pytest.raises(InvalidWaitError):
        checked_wait(wait_for)


def freeze(number: int = 1, **given: Any) -> UpdateFreeze:  # noqa: ANN401 -- of the freeze
    return UpdateFreeze(
        **{
            "id": number,
            "scope": FreezeScope.ALL,
            "name": "",
            "starts_at": NOW - HOUR,
            "ends_at": NOW + HOUR,
            "reason": "x",
            **given,
        }
    )


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (freeze(), True),
        (freeze(starts_at=NOW), True),
        (freeze(ends_at=NOW), False),
        (freeze(starts_at=NOW + HOUR / 2), False),
        (freeze(lifted_at=NOW), False),
        (freeze(lifted_at=NOW + HOUR / 2), True),
        (freeze(scope=FreezeScope.PRODUCT, name="shop"), True),
        (freeze(scope=FreezeScope.PRODUCT, name="acme"), False),
        (freeze(scope=FreezeScope.CUSTOMER, name="acme"), True),
        (freeze(scope=FreezeScope.INSTALLATION, name="acme-own"), True),
        (freeze(scope=FreezeScope.INSTALLATION, name="acme-cloud"), False),
    ],
)
def test_freeze_holds_within_its_time_what_it_is_for(one: UpdateFreeze, *, holds: bool) -> None:
    assert (holding([one], PLACE, now=NOW) is one) is holds


def test_of_several_freezes_the_longest_is_told_and_overridden_ones_are_passed_by() -> None:
    short, long = freeze(1), freeze(2, ends_at=NOW + 5 * HOUR)
    assert holding([short, long], PLACE, now=NOW) is long
    assert holding([short, long], PLACE, now=NOW, overridden={2}) is short
    assert holding([short, long], PLACE, now=NOW, overridden={1, 2}) is None


@pytest.mark.parametrize(
    ("now", "windows", "zone", "longest"),
    [
        # Over midnight it is one window; two that touch are one as well.
        (NOW, [{"from": "22:00", "to": "02:00"}], "UTC", 4 * HOUR),
        (NOW, [{"from": "20:00", "to": "22:00"}, {"from": "22:00", "to": "23:00"}], "UTC", 3 * HOUR),
        (NOW, [{"days": "sat,sun", "from": "00:00", "to": "24:00"}], "UTC", 48 * HOUR),
        (NOW, [{"from": "00:00", "to": "24:00"}], "UTC", None),
        (NOW, [], "UTC", None),
        # Clocks are put forward on 29 March 2026 in Berlin at two: of that night's window one hour is not there.
        (
            datetime(2026, 3, 28, 12, tzinfo=UTC),
            [{"days": "sun", "from": "01:00", "to": "04:00"}],
            "Europe/Berlin",
            3 * HOUR,
        ),
        # And back on 25 October: the hour from two to three is there twice.
        (
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            [{"days": "sun", "from": "01:00", "to": "04:00"}],
            "Europe/Berlin",
            4 * HOUR,
        ),
    ],
)
def test_longest_window_is_what_clocks_there_say(
    now: datetime, windows: list[dict[str, str]], zone: str, longest: timedelta | None
) -> None:
    regulation = from_mapping({"windows": windows, "zone": zone})
    assert regulation.longest_window(now) == longest


def test_window_of_the_night_that_clocks_are_put_forward_is_an_hour_shorter() -> None:
    regulation = from_mapping({"windows": [{"from": "01:00", "to": "04:00"}], "zone": "Europe/Berlin"})
    opens_at = regulation.next_opening(datetime(2026, 3, 28, 23, tzinfo=UTC))
    assert opens_at == datetime(2026, 3, 29, 0, tzinfo=UTC)
    assert regulation.closes_at(opens_at) == datetime(2026, 3, 29, 2, tzinfo=UTC)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("away_for", "waited_for", "holds"),
    [
        (0 * SECOND, 30 * SECOND, True),
        (29 * SECOND, 30 * SECOND, True),
        (30 * SECOND, 30 * SECOND, True),  # until it is known whether it is lost
        (35 * SECOND, 30 * SECOND, True),
        (29 * SECOND, HOUR, True),
        (30 * SECOND, HOUR, False),
        (HOUR - SECOND, HOUR, False),
        (HOUR, HOUR, True),
    ],
)
def test_host_that_is_away_holds_its_wave_up_until_it_is_known_to_be_away_for_long(
    away_for: timedelta, waited_for: timedelta, *, holds: bool
) -> None:
    since = NOW - away_for
    assert holds_up([(since, since + waited_for)], now=NOW) is holds
    assert not holds_up([], now=NOW)


@pytest.mark.parametrize("rehearsal", [False, True])
def test_target_that_waits_for_its_host_is_neither_cut_over_nor_put_away(*, rehearsal: bool) -> None:
    member = Member(
        id=1, wave=1, position=0, customer="acme", state=UpdateState.WAITING, waits_for=WaitsFor.OFFLINE, deadline_at=NOW
    )  # fmt: skip
    view = RolloutView(
        state=RolloutState.RUNNING, waves={1: WaveState.RUNNING}, members=[member], now=NOW, rehearsal=rehearsal
    )
    assert next_moves(view).updates == ()


def test_worker_sees_to_who_waits_for_its_host_and_to_nobody_else_who_waits() -> None:
    assert {what for what in WaitsFor if is_worked_on(UpdateState.WAITING, what)} == {WaitsFor.OFFLINE}
