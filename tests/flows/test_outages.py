"""An engine that stays away: how the rollout ends, in what state its target is left, and what is next for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from releaser.domain.next_deed import next_deed
from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState, UpdateState
from releaser.domain.spec import Order
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import Vendor, vendor_on

R, U = RolloutState, UpdateState


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


@pytest.fixture
def vendor(engine: FakeEngine, tmp_path: Path) -> Iterator[Vendor]:
    """1.0 runs everywhere."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    made = vendor_on(database, engine, tmp_path, order=Order.STOP_FIRST)
    made.deploy("1.0")
    yield made
    made.close()


def begun(vendor: Vendor, state: str) -> int:
    """A rollout of 1.1 whose first target is in that state."""
    vendor.announce("1.1")
    rollout: int = vendor.start("1.1")["id"]
    while state not in vendor.states(rollout).values():
        assert vendor.tick()
    return rollout


def wait_out(vendor: Vendor, rollout: int) -> None:
    """Let time pass until it has ended."""
    for _ in range(300):
        if vendor.show(rollout)["finished_at"] is not None:
            return
        vendor.tick()
        vendor.clock.advance(timedelta(seconds=20))
    raise AssertionError(vendor.show(rollout))


def test_engine_stays_away_before_the_cutover_the_target_has_failed_and_the_old_one_was_not_touched(
    vendor: Vendor,
) -> None:
    rollout = begun(vendor, "preparing")
    before = len(vendor.engine.calls)
    vendor.engine.kill()
    wait_out(vendor, rollout)
    facts = vendor.show(rollout)
    (failed,) = [one for one in facts["targets"] if one["state"] == "failed"]
    assert "cannot be reached" in failed["reason"]
    assert facts["blocked"] is None
    assert facts["next"] == (
        f"Mend what the remark of {failed['installation']} names, then: releaser rollout retry {rollout}."
    )
    assert set(vendor.recorded().values()) == {"1.0"}
    assert not {"stop", "rename"} & set(vendor.engine.calls[before:]), "what serves was not touched"


def test_engine_stays_away_in_the_cutover_the_target_is_for_a_person_who_is_told_where_to_look(vendor: Vendor) -> None:
    rollout = begun(vendor, "cutting_over")
    vendor.engine.kill()
    wait_out(vendor, rollout)
    facts = vendor.show(rollout)
    (unclear,) = [one for one in facts["targets"] if one["state"] == "inconsistent"]
    assert "could not be rolled back" in unclear["reason"]
    assert f"Look at the host of {unclear['installation']}" in facts["next"]
    assert "Then: releaser deploy shop 1.1 --to all." in facts["next"]


@pytest.mark.parametrize("state", [one for one in R if ROLLOUT_MOVES[one] and one not in {R.PLANNED, R.SCHEDULED}])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("unclear", [False, True])
def test_rollout_that_does_not_go_on_by_itself_has_a_next_deed(
    state: RolloutState, *, blocked: bool, unclear: bool
) -> None:
    """What moves on its own has one when something holds it."""
    goes_on = state in {R.RUNNING, R.ROLLING_BACK, R.STOPPING}
    own = U.PREPARING if goes_on else U.INCONSISTENT if unclear else U.FAILED
    targets = [("acme", own, "trying again: nobody answers"), ("other", U.SUCCEEDED, "")]
    told = next_deed(rollout=7, state=state, targets=targets, again="releaser deploy shop 1.1", blocked=blocked)
    assert told.endswith(".")
    assert "releaser " in told or goes_on
    if goes_on:
        assert not next_deed(rollout=7, state=state, targets=[("acme", own, "")], again="")
