"""Trains: their days by the calendar, what people make of them, and the numbers they give."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.calendar import Changes
from releaser.domain.train import (
    LATEST,
    Because,
    Cut,
    DayOff,
    Decision,
    Decisions,
    Rhythm,
    Timetable,
    Train,
    TrainNotFoundError,
    TrainOrderError,
    TrainRules,
    TrainState,
    coming,
    decided,
    left,
    train_at,
    train_named,
    train_of_cut,
    versions_given,
)
from releaser.domain.version import Scheme, parse
from releaser.errors import InvalidError, RefusedError

FIRST = date(2026, 11, 3)  # a Tuesday
SAID_AT = datetime(2026, 1, 1, tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rhythm(first_on: date = FIRST, cadence_days: int = 14, zone: str = "UTC", **rules: object) -> Rhythm:
    return Rhythm(first_on=first_on, cadence_days=cadence_days, zone=zone, rules=TrainRules(**rules))  # type: ignore[arg-type]


def said(state: TrainState, on: date | None = None, when: datetime = SAID_AT) -> Decision:
    return Decision(state=state, on=on, by="rita", reason="the fair", at=when)


def days(trains: tuple[Train, ...]) -> list[str]:
    return [str(one.on) if not one.skipped else f"{one.slot_on} skipped" for one in trains]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-01T00:00", ["2026-11-03", "2026-11-17"]),
        ("2026-11-03T11:59", ["2026-11-03", "2026-11-17"]),
        ("2026-11-03T12:00", ["2026-11-17", "2026-12-01"]),
        ("2026-11-17T13:00", ["2026-12-01", "2026-12-15"]),
        ("2036-11-03T00:00", ["2036-11-04", "2036-11-18"]),
    ],
)
def test_trains_leave_by_the_rhythm(now: str, expected: list[str]) -> None:
    assert days(coming(rhythm(), {}, now=at(now), count=2)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-03T11:59", []),
        ("2026-11-03T12:00", ["2026-11-03"]),
        ("2026-12-24T00:00", ["2026-12-01", "2026-12-15"]),
    ],
)
def test_trains_that_left_stand_oldest_first(now: str, expected: list[str]) -> None:
    assert days(left(rhythm(), {}, now=at(now), count=2)) == expected


# The Russian calendar as published: 1 to 11 January 2026 off (9 January moved from Saturday 3), 9 and 11 May moved, 31 December
# 2026 moved from Sunday 4 January; Saturday 1 November 2025 was worked for Monday 3.
@pytest.mark.parametrize(
    ("slot", "rule", "expected", "because"),
    [
        ("2025-11-01", DayOff.LATER, "2025-11-01", Because.RHYTHM),
        ("2025-11-03", DayOff.LATER, "2025-11-05", Because.HOLIDAY),
        ("2025-11-03", DayOff.EARLIER, "2025-11-01", Because.HOLIDAY),
        ("2025-11-08", DayOff.LATER, "2025-11-10", Because.WEEKEND),
        ("2026-01-01", DayOff.LATER, "2026-01-12", Because.HOLIDAY),
        ("2026-01-01", DayOff.EARLIER, "2025-12-30", Because.HOLIDAY),
        ("2026-01-01", DayOff.SKIP, "2026-01-01 skipped", Because.HOLIDAY),
        ("2026-01-09", DayOff.LATER, "2026-01-12", Because.HOLIDAY),
        ("2026-12-31", DayOff.EARLIER, "2026-12-30", Because.HOLIDAY),
        ("2026-05-11", DayOff.LATER, "2026-05-12", Because.HOLIDAY),
    ],
)
def test_train_on_a_russian_day_off_leaves_as_the_product_says(
    slot: str, rule: DayOff, expected: str, because: Because
) -> None:
    train = train_at(rhythm(day(slot), country="RU", on_day_off=rule), day(slot), {})
    assert (days((train,)), train.because) == ([expected], because)


def test_day_off_is_called_by_its_name() -> None:
    train = train_at(rhythm(day("2026-01-09"), country="RU"), day("2026-01-09"), {})
    assert "01/03/2026" in train.day_off


@pytest.mark.parametrize("rule", list(DayOff))
def test_train_beyond_the_calendar_is_not_known(rule: DayOff) -> None:
    slow = rhythm(day("2026-12-29"), known_until=day("2026-12-31"), country="DE", on_day_off=rule)
    first, second = (train_at(slow, slow.slot(n), {}) for n in (0, 1))
    assert first.certain
    assert not second.certain
    assert second.known_until == day("2026-12-31")
    assert second.on == second.slot_on


def test_train_whose_next_working_day_is_beyond_the_calendar_is_not_known() -> None:
    known = rhythm(day("2026-12-26"), known_until=day("2026-12-27"))
    assert train_at(known, known.first_on, {}).because is Because.NOT_KNOWN


def test_train_without_a_working_day_before_the_next_is_skipped() -> None:
    weekly = rhythm(day("2026-01-01"), 7, country="RU")
    first, second = (train_at(weekly, weekly.slot(n), {}) for n in (0, 1))
    assert (first.skipped, first.because) == (True, Because.NO_WORKING_DAY)
    assert days((second,)) == ["2026-01-12"]


@pytest.mark.parametrize(
    ("slot", "zone", "hour", "expected"),
    [
        ("2026-03-27", "Europe/Berlin", time(10), "2026-03-27T09:00"),
        ("2026-03-30", "Europe/Berlin", time(10), "2026-03-30T08:00"),
        # Clocks jump from 02:00 to 03:00 on Sunday 29 March 2026, which is worked here.
        ("2026-03-29", "Europe/Berlin", time(2, 30), "2026-03-29T01:00"),
        # Clocks show 02:30 twice on Sunday 25 October 2026: the first time counts.
        ("2026-10-25", "Europe/Berlin", time(2, 30), "2026-10-25T00:30"),
        ("2026-12-31", "Pacific/Kiritimati", time(1), "2026-12-30T11:00"),
        ("2026-12-31", "America/Los_Angeles", time(23), "2027-01-01T07:00"),
    ],
)
def test_train_leaves_at_the_local_hour_whatever_the_clocks_do(slot: str, zone: str, hour: time, expected: str) -> None:
    here = rhythm(day(slot), zone=zone, at=hour, working_days=(day(slot),))
    assert train_at(here, day(slot), {}).departs_at == at(expected)


# -- against the slow truth --

RULES = st.builds(
    TrainRules,
    at=st.times(min_value=time(0), max_value=time(23, 59)).map(lambda one: one.replace(second=0, microsecond=0)),
    country=st.sampled_from([None, "RU", "KZ", "DE-BY", "US"]),
    on_day_off=st.sampled_from(DayOff),
    days_off=st.lists(st.dates(day("2024-01-01"), day("2027-12-31")), max_size=8).map(tuple),
    working_days=st.lists(st.dates(day("2024-01-01"), day("2027-12-31")), max_size=4).map(tuple),
    known_until=st.none() | st.dates(day("2026-06-01"), day("2030-12-31")),
)
RHYTHMS = st.builds(
    Rhythm,
    first_on=st.dates(day("2023-06-01"), day("2026-12-31")),
    cadence_days=st.sampled_from([1, 2, 7, 10, 14, 14, 14, 28, 90]),
    zone=st.sampled_from(["UTC", "Europe/Moscow", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Chatham"]),
    rules=RULES,
)
NOWS = st.datetimes(datetime(2023, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis adds the zone


def worked(here: Rhythm, on: date) -> bool | None:
    """Whether a day is worked, None where that is not known: by the parts of the rule, one after the other."""
    rules = here.rules
    if on in rules.days_off:
        return False
    if on in rules.working_days:
        return True
    calendar = rules.calendar
    known = Changes(known_until=rules.known_until).known_until or type(calendar)(country=rules.country).known_until
    if known is not None and on > known:
        return None
    return type(calendar)(country=rules.country, changes=Changes(known_until=LATEST)).is_working(on)


def slow_day(here: Rhythm, slot: date) -> date | str | None:
    """The day of a train by looking at every day between its neighbours' slots; None when skipped."""
    cadence = timedelta(days=here.cadence_days)
    rule = here.rules.on_day_off
    if rule is DayOff.EARLIER:
        room = [slot - timedelta(days=n) for n in range(cadence.days)]
    else:
        room = [slot + timedelta(days=n) for n in range(cadence.days)]
    for on in room[: 1 if rule is DayOff.SKIP else None]:
        verdict = worked(here, on)
        if verdict is None:
            return "not known"
        if verdict:
            return on
    return None


def slow_preview(here: Rhythm, now: datetime, count: int) -> list[tuple[date, date | str | None]]:
    """The next trains by walking over every slot from the first."""
    found: list[tuple[date, date | str | None]] = []
    slot = here.first_on
    while len(found) < count:
        on = slow_day(here, slot)
        leaves_on = on if isinstance(on, date) else slot
        local = now.astimezone(ZoneInfo(here.zone)).replace(tzinfo=None)
        # Clocks that jump decide nothing here but within an hour around the train, which is left to the tables above.
        if abs((datetime.combine(leaves_on, here.rules.at) - local).total_seconds()) < 7200:
            return []
        if datetime.combine(leaves_on, here.rules.at) > local:
            found.append((slot, on))
        slot += timedelta(days=here.cadence_days)
    return found


@given(here=RHYTHMS, now=NOWS)
def test_preview_equals_a_walk_over_every_day(here: Rhythm, now: datetime) -> None:
    truth = slow_preview(here, now, 26)
    shown = [
        (one.slot_on, None if one.skipped else one.on if one.certain else "not known")
        for one in coming(here, {}, now=now, count=26)
    ]
    assert shown == truth or not truth


@given(here=RHYTHMS, now=NOWS, steps=st.lists(st.tuples(st.integers(0, 25), st.integers(-20, 40)), max_size=6))
def test_what_is_decided_of_one_train_moves_no_other(here: Rhythm, now: datetime, steps: list[tuple[int, int]]) -> None:
    decisions: dict[date, Decision] = {}
    for number, away in steps:
        before = coming(here, decisions, now=now, count=40)
        train = before[number]
        state = (TrainState.SKIPPED, TrainState.SCHEDULED, TrainState.SHIFTED)[min(2, abs(away) % 7)]
        on = train.slot_on + timedelta(days=away) if state is TrainState.SHIFTED else None
        decision = said(state, on, when=now)
        try:
            moved = decided(here, decisions, train, decision)
        except RefusedError:
            continue
        decisions[train.slot_on] = decision
        after = {one.slot_on: one for one in coming(here, decisions, now=now, count=40)}
        assert after.get(train.slot_on, moved) == moved
        for other in before[:26]:
            if other.slot_on != train.slot_on:
                assert after[other.slot_on] == other
        running = [one.on for one in coming(here, decisions, now=now, count=26) if not one.skipped]
        assert running == sorted(set(running)), "a train overtook another one"


@given(here=RHYTHMS, now=NOWS, count=st.integers(0, 30))
def test_trains_that_left_and_trains_to_come_are_all_there_are(here: Rhythm, now: datetime, count: int) -> None:
    behind, ahead = left(here, {}, now=now, count=count), coming(here, {}, now=now, count=count)
    assert all(one.departs_at <= now for one in behind)
    assert all(one.departs_at > now for one in ahead)
    slots = [one.slot_on for one in (*behind, *ahead)]
    steps = {(after - before).days for before, after in pairwise(slots)}
    assert steps <= {here.cadence_days}
    assert len(ahead) == count


# -- what people make of trains --

NOVEMBER = at("2026-10-20T00:00")


def test_shifted_train_keeps_its_number_and_the_next_does_not_move() -> None:
    moved = {day("2026-11-17"): said(TrainState.SHIFTED, day("2026-11-20"))}
    shown = table(moved).coming(3)
    assert days(shown) == ["2026-11-03", "2026-11-20", "2026-12-01"]
    assert [one.expected for one in shown] == ["3.5", "3.6", "3.7"]
    assert shown[1].slot_on == day("2026-11-17")


def test_skipped_train_gives_no_number() -> None:
    shown = table({day("2026-11-17"): said(TrainState.SKIPPED)}).coming(3)
    assert [one.expected for one in shown] == ["3.5", None, "3.6"]


def test_restored_train_leaves_by_the_calendar_again() -> None:
    restored = {day("2026-11-17"): said(TrainState.SCHEDULED)}
    assert days(table(restored).coming(2)) == ["2026-11-03", "2026-11-17"]


@pytest.mark.parametrize(
    ("on", "error"),
    [
        ("2026-12-01", TrainOrderError),
        ("2026-12-24", TrainOrderError),
        ("2026-11-03", TrainOrderError),
        ("2026-10-19", RefusedError),
        ("0001-01-01", InvalidError),
        ("9999-12-31", InvalidError),
    ],
)
def test_train_cannot_overtake_nor_leave_in_the_past(on: str, error: type[Exception]) -> None:
    here = rhythm()
    train = train_at(here, day("2026-11-17"), {})
    with pytest.raises(error):
        decided(here, {}, train, said(TrainState.SHIFTED, day(on), when=NOVEMBER))


def test_train_may_leave_where_a_skipped_one_would_have() -> None:
    here = rhythm()
    skipped: Decisions = {day("2026-12-01"): said(TrainState.SKIPPED)}
    train = train_at(here, day("2026-11-17"), skipped)
    assert decided(here, skipped, train, said(TrainState.SHIFTED, day("2026-12-02"), when=NOVEMBER)).on == day(
        "2026-12-02"
    )


def test_skipped_train_cannot_be_restored_where_another_was_shifted_to() -> None:
    here = rhythm()
    decisions = {
        day("2026-12-01"): said(TrainState.SKIPPED),
        day("2026-11-17"): said(TrainState.SHIFTED, day("2026-12-02")),
    }
    train = train_at(here, day("2026-12-01"), decisions)
    with pytest.raises(TrainOrderError):
        decided(here, decisions, train, said(TrainState.SCHEDULED, when=NOVEMBER))


def test_train_that_left_stays_as_it_was() -> None:
    here = rhythm()
    train = train_at(here, FIRST, {})
    with pytest.raises(RefusedError, match="has left"):
        decided(here, {}, train, said(TrainState.SKIPPED, when=at("2026-11-03T12:00")))


@pytest.mark.parametrize(
    ("named", "slot"),
    [("2026-11-17", "2026-11-17"), ("2026-11-20", "2026-11-17"), ("next", "2026-11-03"), ("2027-03-23", "2027-03-23")],
)
def test_train_is_named_by_its_slot_or_by_its_day(named: str, slot: str) -> None:
    moved = {day("2026-11-17"): said(TrainState.SHIFTED, day("2026-11-20"))}
    assert train_named(rhythm(), moved, named, now=NOVEMBER).slot_on == day(slot)


@pytest.mark.parametrize("named", ["2026-11-18", "soon", "", "2025-11-04", "9999-12-31"])
def test_train_that_is_none_is_told_with_the_next_ones(named: str) -> None:
    with pytest.raises(TrainNotFoundError, match="2026-11-03, 2026-11-17"):
        train_named(rhythm(), {}, named, now=NOVEMBER)


# -- numbers --


def table(
    decisions: Decisions | None = None, *, cuts: tuple[Cut, ...] = (), now: datetime = NOVEMBER, **rules: object
) -> Timetable:
    known = ["3.3", "3.4", "3.4.1", *(cut.version.text for cut in cuts)]
    return Timetable(
        rhythm=rhythm(**rules),  # type: ignore[arg-type]
        decisions=decisions or {},
        cuts=cuts,
        versions=[parse(one, scheme=Scheme.TWO_PART) for one in known],
        scheme=Scheme.TWO_PART,
        now=now,
    )


def test_stable_cut_before_its_train_is_shown_with_it() -> None:
    cut = Cut(version=parse("3.5", scheme=Scheme.TWO_PART), at=at("2026-11-01T00:00"), slot_on=FIRST)
    assert [one.expected for one in table(cuts=(cut,)).coming(2)] == ["3.5", "3.6"]


@given(here=RHYTHMS, now=NOWS, skipped=st.sets(st.integers(0, 25), max_size=8))
def test_running_trains_give_the_next_numbers_one_after_the_other(
    here: Rhythm, now: datetime, skipped: set[int]
) -> None:
    slots = [one.slot_on for one in coming(here, {}, now=now, count=26)]
    decisions = {slots[number]: said(TrainState.SKIPPED, when=now) for number in skipped}
    shown = Timetable(
        rhythm=here,
        decisions=decisions,
        cuts=(),
        versions=[parse("3.4", scheme=Scheme.TWO_PART)],
        scheme=Scheme.TWO_PART,
        now=now,
    )
    trains = (*([shown.late] if shown.late else []), *shown.coming(26))
    numbers = [one.expected for one in trains if one.expected is not None]
    assert numbers == [f"3.{5 + place}" for place in range(len(numbers))]
    assert all(one.expected is None for one in trains if one.skipped)
    if here.rules.on_day_off is not DayOff.SKIP:
        assert len(numbers) == sum(not one.skipped for one in trains)


def test_late_train_has_the_next_number_until_halfway_to_the_following() -> None:
    soon, later = table(now=at("2026-11-05T00:00")), table(now=at("2026-11-11T00:00"))
    assert [one.expected for one in (*soon.left(1), *soon.coming(1))] == ["3.5", "3.6"]
    assert [one.expected for one in (*later.left(1), *later.coming(1))] == [None, "3.5"]


def test_numbers_after_a_train_that_may_be_skipped_are_not_known() -> None:
    shown = table(known_until=day("2026-11-20"), on_day_off=DayOff.SKIP).coming(3)
    assert [one.expected for one in shown] == ["3.5", "3.6", None]


@pytest.mark.parametrize(
    ("now", "taken", "expected"),
    [
        ("2026-10-01T00:00", [], None),
        ("2026-10-25T00:00", [], "2026-11-03"),
        ("2026-10-25T00:00", ["2026-11-03"], "2026-11-17"),
        ("2026-11-04T00:00", [], "2026-11-03"),
        ("2026-11-04T00:00", ["2026-11-03"], "2026-11-17"),
        ("2026-11-10T11:59", [], "2026-11-03"),
        ("2026-11-10T12:00", [], "2026-11-17"),
    ],
)
def test_cut_belongs_to_the_train_it_leaves_with(now: str, taken: list[str], expected: str | None) -> None:
    train = train_of_cut(rhythm(), {}, taken={day(one) for one in taken}, now=at(now))
    assert (str(train.slot_on) if train else None) == expected


def cuts(*given: tuple[str, str]) -> list[Cut]:
    return [Cut(version=parse(version, scheme=Scheme.TWO_PART), at=at(when)) for version, when in given]


def test_releases_from_before_the_rhythm_leave_the_first_train_its_number() -> None:
    before = cuts(("1.0", "2026-10-24T00:00"), ("1.1", "2026-11-02T18:00"))
    assert versions_given(rhythm(), before, now=at("2026-11-02T20:00")) == {}, "the first train is still to come"
    assert versions_given(rhythm(), before, now=at("2026-11-04T00:00")) == {}, "and nothing was tagged since"


def test_stables_tagged_elsewhere_belong_to_the_last_train_whose_day_had_come_and_the_highest_is_its() -> None:
    weekly = cuts(
        ("1.0", "2026-11-02T00:00"),
        ("1.2", "2026-11-03T09:00"),
        ("1.1", "2026-11-16T23:59"),
        ("1.3", "2026-11-17T00:00"),
        ("1.9", "2026-11-24T00:00"),
        ("1.10", "2026-11-25T00:00"),
    )
    assert versions_given(rhythm(), weekly, now=at("2026-12-24T00:00")) == {
        day("2026-11-03"): "1.2",
        day("2026-11-17"): "1.10",
    }


def test_tag_dated_in_the_future_gives_no_train_to_come_its_number() -> None:
    (claimed,) = cuts(("3.5", "2030-01-01T00:00"))
    shown = table(cuts=(claimed,), now=at("2026-11-21T00:00"))
    assert shown.given == {day("2026-11-17"): "3.5"}
    assert shown.coming(1)[0].expected == "3.6", "a train that is still to come has a number that is published already"


def test_shift_of_the_next_train_makes_the_missed_one_not_late_again() -> None:
    now = at("2026-11-12T00:00")
    following = day("2026-11-17")
    later = {following: said(TrainState.SHIFTED, day("2026-11-28"))}
    skipped = {following: said(TrainState.SKIPPED)}
    assert [table(one, now=now).late for one in ({}, later, skipped)] == [None, None, None]
    assert table(later, now=now).coming(1)[0].expected == table(now=now).coming(1)[0].expected == "3.5"


def test_late_stable_is_taken_no_longer_once_the_following_train_left() -> None:
    moved = {FIRST: said(TrainState.SHIFTED, day("2026-11-16"))}
    shown = table(moved, now=at("2026-11-16T18:00"))
    assert (shown.late and shown.late.slot_on, shown.late_until) == (FIRST, at("2026-11-17T12:00"))
    assert table(moved, now=at("2026-11-17T12:00")).is_over(train_at(rhythm(), FIRST, moved))


def test_cut_made_before_a_first_train_that_was_shifted_still_leaves_with_it() -> None:
    moved = {FIRST: said(TrainState.SHIFTED, day("2026-11-12"))}
    train = train_of_cut(rhythm(), moved, taken=(), now=at("2026-10-25T00:00"))
    assert train is not None
    assert train.slot_on == FIRST, "a shift made the release the one of no train"


_STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(TrainState), st.integers(-5, 12)), min_size=1, max_size=5
)
_TAGGED = st.lists(st.tuples(st.integers(-2000, 200), st.booleans()), max_size=4)


@given(
    here=RHYTHMS,
    now=st.integers(0, 24 * 120).map(lambda hours: at("2026-12-01T00:00") + timedelta(hours=hours)),
    steps=_STEPS,
    tagged=_TAGGED,
)
def test_decisions_renumber_no_other_train(
    here: Rhythm, now: datetime, steps: list[tuple[int, TrainState, int]], tagged: list[tuple[int, bool]]
) -> None:
    known = [parse(f"1.{place}", scheme=Scheme.TWO_PART) for place in range(len(tagged) + 1)]
    found = tuple(
        Cut(
            version=version,
            at=now + timedelta(hours=min(0, hours)),
            slot_on=here.slot(here.number(now.date()) + abs(hours) % 5) if ours else None,
        )
        for version, (hours, ours) in zip(known[1:], sorted(tagged), strict=True)
    )

    def seen(decisions: Decisions) -> Timetable:
        return Timetable(rhythm=here, decisions=decisions, cuts=found, versions=known, scheme=Scheme.TWO_PART, now=now)

    decisions: dict[date, Decision] = {}
    for number, state, away in steps:
        before = seen(decisions)
        train = before.coming(13)[number]
        if state is TrainState.SKIPPED and train.slot_on in before.given:
            continue  # the flow refuses it
        on = train.slot_on + timedelta(days=away) if state is TrainState.SHIFTED else None
        decision = said(state, on, when=now)
        try:
            after_it = decided(here, decisions, train, decision)
        except RefusedError:
            continue
        decisions = {**decisions, train.slot_on: decision}
        _renumbered_none(before, seen(decisions), train, after_it)


def _renumbered_none(before: Timetable, after: Timetable, train: Train, decided_so: Train) -> None:
    """No train has another number; but a skipped one hands its own to the next, and takes it back when restored."""
    assert before.given == after.given, "a decision gave a release to another train"
    was, now = _numbers(before), _numbers(after)
    hands_on = train.skipped != decided_so.skipped
    for slot_on in was.keys() & now.keys():
        if hands_on and (slot_on == train.slot_on or (slot_on > train.slot_on and slot_on not in before.given)):
            continue
        # Where the calendar is not known, a person's day makes numbers known.
        made_known = None in (was[slot_on], now[slot_on]) and train.certain != decided_so.certain
        assert made_known or was[slot_on] == now[slot_on], (
            f"the train of {slot_on} had {was[slot_on]} and has {now[slot_on]} by a decision about {train.slot_on}, "
            f"{train.because} and then {decided_so.because}"
        )
    free_was, free_now = (
        [told for slot_on, told in one.items() if told and slot_on not in before.given] for one in (was, now)
    )
    assert all(one == other for one, other in zip(free_was, free_now, strict=False)), "a number is left out"


def _numbers(table: Timetable) -> dict[date, str | None]:
    trains = sorted((*table.left(5), *table.coming(26)), key=lambda one: one.slot_on)
    return {one.slot_on: one.expected for one in trains}


@given(here=RHYTHMS, now=NOWS, hours=st.lists(st.integers(-3000, 0), max_size=8))
def test_train_to_come_never_has_a_number_that_is_published_already(
    here: Rhythm, now: datetime, hours: list[int]
) -> None:
    known = [parse(f"1.{place}", scheme=Scheme.TWO_PART) for place in range(len(hours) + 1)]
    shown = Timetable(
        rhythm=here,
        decisions={},
        cuts=[Cut(version=one, at=now + timedelta(hours=n)) for one, n in zip(known[1:], sorted(hours), strict=True)],
        versions=known,
        scheme=Scheme.TWO_PART,
        now=now,
    )
    today = now.astimezone(ZoneInfo(here.zone)).date()
    published = {one.text for one in known}
    for train in shown.coming(5):
        assert train.on <= today or train.expected not in published
