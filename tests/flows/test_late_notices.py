"""What is told of work, whenever it is sent: it is true then, mail and calendar agree, and a calendar knows which one is newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from releaser.channels.channel import Message
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.errors import RefusedError
from releaser.flows.begin_work import begin_work
from releaser.flows.cancel_notice import cancel_notice
from releaser.flows.finish_work import finish_work
from releaser.flows.replay_delivery import replay_delivery
from releaser.store import rollouts
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

IT = "it@globex.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> NoticeWorld:
    return NoticeWorld(database, tmp_path)


def begin(world: NoticeWorld, rollout: int, *names: str) -> None:
    with world.database.transaction() as session:
        row = rollouts.get(session, rollout)
        begun = [one for one in row.updates if not names or one.target.installation.name in names]
        begin_work(session, rollout=row, begun=begun, now=world.clock.now())


def finish(world: NoticeWorld, rollout: int, *names: str) -> None:
    world.end(rollout, dict.fromkeys(names, (UpdateState.SUCCEEDED, 1.0)), RolloutState.SUCCEEDED)
    with world.database.transaction() as session:
        finish_work(session, rollout=rollouts.get(session, rollout), now=world.clock.now())


def to_globex(world: NoticeWorld) -> list[Message]:
    return [message for message in world.channel.sent if message.to == IT]


def event(message: Message) -> Any:  # noqa: ANN401 -- the library knows no types
    return Calendar.from_ical(message.attachments[0].content).walk("VEVENT")[0]


def test_calendar_learns_of_every_change_by_a_higher_sequence(world: NoticeWorld) -> None:
    rollout, number = world.plan(["globex-1"])
    world.announce(number)
    world.deliver()
    world.clock.advance(MINUTE)
    begin(world, rollout)
    world.deliver()
    world.clock.advance(MINUTE)
    world.announce(number, ends_at=world.clock.now() + 60 * MINUTE)
    world.deliver()
    world.clock.advance(MINUTE)
    finish(world, rollout, "globex-1")
    world.deliver()
    events = [event(message) for message in to_globex(world)]
    assert [int(one["SEQUENCE"]) for one in events] == [0, 1, 2, 3]
    assert [str(one["X-MAINTNOTE-STATUS"]) for one in events] == ["CONFIRMED", "IN-PROCESS", "IN-PROCESS", "COMPLETED"]
    assert all(one.decoded("DTEND") > one.decoded("DTSTART") for one in events)


def test_mail_says_the_times_that_its_calendar_entry_has(world: NoticeWorld) -> None:
    rollout, number = world.plan(["globex-1"])
    start = world.clock.now() + 60 * MINUTE
    world.announce(number, starts_at=start)
    world.clock.set(start + 3 * MINUTE)
    begin(world, rollout)
    world.deliver()
    world.clock.advance(5 * MINUTE)
    finish(world, rollout, "globex-1")
    world.deliver()
    begun, done = to_globex(world)
    for message, (began, ends) in ((begun, ("Began", "Ends")), (done, ("Began", "Ended"))):
        told = event(message)
        assert f"{began}: {_told(told.decoded('DTSTART'))}" in message.text
        assert f"{ends}: {_told(told.decoded('DTEND'))}" in message.text
    assert f"Planned: {_told(start)}" in done.text, "what was announced stands beside what was"


def _told(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}, {at:%H:%M}"


def test_what_goes_out_late_is_the_newest_and_true(world: NoticeWorld) -> None:
    rollout, number = world.plan(["globex-1"])
    world.announce(number)
    begin(world, rollout)
    world.clock.advance(30 * MINUTE)
    finish(world, rollout, "globex-1")
    world.deliver()
    assert world.channel.subjects(IT) == ["Work is done: Calls 1.1"]
    assert [(kind, state) for kind, _, _, state in world.ledger(number)] == [
        ("announced", "superseded"),
        ("started", "superseded"),
        ("done", "sent"),
    ]


def test_announcement_of_a_time_that_is_over_is_not_sent(world: NoticeWorld) -> None:
    _, number = world.plan(["globex-1"])
    world.announce(number)
    world.clock.advance(31 * MINUTE)
    world.deliver()
    assert world.channel.sent == []
    assert [entry[3] for entry in world.ledger(number)] == ["given_up"], "somebody was not told"
    world.announce(number, starts_at=world.clock.now() + 60 * MINUTE)
    world.deliver()
    assert [subject.split(":")[0] for subject in world.channel.subjects(IT)] == ["Planned work"], (
        "nobody was told before"
    )


def test_dead_letter_that_was_overtaken_is_not_replayed(world: NoticeWorld) -> None:
    rollout, number = world.plan(["globex-1"])
    world.announce(number)
    world.channel.fail(IT, permanent=True)
    world.deliver()
    dead = world.delivery(number, IT)
    begin(world, rollout)
    with pytest.raises(RefusedError, match="told something later"):
        replay_delivery(world.ports, delivery_id=dead.id, by="rita")
    world.deliver()
    assert replay_delivery(world.ports, delivery_id=world.delivery(number, IT).id, by="rita")["state"] == "queued"


def test_work_begins_for_a_customer_when_it_begins_there(world: NoticeWorld) -> None:
    rollout, number = world.plan(["acme-1", "acme-2", "globex-1"])
    world.announce(number)
    world.deliver()
    world.clock.advance(MINUTE)
    begin(world, rollout, "acme-1")
    world.deliver()
    assert len(world.channel.subjects("ops@acme.example")) == 2
    assert len(to_globex(world)) == 1, "nothing has begun at globex"
    world.clock.advance(MINUTE)
    begin(world, rollout, "acme-2")
    begin(world, rollout, "globex-1")
    world.deliver()
    assert len(world.channel.subjects("ops@acme.example")) == 2, "they were told"
    assert event(to_globex(world)[-1]).decoded("DTSTART") == world.clock.now()


def test_customer_where_nothing_began_is_not_told_of_others_times(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    world.announce(number)
    world.deliver()
    begin(world, rollout, "acme-1")
    world.clock.advance(MINUTE)
    world.end(
        rollout,
        {"acme-1": (UpdateState.SUCCEEDED, 1.0), "globex-1": (UpdateState.SKIPPED, None)},
        RolloutState.ABORTED,
    )
    with world.database.transaction() as session:
        finish_work(session, rollout=rollouts.get(session, rollout), now=world.clock.now())
    world.deliver()
    done = to_globex(world)[-1]
    assert "Began" not in done.text
    assert "Ended" not in done.text
    assert "Planned: " in done.text
    assert "not changed" in done.text


def test_cancelled_entry_keeps_its_planned_times(world: NoticeWorld) -> None:
    _, number = world.plan(["globex-1"])
    start = world.clock.now() + 60 * MINUTE
    world.announce(number, starts_at=start)
    world.deliver()
    cancel_notice(world.ports, notice_id=number, by="rita", reason="Not needed.")
    world.deliver()
    told = event(to_globex(world)[-1])
    assert (told.decoded("DTSTART"), int(told["SEQUENCE"])) == (start, 1)
    assert told.decoded("DTEND") > start
