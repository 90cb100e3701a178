from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.calendar import CalendarHorizonError, UnknownCalendarError, UnknownZoneError
from releaser.domain.regulation import (
    NO_REGULATION,
    InvalidRegulationError,
    Regulation,
    Urgency,
    Window,
    checked,
    from_mapping,
    to_mapping,
)
from releaser.domain.target import Stop


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHTS = from_mapping(
    {"zone": "Europe/Moscow", "windows": [{"days": ["sat", "sun"], "from": "22:00", "to": "06:00"}], "country": "RU"}
)
BERLIN = from_mapping({"zone": "Europe/Berlin", "windows": [{"from": "01:00", "to": "04:00"}]})


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-21T18:59", False),  # Saturday 21:59 in Moscow
        ("2026-11-21T19:00", True),
        ("2026-11-21T23:00", True),  # past midnight, still Saturday's window
        ("2026-11-22T02:59", True),
        ("2026-11-22T03:00", False),
        ("2026-11-22T19:00", True),  # Sunday evening
        ("2026-11-23T02:59", True),  # Monday morning belongs to Sunday's window
        ("2026-11-23T03:00", False),
        ("2026-11-23T19:00", False),  # Monday evening
    ],
)
def test_window_across_midnight_is_open_on_both_days(now: str, *, is_open: bool) -> None:
    assert NIGHTS.open_at(at(now)) is is_open


@pytest.mark.parametrize(
    ("now", "closes"),
    [
        ("2026-11-21T19:00", "2026-11-22T03:00"),
        ("2026-11-22T01:00", "2026-11-22T03:00"),
        ("2026-11-21T18:00", None),
    ],
)
def test_open_window_says_when_it_closes(now: str, closes: str | None) -> None:
    assert NIGHTS.closes_at(at(now)) == (at(closes) if closes else None)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-21T20:00", "2026-11-21T20:00"),  # open already
        ("2026-11-22T03:00", "2026-11-22T19:00"),
        ("2026-11-23T03:00", "2026-11-28T19:00"),
    ],
)
def test_closed_window_says_when_it_opens_next(now: str, opens: str) -> None:
    assert NIGHTS.next_opening(at(now)) == at(opens)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        # Clocks go from 02:00 to 03:00 on 29 March: the window of 01:00-04:00 lasts two hours.
        ("2026-03-28T23:59", False),
        ("2026-03-29T00:00", True),
        ("2026-03-29T01:59", True),
        ("2026-03-29T02:00", False),
        # Clocks go back from 03:00 to 02:00 on 25 October: it lasts four.
        ("2026-10-24T22:59", False),
        ("2026-10-24T23:00", True),
        ("2026-10-25T02:59", True),
        ("2026-10-25T03:00", False),
    ],
)
def test_window_follows_the_clocks_when_they_change(now: str, *, is_open: bool) -> None:
    assert BERLIN.open_at(at(now)) is is_open


def test_window_that_the_clocks_jump_over_is_not_open_that_day() -> None:
    rule = from_mapping({"zone": "Europe/Berlin", "windows": [{"days": "sun", "from": "02:15", "to": "02:45"}]})
    assert rule.next_opening(at("2026-03-22T02:00")) == at("2026-04-05T00:15")
    assert rule.next_opening(at("2026-10-25T00:00")) == at("2026-10-25T00:15")
    assert rule.closes_at(at("2026-10-25T00:20")) == at("2026-10-25T00:45")


def test_window_keeps_local_hours_in_summer_and_winter() -> None:
    assert BERLIN.next_opening(at("2026-01-10T12:00")) == at("2026-01-11T00:00")
    assert BERLIN.next_opening(at("2026-07-10T12:00")) == at("2026-07-10T23:00")


def test_touching_windows_are_one() -> None:
    rule = from_mapping(
        {"windows": [{"days": "sat", "from": "20:00", "to": "24:00"}, {"days": "sun", "from": "00:00", "to": "05:00"}]}
    )
    assert rule.closes_at(at("2026-11-21T21:00")) == at("2026-11-22T05:00")


def test_windows_without_a_gap_never_close() -> None:
    rule = from_mapping({"windows": [{"from": "00:00", "to": "24:00"}]})
    assert rule.open_at(at("2026-11-21T23:59"))
    assert rule.closes_at(at("2026-11-21T21:00")) is None


def test_contract_without_regulation_has_no_windows_and_no_lead() -> None:
    rule = from_mapping({}, zone="Europe/Moscow")
    now = at("2026-11-21T21:00")
    assert rule == NO_REGULATION
    assert rule.open_at(now)
    assert rule.closes_at(now) is None
    assert rule.next_opening(now) == now
    assert {rule.earliest_start(now, stop=stop) for stop in Stop} == {now}
    assert to_mapping(rule) == {}


@pytest.mark.parametrize(
    ("announced", "stop", "earliest"),
    [
        # Thursday 30 April 2026 in Moscow; days off: 1-3, 9-11 May.
        ("2026-04-30T09:00", Stop.NONE, "2026-05-05T21:00"),
        ("2026-04-30T09:00", Stop.PARTIAL, "2026-05-08T21:00"),
        ("2026-04-30T09:00", Stop.FULL, "2026-05-18T21:00"),
        # Told at 23:30 in Moscow counts for that day, half an hour later for the next.
        ("2026-04-29T20:30", Stop.NONE, "2026-05-04T21:00"),
        ("2026-04-29T21:30", Stop.NONE, "2026-05-05T21:00"),
        # Over the New Year holidays: nothing is worked from 31 December to 11 January.
        ("2025-12-30T09:00", Stop.NONE, "2026-01-13T21:00"),
        ("2026-01-05T09:00", Stop.NONE, "2026-01-13T21:00"),
        # A worked Saturday counts.
        ("2024-04-26T09:00", Stop.NONE, "2024-05-02T21:00"),
    ],
)
def test_lead_ends_with_its_last_working_day(announced: str, stop: Stop, earliest: str) -> None:
    assert NIGHTS.earliest_start(at(announced), stop=stop) == at(earliest)


def test_emergency_shortens_the_lead_to_hours() -> None:
    now = at("2026-04-30T09:00")
    assert NIGHTS.earliest_start(now, stop=Stop.FULL, urgency=Urgency.EMERGENCY) == now + timedelta(hours=24)


def test_emergency_never_asks_for_more_than_the_ordinary_lead() -> None:
    rule = Regulation(lead_full=1, emergency_hours=500)
    now = at("2026-11-18T09:00")
    assert rule.earliest_start(now, stop=Stop.FULL, urgency=Urgency.EMERGENCY) == at("2026-11-20T00:00")


def test_lead_beyond_the_known_calendar_is_refused_but_an_emergency_is_not() -> None:
    now = at("2099-12-30T09:00")
    with pytest.raises(CalendarHorizonError):
        NIGHTS.earliest_start(now, stop=Stop.FULL)
    assert NIGHTS.earliest_start(now, stop=Stop.FULL, urgency=Urgency.EMERGENCY) == now + timedelta(hours=24)


def test_regulation_reads_what_people_write() -> None:
    rule = from_mapping(
        {
            "windows": [
                {"days": "Mon-Wed, fri", "from": 1320, "to": "24:00"},
                {"days": ["sat-mon"], "from": "00:00", "to": "05:30"},
            ],
            "lead_full": 7,
            "country": "RU",
            "days_off": ["2026-11-05", date(2026, 11, 6)],
            "working_days": ["2026-11-07"],
            "known_until": "2030-12-31",
        },
        zone="Asia/Yekaterinburg",
    )
    assert rule.zone == "Asia/Yekaterinburg"
    assert rule.windows[0] == Window(days=frozenset({0, 1, 2, 4}), from_=time(22), to=time(0))
    assert rule.windows[1].days == frozenset({5, 6, 0})
    assert (rule.lead_full, rule.lead_partial, rule.lead_none, rule.emergency_hours) == (7, 5, 2, 24)
    assert rule.calendar.add_working_days(date(2026, 11, 3), 1) == date(2026, 11, 7)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"window": []}, "regulation.window"),
        ({"windows": "22:00-06:00"}, "regulation.windows"),
        ({"windows": [{"from": "22:00"}]}, "regulation.windows.0.to"),
        ({"windows": [{"from": "25:00", "to": "06:00"}]}, "regulation.windows.0.from"),
        ({"windows": [{"from": "06:00", "to": "06:00"}]}, "regulation.windows.0"),
        ({"windows": [{"days": ["someday"], "from": "01:00", "to": "06:00"}]}, "regulation.windows.0.days"),
        ({"windows": [{"days": [], "from": "01:00", "to": "06:00"}]}, "regulation.windows.0.days"),
        ({"windows": ["night"]}, "regulation.windows.0"),
        ({"lead_full": -1}, "regulation.lead_full"),
        ({"lead_full": "ten"}, "regulation.lead_full"),
        ({"lead_none": True}, "regulation.lead_none"),
        ({"emergency_hours": 10**9}, "regulation.emergency_hours"),
        ({"country": False}, None),
        ({"country": 7}, "regulation.country"),
        ({"days_off": ["5 November"]}, "regulation.days_off"),
        ({"days_off": "2026-11-05"}, "regulation.days_off"),
    ],
)
def test_unreadable_regulation_names_the_place(data: dict[str, Any], field: str | None) -> None:
    if field is None:  # YAML's NO for Norway is a boolean; without a country it is Monday to Friday
        assert from_mapping(data).country is None
        return
    with pytest.raises(InvalidRegulationError) as caught:
        from_mapping(data)
    assert caught.value.field == field


def test_unknown_zone_and_country_are_refused() -> None:
    with pytest.raises(UnknownZoneError):
        from_mapping({"zone": "Moscow"})
    with pytest.raises(UnknownCalendarError):
        checked(from_mapping({"country": "ZZ"}))
    assert checked(NIGHTS) is NIGHTS


regulations = st.builds(
    Regulation,
    zone=st.sampled_from(["UTC", "Europe/Moscow", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    windows=st.lists(
        st.builds(
            Window,
            days=st.frozensets(st.integers(0, 6), min_size=1),
            from_=st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None)),
            to=st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None)),
        ).filter(lambda window: window.from_ != window.to),
        max_size=3,
    ).map(tuple),
    lead_full=st.integers(0, 30),
)
instants = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis adds the zone


@given(regulations)
def test_regulation_survives_being_written_and_read(rule: Regulation) -> None:
    assert from_mapping(json.loads(json.dumps(to_mapping(rule)))) == rule


@given(regulations, instants)
def test_windows_agree_with_themselves(rule: Regulation, now: datetime) -> None:
    opens = rule.next_opening(now)
    assert opens >= now
    assert rule.open_at(opens)
    assert (opens == now) is rule.open_at(now)
    closes = rule.closes_at(opens)
    if closes is not None:
        assert closes > opens
        assert not rule.open_at(closes)
