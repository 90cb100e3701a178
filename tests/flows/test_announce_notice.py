from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releaser.domain.target import Stop
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.announce_notice import NoticeTimesError
from releaser.flows.cancel_notice import ReasonMissingError, cancel_notice
from releaser.store.customers import Customer
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

LEADS = {"country": "RU", "zone": "Europe/Moscow"}
HOUR = timedelta(hours=1)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> NoticeWorld:
    return NoticeWorld(database, tmp_path)


def test_draft_names_what_stops_and_tells_nobody(world: NoticeWorld) -> None:
    _, number = world.plan()
    facts = world.notice(number)
    assert (facts["state"], facts["revision"], facts["stop"], facts["impact"]) == ("draft", 0, "full", "outage")
    assert facts["starts_at"] == world.clock.now()
    assert facts["ends_at"] == world.clock.now() + timedelta(minutes=30)
    assert [(i["installation"], i["stop"], i["planned_stop_s"], i["told"]) for i in facts["installations"]] == [
        ("acme-1", "full", 20.0, False),
        ("globex-1", "full", 20.0, False),
    ]
    assert {t["language"]: t["subject"] for t in facts["texts"]} == {
        "en": "Planned work: Calls 1.1",
        "ru": "Плановые работы: Calls 1.1",
    }
    assert world.ledger(number) == []


def test_plan_that_stops_nothing_needs_no_notice(world: NoticeWorld) -> None:
    assert world.plan(stop=Stop.NONE)[1] == 0


def test_planning_again_revises_the_draft(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    assert world.draft(rollout, ["acme-1", "acme-2"], stop=Stop.PARTIAL) == number
    facts = world.notice(number)
    assert [i["installation"] for i in facts["installations"]] == ["acme-1", "acme-2"]
    assert (facts["stop"], facts["impact"], facts["revision"]) == ("partial", "degraded", 0)


def test_planning_again_without_a_stop_cancels_the_draft(world: NoticeWorld) -> None:
    rollout, number = world.plan()
    assert world.draft(rollout, []) == 0
    assert world.notice(number)["state"] == "cancelled"


def test_draft_begins_when_every_contract_allows_it(world: NoticeWorld) -> None:
    world.regulate("acme", **LEADS, windows=[{"days": "sat", "from": "22:00", "to": "06:00"}])
    world.regulate("globex", lead_full=1)
    _, number = world.plan()
    # Told on Monday 2 March; ten Russian working days end on 17 March (9 March is off); the window opens on Saturday.
    assert world.notice(number)["starts_at"] == datetime(2026, 3, 21, 19, tzinfo=UTC)


def test_announcing_tells_every_contact_in_their_language_and_zone(world: NoticeWorld) -> None:
    _, number = world.plan()
    facts = world.announce(number)
    assert (facts["state"], facts["announced_at"], facts["queued"]) == ("announced", world.clock.now(), 3)
    assert world.woken == 1
    assert world.deliver() == 3
    by_address = {message.to: message for message in world.channel.sent}
    assert set(by_address) == {"ops@acme.example", "boss@acme.example", "it@globex.example"}
    assert by_address["ops@acme.example"].subject.startswith("Плановые работы: Calls 1.1, 2 марта 2026")
    assert "12:00 (Москва, UTC+03:00)" in by_address["ops@acme.example"].text
    assert "10:00 (Berlin, UTC+01:00)" in by_address["boss@acme.example"].text
    assert "Acme-1" in by_address["ops@acme.example"].text
    assert "Globex" not in by_address["ops@acme.example"].text
    assert "Acme" not in by_address["it@globex.example"].text
    assert (
        b"X-MAINTNOTE-OBJECT-ID;X-MAINTNOTE-OBJECT-IMPACT=OUTAGE:acme-1"
        in by_address["ops@acme.example"].attachments[0].content
    )
    assert b"globex" not in by_address["ops@acme.example"].attachments[0].content


def test_announcing_again_without_a_change_is_no_revision(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number)
    facts = world.announce(number)
    assert (facts["revision"], facts["queued"], facts["unchanged"]) == (0, 0, True)


def test_lead_time_of_a_contract_is_kept(world: NoticeWorld) -> None:
    world.regulate("globex", **LEADS)
    start = world.clock.now() + 24 * HOUR
    _, number = world.plan(starts_at=start)
    with pytest.raises(RefusedError, match=r"'globex'.*10 working days.*2026-03-17T21:00Z.*emergency") as caught:
        world.announce(number)
    assert caught.value.rule == "lead-time"
    assert caught.value.facts["earliest_at"] == datetime(2026, 3, 17, 21, tzinfo=UTC)
    assert world.notice(number)["state"] == "draft"
    assert world.ledger(number) == []
    assert world.announce(number, starts_at=datetime(2026, 3, 17, 21, tzinfo=UTC))["state"] == "announced"


def test_partial_stop_asks_for_the_shorter_lead(world: NoticeWorld) -> None:
    world.regulate("globex", **LEADS)
    _, number = world.plan(stop=Stop.PARTIAL)
    with pytest.raises(RefusedError, match="5 working days"):
        world.announce(number, starts_at=world.clock.now() + HOUR)


def test_emergency_needs_a_reason_and_its_own_lead(world: NoticeWorld) -> None:
    world.regulate("globex", **LEADS, emergency_hours=24)
    _, number = world.plan()
    with pytest.raises(RefusedError, match="24 hours, even in an emergency"):
        world.announce(number, starts_at=world.clock.now() + 23 * HOUR, emergency_reason="Data is being lost.")
    facts = world.announce(number, starts_at=world.clock.now() + 24 * HOUR, emergency_reason="Data is being lost.")
    assert (facts["state"], facts["emergency_reason"]) == ("announced", "Data is being lost.")
    world.deliver()
    assert all("Data is being lost." in message.text for message in world.channel.sent)


def test_start_outside_the_window_is_refused_with_the_next_opening(world: NoticeWorld) -> None:
    world.regulate("globex", windows=[{"from": "22:00", "to": "23:00"}], lead_full=0, lead_partial=0, lead_none=0)
    _, number = world.plan()
    with pytest.raises(RefusedError, match="2026-03-02T22:00Z") as caught:
        world.announce(number, starts_at=world.clock.now() + HOUR)
    assert caught.value.rule == "window"


def test_customer_without_a_contact_is_not_announced_to_nobody(world: NoticeWorld) -> None:
    _, number = world.plan()
    with world.database.transaction() as session:
        customer = world.row(session, Customer, "globex")
        customer.contacts.clear()
    with pytest.raises(RefusedError, match=r"'globex' has no contact.*Declare one") as caught:
        world.announce(number)
    assert caught.value.rule == "no-contact"


def test_language_without_a_text_is_refused(world: NoticeWorld) -> None:
    _, number = world.plan()
    with world.database.transaction() as session:
        world.row(session, Customer, "globex").language = "fi"
    with pytest.raises(RefusedError, match="'fi'") as caught:
        world.announce(number)
    assert caught.value.rule == "no-text"
    assert world.ledger(number) == []


def test_start_that_passed_while_it_was_a_draft_becomes_now(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.clock.advance(HOUR)
    facts = world.announce(number)
    assert facts["starts_at"] == world.clock.now()
    assert facts["ends_at"] == world.clock.now() + HOUR / 2


@pytest.mark.parametrize(
    ("starts_in", "ends_in"), [(-HOUR, None), (HOUR, HOUR / 2), (HOUR, HOUR)], ids=["past", "end-first", "no-time"]
)
def test_impossible_times_are_refused(world: NoticeWorld, starts_in: timedelta, ends_in: timedelta | None) -> None:
    _, number = world.plan()
    now = world.clock.now()
    with pytest.raises(NoticeTimesError):
        world.announce(number, starts_at=now + starts_in, ends_at=None if ends_in is None else now + ends_in)


def test_time_without_a_zone_is_refused(world: NoticeWorld) -> None:
    _, number = world.plan()
    with pytest.raises(NoticeTimesError, match="no time zone"):
        world.announce(number, starts_at=datetime(2026, 4, 1, 10))  # noqa: DTZ001 -- the point of it


def test_moved_start_is_a_revision_for_everybody(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number, starts_at=world.clock.now() + HOUR)
    world.deliver()
    facts = world.announce(number, starts_at=world.clock.now() + 2 * HOUR)
    assert (facts["revision"], facts["queued"], facts["starts_at"]) == (1, 3, world.clock.now() + 2 * HOUR)
    assert facts["ends_at"] - facts["starts_at"] == HOUR / 2
    assert len(facts["texts"]) == 2
    world.deliver()
    revised = [message for message in world.channel.sent if message.to == "it@globex.example"]
    assert [message.message_id.split(".")[1:3] for message in revised] == [["0", "announced"], ["1", "revised"]]
    assert revised[1].in_reply_to == revised[0].message_id
    assert "Before: 2 March 2026, 10:00 (UTC) – 2 March 2026, 10:30 (UTC)" in revised[1].text
    assert b"SEQUENCE:1\r\n" in revised[1].attachments[0].content


def test_earlier_start_begins_the_lead_time_again_and_a_later_one_does_not(world: NoticeWorld) -> None:
    world.regulate("globex", **LEADS)
    told_for = datetime(2026, 3, 17, 21, tzinfo=UTC)
    _, number = world.plan()
    world.announce(number, starts_at=told_for)
    world.clock.advance(48 * HOUR)
    assert world.announce(number, starts_at=told_for + HOUR)["revision"] == 1
    with pytest.raises(RefusedError, match="10 working days"):
        world.announce(number, starts_at=told_for)


def test_installation_that_joins_is_told_and_nobody_else(world: NoticeWorld) -> None:
    rollout, number = world.plan(["acme-1"], starts_at=datetime(2026, 3, 2, 12, tzinfo=UTC))
    world.announce(number)
    world.deliver()
    assert world.draft(rollout, ["acme-1", "globex-1"]) == number
    assert [i["told"] for i in world.notice(number)["installations"]] == [True, False]
    assert world.announce(number)["queued"] == 1
    world.deliver()
    assert [entry for entry in world.ledger(number) if entry[1] == 1] == [("announced", 1, "it@globex.example", "sent")]


def test_customer_that_drops_out_gets_a_cancellation(world: NoticeWorld) -> None:
    rollout, number = world.plan(starts_at=datetime(2026, 3, 2, 12, tzinfo=UTC))
    world.announce(number)
    world.deliver()
    world.draft(rollout, ["acme-1"])
    assert world.announce(number)["queued"] == 1
    world.deliver()
    assert world.channel.subjects("it@globex.example")[-1].startswith("Cancelled: planned work")
    assert b"STATUS:CANCELLED" in world.channel.sent[-1].attachments[0].content
    assert world.announce(number)["unchanged"]


def test_worse_impact_is_told_again(world: NoticeWorld) -> None:
    rollout, number = world.plan(["globex-1"], stop=Stop.PARTIAL, starts_at=datetime(2026, 3, 2, 12, tzinfo=UTC))
    world.announce(number)
    world.deliver()
    world.draft(rollout, ["globex-1"], stop=Stop.FULL)
    assert world.announce(number)["revision"] == 1
    world.deliver()
    assert "stops completely" in world.channel.sent[-1].text


def test_cancelling_tells_whoever_was_told_with_the_reason(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number)
    world.deliver()
    facts = cancel_notice(world.ports, notice_id=number, by="rita", reason="A blocker was found.")
    assert (facts["state"], facts["reason"], facts["revision"]) == ("cancelled", "A blocker was found.", 1)
    world.deliver()
    assert world.channel.subjects("ops@acme.example")[-1].startswith("Отмена: плановые работы")
    assert all("A blocker was found." in message.text for message in world.channel.sent[3:])
    assert b"SEQUENCE:1\r\n" in world.channel.sent[-1].attachments[0].content
    with pytest.raises(MoveConflictError):
        world.announce(number)
    with pytest.raises(MoveConflictError):
        cancel_notice(world.ports, notice_id=number, by="rita", reason="Again.")


def test_cancelling_a_draft_tells_nobody(world: NoticeWorld) -> None:
    _, number = world.plan()
    cancel_notice(world.ports, notice_id=number, by="rita", reason="Not needed.")
    assert world.ledger(number) == []


def test_cancelling_needs_a_reason(world: NoticeWorld) -> None:
    _, number = world.plan()
    with pytest.raises(ReasonMissingError):
        cancel_notice(world.ports, notice_id=number, by="rita", reason=" ")


def test_what_was_never_sent_is_dropped_with_the_cancellation(world: NoticeWorld) -> None:
    _, number = world.plan()
    world.announce(number)
    cancel_notice(world.ports, notice_id=number, by="rita", reason="Not needed.")
    assert world.deliver() == 0
    assert {state for *_, state in world.ledger(number)} == {"superseded"}
    assert len(world.ledger(number)) == 3


def test_revision_before_anything_was_sent_is_the_announcement(world: NoticeWorld) -> None:
    _, number = world.plan(["globex-1"])
    world.announce(number)
    world.announce(number, starts_at=world.clock.now() + HOUR)
    world.deliver()
    assert world.ledger(number) == [
        ("announced", 0, "it@globex.example", "superseded"),
        ("announced", 1, "it@globex.example", "sent"),
    ]
    assert len(world.channel.sent) == 1


def test_advice_names_a_start_that_suits_all_customers_at_once(world: NoticeWorld) -> None:
    none = {"lead_full": 0, "lead_partial": 0, "lead_none": 0}
    world.regulate("acme", **none, windows=[{"from": "12:00", "to": "15:00"}], zone="Europe/Moscow")
    world.regulate("globex", **none, windows=[{"days": "wed", "from": "10:30", "to": "14:00"}], zone="UTC")
    _, number = world.plan()
    with pytest.raises(RefusedError, match="2026-03-04T10:30Z") as caught:
        world.announce(number, starts_at=world.clock.now() + HOUR)
    assert caught.value.rule == "window"
    assert world.announce(number, starts_at=caught.value.facts["opens_at"])["state"] == "announced"


def test_windows_that_never_meet_are_refused_once_with_who_and_what_to_do(world: NoticeWorld) -> None:
    none = {"lead_full": 0, "lead_partial": 0, "lead_none": 0}
    world.regulate("acme", **none, windows=[{"from": "03:00", "to": "03:30"}], zone="Europe/Moscow")
    world.regulate("globex", **none, windows=[{"from": "17:00", "to": "17:01"}], zone="UTC")
    _, number = world.plan()
    for starts_at in (None, world.clock.now().replace(hour=17, minute=0), world.clock.now() + 14 * HOUR):
        with pytest.raises(RefusedError, match=r"'acme', 'globex'.*--to customer=acme") as caught:
            world.announce(number, starts_at=starts_at)
        assert caught.value.rule == "no-common-window", "no advice goes in a circle between their times"
