from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from releaser.domain.notice import MOST_ATTEMPTS
from releaser.errors import MoveConflictError
from releaser.flows.begin_work import begin_work
from releaser.flows.cancel_notice import cancel_notice
from releaser.flows.deliver_notices import LEASE_FOR, deliver_notices
from releaser.flows.replay_delivery import replay_delivery
from releaser.store import outbox, rollouts
from releaser.store.outbox import DeliveryNotFoundError
from releaser.store.session import Database
from tests.fakes.channel import FakeChannel
from tests.fakes.deadly import Deadly, Killed
from tests.fakes.notice_world import NoticeWorld

IT = "it@globex.example"
HOUR = timedelta(hours=1)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> NoticeWorld:
    return NoticeWorld(database, tmp_path)


@pytest.fixture
def number(world: NoticeWorld) -> int:
    """An announced notice with one recipient, nothing delivered yet."""
    _, number = world.plan(["globex-1"])
    world.announce(number, starts_at=world.clock.now() + 24 * HOUR)
    return number


def ids(channel: FakeChannel) -> list[str]:
    return [message.message_id for message in channel.sent]


def test_delivery_is_sent_once_and_marked(world: NoticeWorld, number: int) -> None:
    assert deliver_notices(world.ports) == 1
    assert deliver_notices(world.ports) == 0
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.attempts, delivery.sent_at) == ("sent", 1, world.clock.now())
    assert len(world.channel.sent) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before-sending", "after-sending"])
def test_kill_around_sending_loses_nothing_and_repeats_the_id(world: NoticeWorld, number: int, *, after: bool) -> None:
    deadly = Deadly(world.channel)
    deadly.method, deadly.nth, deadly.after = "send", 1, after
    world.channels["email"] = deadly
    with pytest.raises(Killed):
        deliver_notices(world.ports)
    assert deliver_notices(world.other()) == 0, "the lease of the dead holds"
    world.clock.advance(LEASE_FOR + timedelta(seconds=1))
    assert deliver_notices(world.other()) == 1
    assert len(set(ids(world.channel))) == 1
    assert len(world.channel.sent) == (2 if after else 1)
    assert world.delivery(number, IT).state == "sent"


def test_sender_that_comes_back_late_does_not_mark_twice(world: NoticeWorld, number: int) -> None:
    class Slow(FakeChannel):
        """Takes so long that another worker sends it, too."""

        def send(self, message: object) -> None:
            del message
            world.clock.advance(2 * LEASE_FOR)
            world.channels["email"] = world.channel
            assert deliver_notices(world.other()) == 1

    world.channels["email"] = Slow()
    assert deliver_notices(world.ports) == 1
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.attempts) == ("sent", 2)


def test_passing_fault_is_tried_again_later(world: NoticeWorld, number: int) -> None:
    world.channel.fail(IT, permanent=False)
    assert deliver_notices(world.ports) == 1
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.attempts) == ("queued", 1)
    assert "does not take it" in delivery.error
    assert deliver_notices(world.ports) == 0
    world.clock.set(delivery.due_at)
    world.channel.faults.clear()
    assert deliver_notices(world.ports) == 1
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.error) == ("sent", "")


def test_final_refusal_is_a_dead_letter_at_once(world: NoticeWorld, number: int) -> None:
    world.channel.fail(IT, permanent=True)
    deliver_notices(world.ports)
    with world.database.reading() as session:
        (dead,) = outbox.dead_letters(session)
    assert (dead.state, dead.attempts, dead.address) == ("given_up", 1, IT)
    assert "does not take it" in dead.error


def test_lasting_fault_is_given_up_after_all_tries(world: NoticeWorld, number: int) -> None:
    world.channel.fail(IT, permanent=False)
    began_at = world.clock.now()
    while world.delivery(number, IT).state == "queued":
        world.clock.set(world.delivery(number, IT).due_at)
        assert deliver_notices(world.ports) == 1
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.attempts) == ("given_up", MOST_ATTEMPTS)
    assert world.clock.now() - began_at > 12 * HOUR


def test_dead_letter_is_replayed_with_the_same_id_and_all_tries(world: NoticeWorld, number: int) -> None:
    world.channel.fail(IT, permanent=True)
    deliver_notices(world.ports)
    dead = world.delivery(number, IT)
    world.channel.fail(IT, permanent=False)
    assert replay_delivery(world.ports, delivery_id=dead.id, by="rita")["state"] == "queued"
    deliver_notices(world.ports)
    assert world.delivery(number, IT).state == "queued", "a passing fault is no reason to give up again"
    world.channel.faults.clear()
    world.clock.advance(HOUR)
    deliver_notices(world.ports)
    assert ids(world.channel) == [dead.message_id]
    with pytest.raises(MoveConflictError):
        replay_delivery(world.ports, delivery_id=dead.id, by="rita")
    with pytest.raises(DeliveryNotFoundError):
        replay_delivery(world.ports, delivery_id=999, by="rita")


def test_later_message_waits_for_the_earlier_one(world: NoticeWorld, number: int) -> None:
    deliver_notices(world.ports)
    world.channel.fail(IT, permanent=False)
    world.announce(number, starts_at=world.clock.now() + HOUR)
    deliver_notices(world.ports)
    cancel_notice(world.ports, notice_id=number, by="rita", reason="Not needed.")
    world.channel.faults.clear()
    world.clock.advance(HOUR)
    world.deliver()
    # The revision may have reached the server, so it is not called back but followed; here it was outdated before that.
    assert [entry[0] for entry in world.ledger(number)] == ["announced", "revised", "cancelled"]
    assert world.channel.subjects(IT)[-1].startswith("Cancelled")


def test_order_holds_per_recipient_and_not_across(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    world.channel.fail(IT, permanent=False)
    deliver_notices(world.ports)
    with world.database.transaction() as session:
        row = rollouts.get(session, rollout)
        begin_work(session, rollout=row, begun=row.updates, now=world.clock.now())
    world.deliver()
    assert len(world.channel.subjects("ops@acme.example")) == 2
    assert world.channel.subjects(IT) == []
    world.channel.faults.clear()
    world.clock.advance(HOUR)
    world.deliver()
    assert [subject.split(":")[0] for subject in world.channel.subjects(IT)] == ["Work has begun"]
    assert [entry[0] for entry in world.ledger(number) if entry[2:] == (IT, "superseded")] == ["announced"]


def test_without_a_channel_deliveries_wait(world: NoticeWorld, number: int) -> None:
    world.channels.clear()
    assert deliver_notices(world.ports) == 0
    delivery = world.delivery(number, IT)
    assert (delivery.state, delivery.attempts) == ("queued", 0)
    with world.database.reading() as session:
        assert outbox.waiting(session) == 1


def test_two_workers_send_each_message_once(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number)
    with world.database.reading() as session:
        due = outbox.due(session, channels=["email"], now=world.clock.now(), limit=10)
    assert len(due) == 3
    until = world.clock.now() + LEASE_FOR
    with world.database.transaction() as session:
        assert outbox.claim(session, due[0], owner="a", now=world.clock.now(), until=until) is not None
    with world.database.transaction() as session:
        assert outbox.claim(session, due[0], owner="b", now=world.clock.now(), until=until) is None
    assert deliver_notices(world.ports) == 2
