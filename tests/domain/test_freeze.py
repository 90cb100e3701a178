"""When freezes begin, where a branch was then, which entries are late, and which of those a cut refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.freeze import (
    Entry,
    FreezeException,
    HeadSeen,
    Phase,
    Phases,
    Point,
    PointStated,
    Proof,
    Why,
    frozen,
    phases_of,
    point_of,
)
from releaser.domain.freeze_entries import branch_point, frozen_entries
from releaser.domain.train import DayOff, Decision, Rhythm, TrainRules, TrainState, train_at
from tests.fakes.told_history import Told, id_of

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- phases --


def phases(slot: str, zone: str = "Europe/Moscow", **rules: Any) -> Phases:  # noqa: ANN401 -- any of the rules
    here = Rhythm(first_on=date.fromisoformat(slot), zone=zone, rules=TrainRules(at=time(10), **rules))
    return phases_of(train_at(here, here.first_on, {}), here)


def test_phases_are_counted_in_working_days_at_the_local_hour() -> None:
    found = phases("2026-11-10", country="RU", branch_point_days=5, soft_freeze_days=3, freeze_days=1, thaw_hours=2)
    # Wednesday 4 November is Unity Day.
    assert found == Phases(
        branch_point_at=at("2026-11-02T07:00"),
        soft_freeze_at=at("2026-11-05T07:00"),
        freeze_at=at("2026-11-09T07:00"),
        thaw_at=at("2026-11-10T09:00"),
    )


def test_freeze_before_clocks_change_begins_at_the_same_local_hour() -> None:
    found = phases("2026-10-27", zone="Europe/Berlin", freeze_days=2)
    assert (found.freeze_at, found.thaw_at) == (at("2026-10-23T08:00"), at("2026-10-27T09:00"))


def test_freeze_of_the_first_train_of_a_year_begins_in_the_old_one() -> None:
    assert phases("2026-01-13", country="RU", freeze_days=2).freeze_at == at("2025-12-30T07:00")


def test_product_without_freeze_rules_has_no_phases() -> None:
    assert phases("2026-11-10") == Phases()


@pytest.mark.parametrize(
    "rules", [{"known_until": date(2026, 11, 9)}, {"days_off": (date(2026, 11, 10),), "on_day_off": DayOff.SKIP}]
)
def test_uncertain_and_skipped_trains_have_no_phases(rules: dict[str, Any]) -> None:
    assert phases("2026-11-10", freeze_days=2, **rules) == Phases()


def test_train_shifted_beyond_the_calendar_has_only_the_phases_that_are_known() -> None:
    rules = TrainRules(known_until=date(2026, 11, 12), freeze_days=1)
    here = Rhythm(first_on=date(2026, 11, 10), rules=rules)
    shifted = Decision(state=TrainState.SHIFTED, on=date(2026, 11, 20), by="rita", reason="fair", at=NOW)
    found = phases_of(train_at(here, here.first_on, {here.first_on: shifted}), here)
    assert (found.freeze_at, found.thaw_at) == (None, at("2026-11-20T12:00"))


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        ("2026-11-02T06:59", Phase.OPEN),
        ("2026-11-02T07:00", Phase.BRANCH_POINT),
        ("2026-11-05T07:00", Phase.SOFT_FREEZE),
        ("2026-11-09T07:00", Phase.FREEZE),
        ("2026-11-10T08:59", Phase.FREEZE),
        ("2026-11-10T09:00", Phase.THAW),
    ],
)
def test_phase_at_an_instant_is_the_last_that_began(now: str, phase: Phase) -> None:
    found = phases("2026-11-10", country="RU", branch_point_days=5, soft_freeze_days=3, freeze_days=1, thaw_hours=2)
    assert found.at(at(now)) is phase


# -- where the branch was --


def seen(commit: str, first: int, last: int) -> HeadSeen:
    """A head seen from `first` to `last` minutes around the freeze."""
    return HeadSeen(commit=commit, first_at=NOW + timedelta(minutes=first), last_at=NOW + timedelta(minutes=last))


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ([seen("a", -60, 60)], ("a", Proof.SEEN, None)),
        ([seen("a", -60, 0)], ("a", Proof.SEEN, None)),
        ([seen("a", -60, -10), seen("b", 1, 30)], ("b", Proof.SEEN, None)),
        ([seen("a", -60, -10), seen("b", 5, 30)], ("b", Proof.SEEN, None)),
        ([seen("a", -60, -10), seen("b", 6, 30), seen("c", 40, 50)], ("a", Proof.UNPROVED, "b")),
        ([seen("b", 6, 30)], (None, Proof.UNPROVED, "b")),
        ([seen("a", -60, -10)], ("a", Proof.UNPROVED, None)),
        ([], (None, Proof.UNPROVED, None)),
    ],
)
def test_branch_was_where_it_was_seen_at_the_freeze(
    heads: list[HeadSeen], expected: tuple[str | None, Proof, str | None]
) -> None:
    point = point_of(NOW, heads, None)
    assert (point.commit, point.proof, point.seen_after) == expected


def test_persons_word_counts_above_what_was_seen() -> None:
    word = PointStated(commit="z", by="rita", reason="the log", at=NOW)
    assert point_of(NOW, [seen("a", -60, 60)], word) == Point(at=NOW, commit="z", proof=Proof.STATED)


def test_branch_made_after_the_freeze_was_where_it_came_from() -> None:
    assert branch_point(NOW, [seen("b", 30, 60)], [seen("a", -60, 60)], None).commit == "a"
    assert branch_point(NOW, [seen("b", -30, 60)], [seen("a", -60, 60)], None).commit == "b"


# -- which entries are late --


def world() -> Told:
    """`base` is released; `in_time` landed before the freeze; all others after it."""
    told = Told().commit("base").commit("in_time", "base", message="T-1: in time")
    return told.tag("v1.0", "base")


def late(told: Told, tip: str, frozen_at: Point | None = None, soft: Point | None = None) -> dict[str, tuple[str, ...]]:
    history = told.branch("main", tip).history()
    index = history.find(id_of(tip))
    assert index is not None
    if frozen_at is None and soft is None:
        frozen_at = Point(at=NOW, commit=id_of("in_time"), proof=Proof.SEEN)
    entries = frozen_entries(history, index, soft=soft, freeze=frozen_at)
    by_id = {id_of(name): name for name in told.names}
    return {by_id[one.commit]: one.tickets for one in entries}


def test_commit_that_lies_about_its_date_is_late_all_the_same() -> None:
    told = world().commit("late", "in_time", message="T-2: late", authored=1_000_000)
    assert late(told, "late") == {"late": ("T-2",)}


def test_nothing_is_late_at_the_head_that_was_frozen() -> None:
    assert late(world(), "in_time") == {}


def test_branch_begun_in_time_but_merged_later_is_late() -> None:
    told = world().commit("side", "base", message="T-3: aside").commit("merge", "in_time", "side", message="Merge side")
    assert late(told, "merge") == {"side": ("T-3",)}


def test_merge_that_names_a_ticket_is_an_entry() -> None:
    told = world().commit("side", "base", message="T-3: aside")
    told.commit("merge", "in_time", "side", message="Merge T-4: evil")
    assert late(told, "merge") == {"side": ("T-3",), "merge": ("T-4",)}


def test_what_landed_late_and_was_taken_back_is_nobodys_business() -> None:
    told = world().commit("late", "in_time", message="T-2: late")
    told.commit("back", "late", message='Revert "T-2: late"\n\nThis reverts commit {late}.')
    assert late(told, "back") == {}


def test_what_was_taken_back_and_came_again_is_late() -> None:
    told = world().commit("late", "in_time", message="T-2: late")
    told.commit("back", "late", message='Revert "T-2: late"\n\nThis reverts commit {late}.')
    told.commit("again", "back", message='Reapply "T-2: late"\n\nThis reverts commit {back}.')
    assert "late" in late(told, "again")


def test_late_revert_of_what_landed_in_time_is_an_entry_for_its_ticket() -> None:
    told = world().commit("back", "in_time", message='Revert "T-1: in time"\n\nThis reverts commit {in_time}.')
    assert late(told, "back") == {"back": ("T-1",)}


def test_commit_that_only_refers_to_tickets_is_an_entry_for_them() -> None:
    told = world().commit("late", "in_time", message="chore: tidy up\n\nRefs: T-7")
    assert late(told, "late") == {"late": ("T-7",)}


def test_fixed_tickets_count_and_those_referred_to_beside_them_do_not() -> None:
    told = world().commit("late", "in_time", message="T-8: fix it\n\nRefs: T-7")
    assert late(told, "late") == {"late": ("T-8",)}


def test_rewritten_branch_is_late_as_a_whole() -> None:
    told = world().commit("other", "base", message="T-1: in time")
    assert late(told, "other") == {"other": ("T-1",)}


def test_what_a_stable_has_already_is_not_late() -> None:
    told = world().commit("shipped", "in_time", message="T-2: out").tag("v1.1", "shipped")
    told.commit("late", "shipped", message="T-3: late")
    assert late(told, "late") == {"late": ("T-3",)}


def test_where_nothing_is_known_everything_unreleased_may_be_late() -> None:
    told = world().commit("late", "in_time", message="T-2: late")
    assert late(told, "late", Point(at=NOW, commit=None, proof=Proof.UNPROVED)) == {
        "in_time": ("T-1",),
        "late": ("T-2",),
    }


def test_soft_freeze_and_freeze_are_told_apart_and_so_is_how_it_is_known() -> None:
    told = world().commit("softly", "in_time", message="T-2: a").commit("maybe", "softly", message="T-3: b")
    told.commit("late", "maybe", message="T-4: c")
    history = told.branch("main", "late").history()
    tip = history.find(id_of("late"))
    assert tip is not None
    entries = frozen_entries(
        history,
        tip,
        soft=Point(at=NOW - HOUR, commit=id_of("in_time"), proof=Proof.SEEN),
        freeze=Point(at=NOW, commit=id_of("softly"), proof=Proof.UNPROVED, seen_after=id_of("maybe")),
    )
    assert [(one.tickets, one.landed, one.proof) for one in entries] == [
        (("T-2",), Phase.SOFT_FREEZE, Proof.SEEN),
        (("T-3",), Phase.FREEZE, Proof.UNPROVED),
        (("T-4",), Phase.FREEZE, Proof.SEEN),
    ]


# -- what a cut refuses --


def entry(*tickets: str, landed: Phase = Phase.FREEZE) -> Entry:
    return Entry(commit="c" * 40, subject="s", tickets=tickets, landed=landed)


def leave(ticket: str, *, expires: datetime = NOW + HOUR, revoked: datetime | None = None) -> FreezeException:
    return FreezeException(
        ticket=ticket, approver="olga", reason="the law", made_at=NOW - HOUR, expires_at=expires, revoked_at=revoked
    )


@pytest.mark.parametrize(
    ("one", "exceptions", "planned", "refused"),
    [
        (entry("T-1", landed=Phase.OPEN), [], [], None),
        (entry("T-1"), [], [], (Why.NO_EXCEPTION, ("T-1",))),
        (entry("T-1"), [leave("T-1")], [], None),
        (entry("T-1"), [leave("T-2")], [], (Why.NO_EXCEPTION, ("T-1",))),
        (entry("T-1", "T-2"), [leave("T-1")], [], (Why.NO_EXCEPTION, ("T-2",))),
        (entry("T-1", "T-2"), [leave("T-1"), leave("T-2")], [], None),
        (entry(), [leave("T-1")], [], (Why.NO_TICKET, ())),
        (entry("T-1"), [leave("T-1", expires=NOW)], [], (Why.EXPIRED, ("T-1",))),
        (entry("T-1"), [leave("T-1", revoked=NOW)], [], (Why.EXPIRED, ("T-1",))),
        (entry("T-1"), [leave("T-1", expires=NOW), leave("T-1")], [], None),
        (entry("T-1"), [], ["T-1"], (Why.NO_EXCEPTION, ("T-1",))),
        (entry("T-1", landed=Phase.SOFT_FREEZE), [], ["T-1"], None),
        (entry("T-1", landed=Phase.SOFT_FREEZE), [leave("T-1")], [], None),
        (entry("T-1", landed=Phase.SOFT_FREEZE), [], ["T-2"], (Why.NOT_PLANNED, ("T-1",))),
        (entry(landed=Phase.SOFT_FREEZE), [], [], (Why.NO_TICKET, ())),
    ],
)
def test_late_entry_needs_leave_for_each_of_its_tickets(
    one: Entry, exceptions: list[FreezeException], planned: list[str], refused: tuple[Why, tuple[str, ...]] | None
) -> None:
    found = frozen([one], exceptions=exceptions, planned=planned, now=NOW)
    assert [(violation.why, violation.tickets) for violation in found] == ([refused] if refused else [])


KEYS = st.sampled_from(["T-1", "T-2", "T-3"])


@given(
    entries=st.lists(st.lists(KEYS, unique=True).map(lambda keys: entry(*keys)), max_size=6),
    excepted=st.lists(KEYS, max_size=4),
)
def test_more_leave_never_refuses_more(entries: list[Entry], excepted: list[str]) -> None:
    def refused(keys: list[str]) -> set[tuple[str, ...]]:
        return {one.entry.tickets for one in frozen(entries, exceptions=[leave(key) for key in keys], now=NOW)}

    smaller = refused(excepted)
    for key in ("T-1", "T-2", "T-3"):
        assert refused([*excepted, key]) <= smaller
    assert refused(["T-1", "T-2", "T-3"]) <= {()}
