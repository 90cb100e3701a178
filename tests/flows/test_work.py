"""The gate before work, its beginning and its end, as a rollout's worker calls them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from releaser.domain.rollout import RolloutState, UpdateState
from releaser.domain.target import Stop
from releaser.errors import RefusedError
from releaser.flows.begin_work import begin_work
from releaser.flows.finish_work import finish_work
from releaser.flows.notice_gate import covering_notice, require_notices
from releaser.store import rollouts
from releaser.store.installations import Installation
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

HOUR = timedelta(hours=1)
GOOD = {"acme-1": (UpdateState.SUCCEEDED, 1.5), "globex-1": (UpdateState.SUCCEEDED, 2.0)}


@pytest.fixture
def world(database: Database, tmp_path: Path) -> NoticeWorld:
    return NoticeWorld(database, tmp_path)


def covered(world: NoticeWorld, rollout: int, installation: str = "acme-1", *, module: str | None = None) -> bool:
    with world.database.reading() as session:
        found = covering_notice(
            session,
            installation_id=world.row(session, Installation, installation).id,
            stop=Stop.FULL,
            rollout_id=rollout,
            now=world.clock.now(),
            module=module,
        )
        return found is not None


def begin(world: NoticeWorld, rollout: int) -> None:
    with world.database.transaction() as session:
        row = rollouts.get(session, rollout)
        begin_work(session, rollout=row, begun=row.updates, now=world.clock.now())


def finish(world: NoticeWorld, rollout: int) -> None:
    with world.database.transaction() as session:
        finish_work(session, rollout=rollouts.get(session, rollout), now=world.clock.now())


def require(world: NoticeWorld, rollout: int) -> None:
    with world.database.reading() as session:
        require_notices(session, rollout=rollouts.get(session, rollout), now=world.clock.now())


def test_rollout_without_an_announced_notice_is_refused_with_the_command(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    with pytest.raises(RefusedError, match=f"acme-1, globex-1.*releaser notice announce {number}") as caught:
        require(world, rollout)
    assert caught.value.rule == "notice-required"
    assert caught.value.facts["notice"] == number
    world.announce(number)
    require(world, rollout)


def test_installation_that_was_not_told_is_named(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.draft(rollout, ["acme-1"])
    world.announce(number)
    with pytest.raises(RefusedError, match="stops globex-1, and"):
        require(world, rollout)


def test_announced_for_later_lets_a_rollout_prepare_and_its_cutovers_wait(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number, starts_at=world.clock.now() + HOUR)
    require(world, rollout)
    assert not covered(world, rollout)
    world.clock.advance(HOUR)
    assert covered(world, rollout)
    world.clock.advance(HOUR / 2)
    assert not covered(world, rollout), "past its planned end it asks for an extension"
    with pytest.raises(RefusedError):
        require(world, rollout)


def test_work_past_its_planned_end_goes_on_after_an_extension(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    begin(world, rollout)
    world.clock.advance(HOUR)
    assert not covered(world, rollout)
    facts = world.announce(number, ends_at=world.clock.now() + HOUR)
    assert (facts["state"], facts["revision"]) == ("in_progress", 1)
    assert covered(world, rollout)


def test_partial_stop_covers_the_modules_it_names(world: NoticeWorld) -> None:
    rollout, number = world.plan(stop=Stop.PARTIAL)
    world.announce(number)
    assert covered(world, rollout, module="app")
    assert not covered(world, rollout, module="api")
    assert not covered(world, rollout, "acme-2", module="app")


def test_notice_of_another_rollout_covers_nothing(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number)
    other, _ = world.plan(version="1.1.1")
    assert not covered(world, other)


def test_cancelled_notice_covers_nothing(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    world.end(rollout, dict.fromkeys(GOOD, (UpdateState.SKIPPED, None)), RolloutState.ABORTED)
    finish(world, rollout)
    assert world.notice(number)["state"] == "cancelled"
    assert not covered(world, rollout)


def test_work_begins_once_and_tells(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number, starts_at=world.clock.now() + HOUR)
    begin(world, rollout)
    assert world.notice(number)["state"] == "announced", "not before its planned start"
    world.clock.advance(HOUR)
    begin(world, rollout)
    begin(world, rollout)
    facts = world.notice(number)
    assert (facts["state"], facts["started_at"]) == ("in_progress", world.clock.now())
    assert [entry[0] for entry in world.ledger(number)] == ["announced"] * 3 + ["started"] * 3


def test_end_of_work_puts_measured_downtime_beside_the_planned_one(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    begin(world, rollout)
    world.clock.advance(HOUR / 6)
    world.end(rollout, GOOD, RolloutState.SUCCEEDED)
    finish(world, rollout)
    finish(world, rollout)
    facts = world.notice(number)
    assert (facts["state"], facts["ended_at"]) == ("completed", world.clock.now())
    assert [
        (i["installation"], i["planned_stop_s"], i["measured_stop_s"], i["outcome"]) for i in facts["installations"]
    ] == [("acme-1", 20.0, 1.5, "succeeded"), ("globex-1", 20.0, 2.0, "succeeded")]
    world.deliver()
    done = [message for message in world.channel.sent if message.to == "it@globex.example"][-1]
    assert "Globex-1: 1.1 runs. Downtime: 20 seconds planned, 2.0 s measured." in done.text
    assert b"X-MAINTNOTE-STATUS:COMPLETED" in done.attachments[0].content


def test_work_taken_back_everywhere_ends_rolled_back(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    begin(world, rollout)
    outcomes = {"acme-1": (UpdateState.ROLLED_BACK, 4.0), "globex-1": (UpdateState.SKIPPED, None)}
    world.end(rollout, outcomes, RolloutState.ROLLED_BACK)
    finish(world, rollout)
    facts = world.notice(number)
    assert facts["state"] == "rolled_back"
    assert [(i["outcome"], i["measured_stop_s"]) for i in facts["installations"]] == [
        ("rolled_back", 4.0),
        ("skipped", 0.0),
    ]


def test_installation_that_is_not_back_has_no_measured_downtime_yet(world: NoticeWorld) -> None:
    rollout, number = world.plan(["acme-1"])
    world.announce(number)
    begin(world, rollout)
    world.end(rollout, {"acme-1": (UpdateState.INCONSISTENT, 3.0)}, RolloutState.FAILED)
    with world.database.transaction() as session:
        rollouts.get(session, rollout).updates[0].served_at = None
    finish(world, rollout)
    (row,) = world.notice(number)["installations"]
    assert (row["outcome"], row["measured_stop_s"]) == ("inconsistent", None)


def test_announced_work_that_never_began_is_cancelled_with_the_reason(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number, starts_at=world.clock.now() + HOUR)
    world.deliver()
    world.end(rollout, dict.fromkeys(GOOD, (UpdateState.SKIPPED, None)), RolloutState.ABORTED)
    finish(world, rollout)
    facts = world.notice(number)
    assert facts["state"] == "cancelled"
    assert facts["reason"] == ""  # nobody gave one, and how rollouts work is no reason for a customer
    world.deliver()
    assert len([s for s in world.channel.subjects("it@globex.example") if s.startswith("Cancelled")]) == 1


def test_retry_after_the_end_gets_a_notice_of_its_own(world: NoticeWorld) -> None:
    rollout, number = world.plan(["acme-1"])
    world.announce(number)
    begin(world, rollout)
    world.end(rollout, {"acme-1": (UpdateState.ROLLED_BACK, 1.0)}, RolloutState.ROLLED_BACK)
    finish(world, rollout)
    again = world.draft(rollout, ["acme-1"])
    assert again != number
    assert not covered(world, rollout)
    world.announce(again)
    assert covered(world, rollout)
