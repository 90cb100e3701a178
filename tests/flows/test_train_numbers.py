"""The numbers that trains give, and the current train, over real git and a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import select

from releaser.domain.train import TrainNotFoundError, TrainRules
from releaser.flows.except_ticket import except_ticket
from releaser.flows.freeze_state import freeze_state
from releaser.flows.list_trains import list_trains
from releaser.flows.render_trains import render_trains
from releaser.flows.restore_train import restore_train
from releaser.flows.shift_train import shift_train
from releaser.store import products
from releaser.store.plain import dump
from releaser.store.releases import Release
from tests.fakes.release_world import ReleaseWorld

FIRST = date(2026, 3, 10)
SECOND, THIRD = (FIRST + timedelta(days=14 * n) for n in (1, 2))
DEPARTS = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """It is Monday 2 March 2026; the first train leaves on Tuesday 10 March at noon UTC, frozen from Friday noon on."""
    world = ReleaseWorld(tmp_path)
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = FIRST, dump(TrainRules(freeze_days=2))
    yield world
    world.close()


def preview(world: ReleaseWorld, count: int) -> list[tuple[date, date | None, str | None, str]]:
    found = list_trains(world.ports, product="shop", count=count)["trains"]
    return [(one["train"], one["on"], one["version"], one["state"]) for one in found]


def shifted(world: ReleaseWorld, train: str, on: date) -> dict[str, Any]:
    return shift_train(world.ports, product="shop", train=train, on=on, reason="the fair", by="rita")


def excepted(world: ReleaseWorld, until: datetime | None) -> dict[str, Any]:
    return except_ticket(
        world.ports, product="shop", ticket="SHOP-7", approver="olga", reason="the law", by="rita", expires_at=until
    )


def test_stables_from_before_the_rhythm_belong_to_the_train_that_left_and_a_shift_renumbers_none(
    world: ReleaseWorld,
) -> None:
    tag_stables(world, 6)
    world.clock.set(DEPARTS + timedelta(days=11))
    at_first = [(SECOND, SECOND, "1.6", "scheduled"), (THIRD, THIRD, "1.7", "scheduled")]
    assert preview(world, 2) == at_first
    (left,) = list_trains(world.ports, product="shop", count=0, past=1)["left"]
    assert (left["train"], left["version"], left["state"]) == (FIRST, "1.5", "left"), "of several the highest is its"
    summaries = numbers_in_calendar(world)
    assert [summaries[uid] for uid in sorted(summaries)[:3]] == [f"The Shop: train of 1.{n}" for n in (5, 6, 7)]

    assert shifted(world, str(SECOND), date(2026, 4, 4))["version"] == "1.6", "the shift changed the train's number"
    assert preview(world, 2) == [(SECOND, date(2026, 4, 4), "1.6", "shifted"), at_first[1]]
    assert numbers_in_calendar(world) == summaries, "the calendar tells another number under the same UID"
    restore_train(world.ports, product="shop", train=str(SECOND), reason="no fair", by="rita")
    assert preview(world, 2) == at_first


def tag_stables(world: ReleaseWorld, count: int) -> None:
    """Stables 1.0 and up, tagged by others eleven days after the first train's slot: they tell no train."""
    for number in range(1, count):
        world.remote.tag(f"v1.{number}", world.land(f"SHOP-{number}: more"), annotated=True)
    world.collect()
    with world.database.transaction() as session:
        for row in session.scalars(select(Release)):
            row.tagged_at = DEPARTS + timedelta(days=11, hours=-1)


def numbers_in_calendar(world: ReleaseWorld) -> dict[str, str]:
    read = Calendar.from_ical(render_trains(world.ports, product="shop"))
    assert isinstance(read, Calendar)
    return {str(event["uid"]): str(event["summary"]) for event in read.walk("VEVENT")}


def test_current_train_is_the_same_one_everywhere(world: ReleaseWorld) -> None:
    world.collect()

    def told() -> dict[str, tuple[date, str | None]]:
        shown, state = list_trains(world.ports, product="shop"), freeze_state(world.ports, product="shop")
        until = datetime(2027, 1, 1, tzinfo=UTC)
        return {
            "train list": (shown["current"]["train"], shown["phase"]),
            "freeze show": (state["train"], state["phase"]),
            "freeze except": (excepted(world, until)["train"], state["phase"]),
        }

    def alike(train: date, phase: str) -> None:
        assert told() == dict.fromkeys(told(), (train, phase)), "commands differ about which train is the current one"

    alike(FIRST, "open")
    shifted(world, "next", date(2026, 3, 12))
    alike(FIRST, "open")
    world.clock.set(datetime(2026, 3, 12, 13, tzinfo=UTC))
    alike(FIRST, "thaw")  # late: a stable cut now is its
    world.clock.set(datetime(2026, 3, 11, tzinfo=UTC))
    assert world.cut()["version"] == "1.1"
    alike(SECOND, "open")  # the first has its stable
    shifted(world, str(SECOND), date(2026, 3, 26))
    alike(SECOND, "open")


def test_first_train_that_is_far_away_is_not_the_current_one_yet(world: ReleaseWorld) -> None:
    world.clock.set(datetime(2026, 1, 2, tzinfo=UTC))
    assert (
        list_trains(world.ports, product="shop")["current"]
        is freeze_state(world.ports, product="shop")["train"]
        is None
    )
    with pytest.raises(TrainNotFoundError, match="2026-03-10"):
        excepted(world, None)
