from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from releaser.domain.calendar import (
    Calendar,
    CalendarHorizonError,
    Changes,
    Fold,
    LocalTimeError,
    UnknownCalendarError,
    UnknownZoneError,
    calendar_named,
    end_of_day,
    first_instant_at,
    instant_of,
    zone_named,
)
from releaser.errors import InvalidError

RUSSIA = Calendar(country="RU")


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("on", "working"),
    [
        ("2025-12-31", False),  # a day off moved from January
        ("2026-01-01", False),
        ("2026-01-08", False),
        ("2026-01-09", False),  # Friday, moved from Saturday 3 January
        ("2026-01-12", True),
        ("2026-02-23", False),
        ("2026-03-08", False),
        ("2026-03-09", False),  # 8 March is a Sunday
        ("2026-05-01", False),
        ("2026-05-04", True),
        ("2026-05-09", False),
        ("2026-05-11", False),  # 9 May is a Saturday
        ("2026-05-12", True),
        ("2026-06-12", False),
        ("2026-11-04", False),
        ("2026-11-05", True),
        ("2026-12-31", False),
        ("2024-04-27", True),  # a working Saturday
        ("2024-04-29", False),  # for which this Monday was off
        ("2024-11-02", True),
        ("2024-12-28", True),
        ("2025-11-01", True),
        ("2025-11-03", False),
        ("2027-02-20", True),
        ("2027-02-22", False),
        ("2026-11-07", False),  # a plain Saturday
    ],
)
def test_russian_production_calendar_knows_transferred_days(on: str, *, working: bool) -> None:
    assert RUSSIA.is_working(day(on)) is working


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-04-30", 0, "2026-04-30"),
        ("2026-04-30", 1, "2026-05-04"),  # over 1 May and the weekend
        ("2026-04-30", 5, "2026-05-08"),
        ("2026-04-30", 6, "2026-05-12"),  # over 9 and 11 May
        ("2025-12-30", 1, "2026-01-12"),  # over the New Year holidays
        ("2025-12-30", 10, "2026-01-23"),
        ("2024-04-26", 1, "2024-04-27"),  # the Saturday is worked
        ("2024-04-26", 2, "2024-05-02"),
        ("2026-01-03", 1, "2026-01-12"),  # from a day off
    ],
)
def test_adding_working_days_skips_days_off(start: str, days: int, end: str) -> None:
    assert RUSSIA.add_working_days(day(start), days) == day(end)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-04-30", "2026-04-30", 0),
        ("2026-04-30", "2026-05-04", 1),
        ("2026-04-30", "2026-05-12", 6),
        ("2026-05-12", "2026-04-30", -6),
        ("2026-01-01", "2026-01-11", 0),
        ("2024-04-26", "2024-05-02", 2),
    ],
)
def test_working_days_between_count_the_end_and_not_the_start(start: str, end: str, days: int) -> None:
    assert RUSSIA.working_days_between(day(start), day(end)) == days


def test_plain_calendar_works_monday_to_friday_for_ever() -> None:
    plain = Calendar()
    assert plain.known_until is None
    assert plain.add_working_days(day("2200-01-03"), 5) == day("2200-01-10")


def test_day_beyond_the_known_calendar_is_refused_and_not_guessed() -> None:
    horizon = RUSSIA.known_until
    assert horizon is not None
    assert horizon >= day("2027-12-31")
    beyond = date(horizon.year + 1, 1, 20)
    with pytest.raises(CalendarHorizonError) as caught:
        RUSSIA.is_working(beyond)
    assert caught.value.rule == "calendar-horizon"
    assert str(horizon) in str(caught.value)
    with pytest.raises(CalendarHorizonError):
        RUSSIA.add_working_days(date(horizon.year, 12, 30), 3)


def test_stated_days_overrule_the_calendar_and_move_its_horizon() -> None:
    changes = Changes(
        off=frozenset({day("2026-11-05")}),
        working=frozenset({day("2026-11-07"), day("2031-01-11")}),
        known_until=day("2031-12-31"),
    )
    stated = Calendar(country="RU", changes=changes)
    assert not stated.is_working(day("2026-11-05"))
    assert stated.is_working(day("2026-11-07"))
    assert stated.is_working(day("2031-01-11"))
    assert stated.add_working_days(day("2026-11-03"), 2) == day("2026-11-07")


@pytest.mark.parametrize("days", [-1, 4000])
def test_absurd_count_of_days_is_refused(days: int) -> None:
    with pytest.raises(InvalidError):
        RUSSIA.add_working_days(day("2026-05-01"), days)


@pytest.mark.parametrize("country", ["XX", "ru", "", "RU-NOWHERE", "Россия", "RU\n", "QQ-1"])
def test_unknown_country_is_refused(country: str) -> None:
    with pytest.raises(UnknownCalendarError):
        calendar_named(country)


def test_region_has_its_own_holidays() -> None:
    assert not calendar_named("DE-BY").is_working(day("2026-01-06"))
    assert calendar_named("DE-BE").is_working(day("2026-01-06"))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "UTC+3\x00"])
def test_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone_named(zone)


@pytest.mark.parametrize(
    ("on", "at", "zone", "fold", "expected"),
    [
        ("2026-11-21", time(10), "Europe/Moscow", None, "2026-11-21T07:00"),
        ("2026-07-01", time(10), "Europe/Berlin", None, "2026-07-01T08:00"),
        ("2026-03-29", time(1, 59), "Europe/Berlin", None, "2026-03-29T00:59"),
        ("2026-03-29", time(3), "Europe/Berlin", None, "2026-03-29T01:00"),
        ("2026-10-25", time(2, 30), "Europe/Berlin", Fold.FIRST, "2026-10-25T00:30"),
        ("2026-10-25", time(2, 30), "Europe/Berlin", Fold.SECOND, "2026-10-25T01:30"),
        ("2026-10-25", time(3), "Europe/Berlin", None, "2026-10-25T02:00"),
    ],
)
def test_local_time_becomes_the_instant(on: str, at: time, zone: str, fold: Fold | None, expected: str) -> None:
    assert instant_of(day(on), at, zone=zone, fold=fold) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_local_time_in_the_gap_is_refused_and_names_the_next() -> None:
    with pytest.raises(LocalTimeError, match=r"does not exist.*03:00 or later"):
        instant_of(day("2026-03-29"), time(2, 30), zone="Europe/Berlin")


def test_local_time_that_exists_twice_asks_which() -> None:
    with pytest.raises(LocalTimeError, match=r"twice.*\+0200.*\+0100") as caught:
        instant_of(day("2026-10-25"), time(2, 30), zone="Europe/Berlin")
    assert caught.value.field == "fold"


@pytest.mark.parametrize(
    ("on", "at", "zone", "expected"),
    [
        ("2026-03-29", time(2, 30), "Europe/Berlin", "2026-03-29T01:00"),  # in the gap: its end
        ("2026-10-25", time(2, 30), "Europe/Berlin", "2026-10-25T00:30"),  # twice: the first
        ("2026-04-24", time(0), "Africa/Cairo", "2026-04-23T22:00"),  # midnight itself does not exist
    ],
)
def test_rule_times_never_fail(on: str, at: time, zone: str, expected: str) -> None:
    found = first_instant_at(day(on), at, zone=zone_named(zone))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_day_ends_where_the_next_begins() -> None:
    assert end_of_day(day("2026-05-12"), zone=zone_named("Europe/Moscow")) == datetime(2026, 5, 12, 21, tzinfo=UTC)
