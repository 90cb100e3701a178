"""A train from its freeze to the gate of its cut, watched by a worker of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from releaser.bell import Bell
from releaser.domain.train import TrainRules
from releaser.errors import RefusedError
from releaser.flows.except_ticket import except_ticket
from releaser.flows.list_plans import list_plans
from releaser.flows.list_trains import list_trains
from releaser.flows.plan_ticket import plan_ticket
from releaser.store import freezes, products
from releaser.store.plain import dump
from releaser.worker.embedded import EmbeddedEngine
from tests.fakes.release_world import ReleaseWorld

FREEZE = datetime(2026, 3, 6, 12, tzinfo=UTC)
DEPARTS = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """Product `shop`, whose first train leaves on Tuesday 10 March 2026 at noon and is frozen from Friday noon on."""
    world = ReleaseWorld(tmp_path)
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = date(2026, 3, 10), dump(TrainRules(freeze_days=2))
    yield world
    world.close()


def awaited(what: Callable[[], bool]) -> None:
    """Look until it is so; the worker's threads tell nobody when they are done."""
    patience = threading.Event()
    for _ in range(600):
        if what():
            return
        patience.wait(0.05)
    raise AssertionError(what)


def last_look(world: ReleaseWorld) -> datetime | None:
    with world.database.reading() as session:
        return freezes.last_look(session, products.get(session, "shop").id)


def test_train_is_frozen_cut_by_exception_and_leaves_the_rest_to_the_next(world: ReleaseWorld) -> None:
    world.collect()
    for key in ("SHOP-2", "SHOP-7"):
        plan_ticket(world.ports, key=key, product="shop", train="next", by="rita")
    world.clock.set(FREEZE + timedelta(seconds=3))
    bell = Bell()
    worker = EmbeddedEngine(world.ports, bell=bell)
    worker.start()
    try:
        awaited(lambda: (last_look(world) or FREEZE) > FREEZE)
        world.clock.advance(timedelta(hours=1))
        world.land("SHOP-9: late")
        with pytest.raises(RefusedError, match="SHOP-9") as refused:
            world.cut()
        assert refused.value.rule == "freeze"
        except_ticket(world.ports, product="shop", ticket="SHOP-9", approver="olga", reason="the law", by="rita")
        assert world.cut()["version"] == "1.1"
        world.clock.set(DEPARTS)
        world.publish("1.1")
        world.clock.advance(timedelta(minutes=1))
        bell.ring()
        awaited(lambda: any(one["carries"] for one in list_plans(world.ports, product="shop")))
    finally:
        worker.stop()
    ways = {one["ticket"]: one for one in list_plans(world.ports, product="shop")}
    assert (ways["SHOP-2"]["landed_in"], ways["SHOP-2"]["carries"]) == ("1.1", 0)
    assert (str(ways["SHOP-7"]["planned_for"]), ways["SHOP-7"]["version"]) == ("2026-03-24", "1.2")
    left = list_trains(world.ports, product="shop", count=0, past=1)["left"]
    assert [(one["version"], one["state"]) for one in left] == [("1.1", "left")]
