"""Trains as people see and change them, what is frozen before they leave, and what they leave behind. Real git, a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from releaser.domain.declaration import Declaration, DeclaredProduct
from releaser.domain.freeze import Phase
from releaser.domain.request import CloseReason
from releaser.domain.train import DayOff, TrainNotFoundError, TrainRules
from releaser.errors import InvalidError, NotFoundError, RefusedError
from releaser.flows.add_ticket import add_ticket
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.carry_over import carry_over
from releaser.flows.close_ticket import close_ticket
from releaser.flows.except_ticket import ApproverMissingError, ExpiryError, except_ticket
from releaser.flows.freeze_state import freeze_state
from releaser.flows.list_plans import list_plans
from releaser.flows.list_trains import list_trains
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.render_trains import render_trains
from releaser.flows.reopen_ticket import reopen_ticket
from releaser.flows.restore_train import restore_train
from releaser.flows.revoke_exception import revoke_exception
from releaser.flows.shift_train import shift_train
from releaser.flows.skip_train import skip_train
from releaser.flows.state_freeze_point import state_freeze_point
from releaser.flows.state_planned_for import state_planned_for
from releaser.flows.watch_trains import watch_trains
from releaser.store import products, trains
from releaser.store.plain import dump
from tests.fakes.release_world import ReleaseWorld

FIRST = date(2026, 3, 10)
SECOND, THIRD, FOURTH = (FIRST + timedelta(days=14 * n) for n in (1, 2, 3))
FREEZE = datetime(2026, 3, 6, 12, tzinfo=UTC)
DEPARTS = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """It is Monday 2 March 2026; the first train leaves on Tuesday 10 March at noon UTC, frozen from Friday noon on."""
    world = ReleaseWorld(tmp_path)
    rules(world, freeze_days=2)
    yield world
    world.close()


def rules(world: ReleaseWorld, **given: Any) -> None:  # noqa: ANN401 -- any of the rules
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = FIRST, dump(TrainRules(**given))


def preview(world: ReleaseWorld, count: int = 3) -> list[tuple[date, date | None, str | None, str]]:
    found = list_trains(world.ports, product="shop", count=count)["trains"]
    return [(one["train"], one["on"], one["version"], one["state"]) for one in found]


def shift(world: ReleaseWorld, train: str, on: date) -> dict[str, Any]:
    return shift_train(world.ports, product="shop", train=train, on=on, reason="the fair", by="rita")


def skip(world: ReleaseWorld, train: str) -> dict[str, Any]:
    return skip_train(world.ports, product="shop", train=train, reason="holidays", by="rita")


def plan(world: ReleaseWorld, key: str, train: str | None) -> dict[str, Any]:
    return plan_ticket(world.ports, key=key, product="shop", train=train, by="rita")


def way(world: ReleaseWorld, key: str) -> dict[str, Any]:
    return next(one for one in list_plans(world.ports, product="shop") if one["ticket"] == key)


def frozen(world: ReleaseWorld) -> list[tuple[list[str], str, str]]:
    world.collect()
    return [
        (one["tickets"], one["why"], one["proof"]) for one in freeze_state(world.ports, product="shop")["violations"]
    ]


def leave(world: ReleaseWorld, ticket: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- what the flow takes
    given = {"approver": "olga", "reason": "the law", "by": "rita", **more}
    return except_ticket(world.ports, product="shop", ticket=ticket, **given)


# -- trains --


def test_preview_shows_days_and_numbers_of_trains(world: ReleaseWorld) -> None:
    world.collect()
    assert preview(world) == [
        (FIRST, FIRST, "1.1", "scheduled"),
        (SECOND, SECOND, "1.2", "scheduled"),
        (THIRD, THIRD, "1.3", "scheduled"),
    ]


def test_shifted_train_keeps_its_number_tells_why_and_leaves_the_next_alone(world: ReleaseWorld) -> None:
    world.collect()
    facts = shift(world, str(SECOND), date(2026, 3, 26))
    assert (facts["train"], facts["was_on"], facts["on"], facts["version"]) == (
        SECOND,
        SECOND,
        date(2026, 3, 26),
        "1.2",
    )
    assert preview(world)[1:] == [(SECOND, date(2026, 3, 26), "1.2", "shifted"), (THIRD, THIRD, "1.3", "scheduled")]
    shown = list_trains(world.ports, product="shop", count=2)["trains"][1]
    assert (shown["decided_by"], shown["reason"]) == ("rita", "shifted from 24 March 2026 by rita: the fair")
    russian = list_trains(world.ports, product="shop", count=2, language="ru")["trains"][1]
    assert "24 марта 2026" in russian["reason"]


def test_train_is_named_by_its_new_day_as_well(world: ReleaseWorld) -> None:
    shift(world, "next", date(2026, 3, 12))
    shift(world, "2026-03-12", date(2026, 3, 13))
    assert [one["was_on"] for one in story(world, FIRST)] == [FIRST, date(2026, 3, 12)]


def story(world: ReleaseWorld, slot: date) -> list[dict[str, Any]]:
    with world.database.reading() as session:
        return trains.story(session, products.get(session, "shop").id, slot)


def test_same_shift_again_changes_nothing(world: ReleaseWorld) -> None:
    shift(world, "next", date(2026, 3, 12))
    assert shift(world, str(FIRST), date(2026, 3, 12))["unchanged"] is True
    assert len(story(world, FIRST)) == 1


def test_skipped_train_gives_its_number_to_the_next_and_may_be_restored(world: ReleaseWorld) -> None:
    world.collect()
    skip(world, str(SECOND))
    assert preview(world) == [
        (FIRST, FIRST, "1.1", "scheduled"),
        (SECOND, None, None, "skipped"),
        (THIRD, THIRD, "1.2", "scheduled"),
    ]
    assert skip(world, str(SECOND))["unchanged"] is True
    restore_train(world.ports, product="shop", train=str(SECOND), reason="no holidays", by="rita")
    assert preview(world)[1] == (SECOND, SECOND, "1.2", "scheduled")
    assert [one["state"] for one in story(world, SECOND)] == ["skipped", "scheduled"]


def test_skipped_train_that_is_shifted_runs_again(world: ReleaseWorld) -> None:
    skip(world, str(SECOND))
    assert shift(world, str(SECOND), date(2026, 3, 27))["state"] == "shifted"


def test_shift_that_makes_no_sense_is_refused(world: ReleaseWorld) -> None:
    nonsense: list[tuple[str, date, type[Exception], str]] = [
        ("2026-03-24", date(2026, 4, 7), RefusedError, "next one, of 2026-04-07"),
        ("2026-03-24", date(2026, 3, 10), RefusedError, "one before it, of 2026-03-10"),
        ("2026-03-10", date(2026, 3, 1), RefusedError, "is over"),
        ("2026-03-11", date(2026, 3, 12), TrainNotFoundError, "no train '2026-03-11'"),
        ("2026-03-10", date(1, 1, 1), InvalidError, "out of range"),
    ]
    for train, on, error, told in nonsense:
        with pytest.raises(error, match=told):
            shift(world, train, on)
    assert story(world, FIRST) == story(world, SECOND) == []


def test_train_without_a_reason_is_not_moved(world: ReleaseWorld) -> None:
    with pytest.raises(InvalidError, match="reason"):
        shift_train(world.ports, product="shop", train="next", on=date(2026, 3, 12), reason=" ", by="rita")


def test_product_without_trains_says_how_to_get_some(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        products.get(session, "shop").first_train_on = None
    with pytest.raises(RefusedError, match="first_train_on"):
        list_trains(world.ports, product="shop")
    assert freeze_state(world.ports, product="shop")["violations"] == []


def test_train_whose_stable_is_cut_cannot_be_skipped_but_shifted(world: ReleaseWorld) -> None:
    assert world.cut()["version"] == "1.1"
    assert preview(world, 2) == [(FIRST, FIRST, "1.1", "scheduled"), (SECOND, SECOND, "1.2", "scheduled")]
    with pytest.raises(RefusedError, match=r"1\.1 was cut"):
        skip(world, "next")
    assert shift(world, "next", date(2026, 3, 12))["version"] == "1.1"


def test_declared_rules_come_back_as_they_were_and_move_trains(world: ReleaseWorld) -> None:
    declared = DeclaredProduct(
        name="shop",
        repository=str(world.remote.folder),
        first_train_on=date(2026, 1, 1),
        zone="Europe/Moscow",
        trains=TrainRules(country="RU", on_day_off=DayOff.EARLIER, days_off=(date(2026, 3, 12),)),
    )
    for count in (1, 0):
        facts = apply_declaration(
            world.ports, declaration=Declaration(products=(declared,)), dry_run=False, prune=False, by="rita"
        )
        assert facts["changed"] == count
    found = list_trains(world.ports, product="shop", count=1)
    late, coming = found["trains"]
    assert (late["train"], late["state"]) == (date(2026, 2, 26), "late")
    assert (coming["train"], coming["on"]) == (date(2026, 3, 12), date(2026, 3, 11))
    assert found["calendar_known_until"] >= date(2026, 12, 31)


# -- the calendar --


def test_calendar_follows_a_train_through_shift_skip_and_restore(world: ReleaseWorld) -> None:
    world.collect()

    def second() -> tuple[str, datetime, int, str]:
        read = Calendar.from_ical(render_trains(world.ports, product="shop"))
        assert isinstance(read, Calendar)
        uids = [event["uid"] for event in read.walk("VEVENT")]
        assert len(uids) == len(set(uids)) == 26
        event = read.walk("VEVENT")[1]
        assert str(event["uid"]).startswith("train.shop.2026-03-24.")
        return str(event["uid"]), event.decoded("dtstart"), int(str(event["sequence"])), str(event["status"])

    uid = second()[0]
    assert second() == (uid, datetime(2026, 3, 24, 12, tzinfo=UTC), 0, "CONFIRMED")
    shift(world, str(SECOND), date(2026, 3, 26))
    assert second() == (uid, datetime(2026, 3, 26, 12, tzinfo=UTC), 1, "CONFIRMED")
    skip(world, str(SECOND))
    assert second() == (uid, datetime(2026, 3, 24, 12, tzinfo=UTC), 2, "CANCELLED")
    restore_train(world.ports, product="shop", train=str(SECOND), reason="we do", by="rita")
    assert second() == (uid, datetime(2026, 3, 24, 12, tzinfo=UTC), 3, "CONFIRMED")
    assert render_trains(world.ports, product="shop") == render_trains(world.ports, product="shop")


# -- the freeze --


def test_branch_point_is_the_commit_seen_there(world: ReleaseWorld) -> None:
    rules(world, branch_point_days=4, freeze_days=2)
    world.collect()
    world.clock.set(datetime(2026, 3, 4, 12, tzinfo=UTC))
    watch_trains(world.ports, product="shop")
    tip = world.remote.git("rev-parse", "refs/heads/main")
    world.land("SHOP-9: later")
    world.collect()
    state = freeze_state(world.ports, product="shop")
    assert (state["phase"], state["violations"]) == ("branch_point", [])
    assert [(one["phase"], one["commit"], one["proof"]) for one in state["points"]] == [("branch_point", tip, "seen")]


def test_worker_looks_at_the_branch_when_the_freeze_begins_and_then_rests(world: ReleaseWorld) -> None:
    world.collect()
    assert watch_trains(world.ports, product="shop") == {
        "product": "shop", "looked_at": False, "carried": [], "next_at": FREEZE,
    }  # fmt: skip
    world.clock.set(FREEZE)
    assert watch_trains(world.ports, product="shop")["looked_at"] is True
    assert watch_trains(world.ports, product="shop")["looked_at"] is False


def freeze(world: ReleaseWorld) -> None:
    """Let the freeze begin with somebody looking."""
    world.collect()
    world.clock.set(FREEZE + MINUTE)
    watch_trains(world.ports, product="shop")


def test_commit_landed_after_the_freeze_is_refused_whatever_date_it_claims(world: ReleaseWorld) -> None:
    freeze(world)
    assert frozen(world) == []
    tip = world.remote.git("rev-parse", "refs/heads/main")
    world.remote.commit("SHOP-9: sneak in", tip, branch="main", authored=1_600_000_000, committed=1_600_000_000)
    assert frozen(world) == [(["SHOP-9"], "no_exception", "seen")]
    (violation,) = freeze_state(world.ports, product="shop")["violations"]
    assert "landed after the freeze of 6 March 2026, 12:00 (UTC) for the train of 10 March 2026" in violation["detail"]
    assert "releaser freeze except shop SHOP-9" in violation["advice"]


def test_exception_lets_its_one_ticket_in_until_it_expires_or_is_revoked(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("SHOP-9: needed")
    world.land("SHOP-9, SHOP-8: needed and smuggled")
    made = leave(world, "SHOP-9")
    assert (made["train"], made["approver"], made["expires_at"], made["holds"]) == (FIRST, "olga", DEPARTS, True)
    assert frozen(world) == [(["SHOP-9", "SHOP-8"], "no_exception", "seen")]
    leave(world, "SHOP-8", expires_at=FREEZE + HOUR)
    assert frozen(world) == []
    world.clock.set(FREEZE + HOUR)
    assert frozen(world) == [(["SHOP-9", "SHOP-8"], "expired", "seen")]
    revoke_exception(world.ports, product="shop", number=made["id"], reason="no longer", by="olga")
    assert [why for _, why, _ in frozen(world)] == ["expired", "expired"]


def test_exception_for_another_train_does_not_help(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("SHOP-9: needed")
    leave(world, "SHOP-9", train=str(SECOND))
    assert frozen(world) == [(["SHOP-9"], "no_exception", "seen")]


def test_commit_without_a_ticket_cannot_be_excepted(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("tidy up")
    assert frozen(world) == [([], "no_ticket", "seen")]


def test_exception_that_makes_no_sense_is_refused(world: ReleaseWorld) -> None:
    nonsense: list[tuple[str, dict[str, Any], type[Exception]]] = [
        ("SHOP-9", {"approver": " "}, ApproverMissingError),
        ("SHOP-9", {"reason": ""}, InvalidError),
        ("SHOP-9", {"expires_at": datetime(2026, 3, 1, tzinfo=UTC)}, ExpiryError),
        ("nonsense", {}, InvalidError),
        ("SHOP-9", {"train": "2026-03-11"}, TrainNotFoundError),
    ]
    for ticket, more, error in nonsense:
        with pytest.raises(error):
            leave(world, ticket, **more)


def test_exception_of_another_product_is_not_found(world: ReleaseWorld) -> None:
    with pytest.raises(NotFoundError, match="no exception 7"):
        revoke_exception(world.ports, product="shop", number=7, reason="x", by="olga")


def test_freeze_nobody_looked_at_is_unproved_until_a_person_says_where_the_branch_was(world: ReleaseWorld) -> None:
    world.collect()
    in_time = world.land("SHOP-7: pushed in time, seen by nobody")
    world.clock.set(FREEZE + HOUR)
    world.land("SHOP-9: late")
    assert frozen(world) == [(["SHOP-7"], "no_exception", "unproved"), (["SHOP-9"], "no_exception", "unproved")]
    world.clock.advance(HOUR)
    world.land("SHOP-10: later")
    assert frozen(world)[2] == (["SHOP-10"], "no_exception", "seen")
    facts = state_freeze_point(world.ports, product="shop", commit=in_time[:10], reason="the server's log", by="rita")
    assert (facts["commit"], facts["began_at"]) == (in_time, FREEZE)
    assert frozen(world) == [(["SHOP-9"], "no_exception", "stated"), (["SHOP-10"], "no_exception", "stated")]


def test_branch_seen_unchanged_before_the_freeze_needs_no_look_right_then(world: ReleaseWorld) -> None:
    world.collect()
    world.clock.set(FREEZE + 2 * HOUR)
    # Nothing came meanwhile: what was seen before and after was there all the time.
    assert frozen(world) == []


def test_word_on_a_freeze_that_makes_no_sense_is_refused(world: ReleaseWorld) -> None:
    freeze(world)
    tip = world.remote.git("rev-parse", "refs/heads/main")
    nonsense: list[tuple[str, dict[str, Any], str]] = [
        ("f" * 40, {}, "no commit"),
        ("", {}, "no commit"),
        (tip, {"train": str(SECOND)}, "begins at"),
        (tip, {"phase": Phase.SOFT_FREEZE}, "no soft freeze"),
    ]
    for commit, more, told in nonsense:
        with pytest.raises((RefusedError, NotFoundError), match=told):
            state_freeze_point(world.ports, product="shop", commit=commit, reason="log", by="rita", **more)


def test_shifting_a_frozen_train_freezes_it_anew(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("SHOP-9: late")
    shift(world, "next", date(2026, 3, 13))
    assert frozen(world) == []
    assert freeze_state(world.ports, product="shop")["freeze_at"] == datetime(2026, 3, 11, 12, tzinfo=UTC)


def test_late_cut_is_still_frozen(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("SHOP-9: late")
    world.clock.set(DEPARTS + HOUR)
    state = freeze_state(world.ports, product="shop")
    assert (state["train"], state["phase"]) == (FIRST, "thaw")
    assert frozen(world) == [(["SHOP-9"], "no_exception", "seen")]


def test_next_train_takes_what_the_last_one_refused(world: ReleaseWorld) -> None:
    freeze(world)
    world.land("SHOP-9: late")
    world.clock.set(DEPARTS + timedelta(days=8))
    assert freeze_state(world.ports, product="shop")["train"] == SECOND
    assert frozen(world) == []


def test_soft_freeze_lets_in_what_is_planned(world: ReleaseWorld) -> None:
    rules(world, soft_freeze_days=4, freeze_days=2)
    world.collect()
    world.clock.set(datetime(2026, 3, 4, 12, tzinfo=UTC))
    watch_trains(world.ports, product="shop")
    plan(world, "SHOP-7", "next")
    world.land("SHOP-7: planned")
    world.land("SHOP-9: new")
    assert frozen(world) == [(["SHOP-9"], "not_planned", "seen")]


def test_line_branch_made_after_the_branch_point_is_frozen_where_it_came_from(world: ReleaseWorld) -> None:
    freeze(world)
    tip = world.remote.git("rev-parse", "refs/heads/main")
    world.remote.branch("line-1.1", tip)
    world.clock.advance(HOUR)
    world.land("SHOP-9: late", branch="line-1.1")
    world.land("SHOP-10: for the next train")
    world.collect()
    state = freeze_state(world.ports, product="shop", branch="line-1.1")
    assert [one["tickets"] for one in state["violations"]] == [["SHOP-9"]]


def test_remote_that_cannot_be_read_at_the_freeze_is_tried_again(world: ReleaseWorld) -> None:
    world.collect()
    world.clock.set(FREEZE)
    aside = world.remote.folder.rename(world.folder / "aside.git")
    with pytest.raises(Exception) as caught:
        watch_trains(world.ports, product="shop")
    assert not isinstance(caught.value, AssertionError)
    aside.rename(world.remote.folder)
    world.clock.advance(MINUTE)
    assert watch_trains(world.ports, product="shop")["looked_at"] is True
    world.land("SHOP-9: late")
    assert frozen(world) == [(["SHOP-9"], "no_exception", "seen")]


# -- carry-over --


def test_ticket_planned_for_a_train_is_planned_for_its_version(world: ReleaseWorld) -> None:
    world.collect()
    facts = plan(world, "SHOP-7", str(SECOND))
    assert (facts["planned_for"], facts["version"], facts["carries"]) == (SECOND, "1.2", 0)
    assert (
        state_planned_for(world.ports, key="SHOP-7", product="shop", version="1.3", by="rita")["planned_for"] == "1.3"
    )
    assert (way(world, "SHOP-7")["planned_for"], way(world, "SHOP-7")["first_planned_for"]) == (THIRD, SECOND)
    plan(world, "SHOP-7", None)
    assert way(world, "SHOP-7")["planned_for"] is None


def test_same_plan_again_changes_nothing(world: ReleaseWorld) -> None:
    plan(world, "SHOP-7", "next")
    assert len(plan(world, "SHOP-7", "next")["plans"]) == 1


def leaves(world: ReleaseWorld, version: str, at: datetime) -> None:
    """Cut and publish a stable at that instant."""
    world.clock.set(at - HOUR)
    assert world.cut()["version"] == version
    world.clock.set(at)
    world.publish(version)


def test_unfinished_tickets_are_carried_over_when_their_train_is_published(world: ReleaseWorld) -> None:
    rules(world)
    world.collect()
    for key in ("SHOP-2", "SHOP-7", "SHOP-8"):
        plan(world, key, "next")
    assert carry_over(world.ports, product="shop") == []
    leaves(world, "1.1", DEPARTS)
    carried = carry_over(world.ports, product="shop")
    assert [(one["ticket"], one["missed"], one["train"], one["carries"]) for one in carried] == [
        ("SHOP-7", FIRST, SECOND, 1),
        ("SHOP-8", FIRST, SECOND, 1),
    ]
    assert carry_over(world.ports, product="shop") == []
    landed, left = way(world, "SHOP-2"), way(world, "SHOP-7")
    assert (landed["planned_for"], landed["landed_in"], landed["carries"]) == (FIRST, "1.1", 0)
    assert (left["first_planned_for"], left["planned_for"], left["landed_in"]) == (FIRST, SECOND, None)
    assert left["plans"][-1]["reason"] == "1.1 left without it."


def test_ticket_planned_for_a_version_is_carried_over_too(world: ReleaseWorld) -> None:
    rules(world)
    world.collect()
    state_planned_for(world.ports, key="SHOP-7", product="shop", version="1.1", by="rita")
    leaves(world, "1.1", DEPARTS)
    assert [one["train"] for one in carry_over(world.ports, product="shop")] == [SECOND]
    assert (way(world, "SHOP-7")["first_planned_for"], way(world, "SHOP-7")["version"]) == (FIRST, "1.2")


def test_train_that_left_without_a_release_leaves_everything_behind(world: ReleaseWorld) -> None:
    rules(world)
    world.collect()
    plan(world, "SHOP-2", "next")
    world.clock.set(DEPARTS + timedelta(days=6))
    assert carry_over(world.ports, product="shop") == []
    world.clock.set(DEPARTS + timedelta(days=7))
    assert [one["train"] for one in carry_over(world.ports, product="shop")] == [SECOND]
    assert way(world, "SHOP-2")["plans"][-1]["reason"] == "The train of 10 March 2026 left without a release."


def test_carries_are_made_up_for_one_by_one_when_nobody_looked_for_long(world: ReleaseWorld) -> None:
    rules(world, alert_after_carries=2)
    world.collect()
    plan(world, "SHOP-7", "next")
    world.clock.set(DEPARTS + timedelta(days=14 * 2 + 8))
    carried = carry_over(world.ports, product="shop")
    assert [(one["train"], one["carries"], one["alert"]) for one in carried] == [
        (SECOND, 1, False),
        (THIRD, 2, True),
        (FOURTH, 3, True),
    ]
    assert [one["ticket"] for one in list_plans(world.ports, product="shop", alerts=True)] == ["SHOP-7"]


def test_skipping_a_train_carries_what_was_planned_for_it(world: ReleaseWorld) -> None:
    world.collect()
    plan(world, "SHOP-7", str(SECOND))
    assert [one["train"] for one in skip(world, str(SECOND))["carried"]] == [THIRD]
    restore_train(world.ports, product="shop", train=str(SECOND), reason="we do", by="rita")
    assert way(world, "SHOP-7")["planned_for"] == THIRD
    skip(world, str(SECOND))
    with pytest.raises(RefusedError, match="is skipped"):
        plan(world, "SHOP-8", str(SECOND))


def test_shifting_a_train_carries_nothing(world: ReleaseWorld) -> None:
    plan(world, "SHOP-7", "next")
    shift(world, "next", date(2026, 3, 12))
    assert carry_over(world.ports, product="shop") == []
    assert way(world, "SHOP-7")["planned_for"] == FIRST


def test_closed_request_is_not_carried(world: ReleaseWorld) -> None:
    rules(world)
    world.collect()
    add_ticket(world.ports, product="shop", key="SHOP-7", title="Gone", customer=None, found_in=None, by="ann")
    plan(world, "SHOP-7", "next")
    close_ticket(world.ports, key="SHOP-7", product="shop", reason=CloseReason.WITHDRAWN, by="ann")
    leaves(world, "1.1", DEPARTS)
    assert carry_over(world.ports, product="shop") == []


def test_reopened_request_needs_a_new_fix(world: ReleaseWorld) -> None:
    rules(world)
    world.collect()
    add_ticket(world.ports, product="shop", key="SHOP-1", title="Again", customer=None, found_in=None, by="ann")
    close_ticket(world.ports, key="SHOP-1", product="shop", reason=CloseReason.CONFIRMED, by="ann")
    reopen_ticket(world.ports, key="SHOP-1", product="shop", reason="still", by="ann")
    plan(world, "SHOP-1", "next")
    leaves(world, "1.1", DEPARTS)
    assert [one["ticket"] for one in carry_over(world.ports, product="shop")] == []
    world.clock.set(DEPARTS + timedelta(days=7))
    assert way(world, "SHOP-1")["landed_in"] == "1.1"


def test_ticket_cannot_be_planned_for_a_train_that_is_over(world: ReleaseWorld) -> None:
    world.clock.set(DEPARTS + timedelta(days=8))
    with pytest.raises(RefusedError, match="over"):
        plan(world, "SHOP-7", str(FIRST))
