"""Customers are told of the end of their line: so many days before, each once, by both databases and any number of workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from releaser.errors import RefusedError
from releaser.flows.announce_notice import announce_notice
from releaser.flows.announce_support_end import announce_support_end
from releaser.flows.deliver_notices import deliver_notices
from releaser.flows.list_lines import show_line
from releaser.flows.set_line import Stated, set_line
from releaser.flows.show_notice import list_notices
from releaser.store import overview, products
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Installation, Target
from releaser.store.releases import Release
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

# The clock stands at 2026-03-02.
ENDS_ON = date(2026, 5, 1)
BEFORE_30 = ENDS_ON - timedelta(days=30)


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[NoticeWorld]:
    opened = Database(sqlite_url)
    yield filled(opened, tmp_path)
    opened.close()


@pytest.fixture
def on_each(database: Database, tmp_path: Path) -> NoticeWorld:
    """The same on each kind of database."""
    return filled(database, tmp_path)


def filled(database: Database, folder: Path) -> NoticeWorld:
    """acme-1 runs 1.0, the others 1.1; every line is published."""
    world = NoticeWorld(database, folder)
    with database.transaction() as session:
        for target in session.scalars(select(Target)).unique():
            target.version = "1.0" if target.installation.name == "acme-1" else "1.1"
        for release in session.scalars(select(Release)).unique():
            release.published_at = world.clock.now() - timedelta(days=40)
    return world


def end(world: NoticeWorld, on: date | None, *, line: str = "1.0") -> None:
    set_line(world.ports, product="calls", line=line, stated=Stated(supported_until_on=on), by="rita")


def tick(world: NoticeWorld) -> list[tuple[str, str]]:
    """One tick of the worker and all deliveries; who got which subject by it."""
    before = len(world.channel.sent)
    announce_support_end(world.ports)
    while deliver_notices(world.ports):
        pass
    return sorted((message.to, message.subject) for message in world.channel.sent[before:])


def later(world: NoticeWorld, days: int) -> list[tuple[str, str]]:
    """So many days on, with two ticks; what was sent by them."""
    world.clock.advance(timedelta(days=days))
    return tick(world) + tick(world)


def test_customers_of_the_line_are_told_at_each_of_the_days_and_nobody_else(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    assert tick(world) == [
        ("boss@acme.example", "Support of Calls 1.0 ends on 1 May 2026"),
        ("ops@acme.example", "Поддержка Calls 1.0 заканчивается 1 мая 2026 г."),
    ]
    assert tick(world) == []
    reminded = [
        ("boss@acme.example", "Reminder: support of Calls 1.0 ends on 1 May 2026"),
        ("ops@acme.example", "Напоминание: поддержка Calls 1.0 заканчивается 1 мая 2026 г."),
    ]
    assert later(world, 29) == []
    assert later(world, 1) == reminded
    assert world.clock.now().date() == BEFORE_30
    assert later(world, 22) == []
    assert later(world, 1) == reminded
    assert later(world, 7) == []
    assert later(world, 1) == []
    (notice,) = list_notices(world.ports)
    assert (notice["topic"], notice["line"], notice["state"]) == ("support_end", "1.0", "completed")
    told = show_line(world.ports, product="calls", line="1.0")
    assert told["phase"] == "end-of-life"
    assert [one["told"] for one in told["notices"]] == [True, True, True]


def test_message_names_the_customers_installations_and_what_is_supported_longer(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    message = next(one for one in world.channel.sent if one.to == "boss@acme.example")
    assert "The last day of support of Calls 1.0 is 1 May 2026." in message.text
    assert "- Acme-1\n" in message.text
    assert "Acme-2" not in message.text
    assert "Version 1.1.1 is supported longer." in message.text
    assert "https://releases.example.com/products/calls/lines" in message.text
    assert message.attachments == ()
    assert "Globex" not in message.text + message.html


def test_days_that_passed_before_the_end_was_known_are_one_message(on_each: NoticeWorld) -> None:
    end(on_each, on_each.clock.now().date() + timedelta(days=5))
    assert len(tick(on_each)) == 2
    assert later(on_each, 5) == later(on_each, 5) == []


def test_end_in_the_past_is_told_to_nobody(world: NoticeWorld) -> None:
    end(world, world.clock.now().date() - timedelta(days=1))
    assert tick(world) == []


def test_moved_day_is_told_to_who_was_told_and_reminded_of_anew(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    end(world, date(2026, 8, 1))
    subjects = [subject for _, subject in tick(world)]
    assert subjects[0] == "Changed: support of Calls 1.0 ends on 1 August 2026"
    message = next(one for one in reversed(world.channel.sent) if one.to == "boss@acme.example")
    assert "Before, it was 1 May 2026." in message.text
    assert later(world, 61) == []
    assert [subject for to, subject in later(world, 1) if to.startswith("boss")] == [
        "Reminder: support of Calls 1.0 ends on 1 August 2026"
    ]


def test_end_that_is_taken_back_is_told_once(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    end(world, None)
    assert [subject for _, subject in tick(world)] == [
        "Support of Calls 1.0 goes on",
        "Поддержка Calls 1.0 продолжается",
    ]
    assert later(world, 30) == later(world, 23) == later(world, 20) == []


def test_customer_who_comes_to_the_line_later_is_told_by_the_next_message(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    with world.database.transaction() as session:
        for target in session.scalars(select(Target)).unique():
            if target.installation.name == "globex-1":
                target.version = "1.0"
    assert dict(later(world, 30))["it@globex.example"] == "Support of Calls 1.0 ends on 1 May 2026"


def test_customer_who_left_the_line_is_reminded_no_more(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    with world.database.transaction() as session:
        for target in session.scalars(select(Target)).unique():
            target.version = "1.1"
    assert later(world, 30) == later(world, 23) == later(world, 20) == []


def test_reader_of_a_language_without_a_text_gets_the_english_one(world: NoticeWorld) -> None:
    with world.database.transaction() as session:
        acme = session.scalars(select(Customer).where(Customer.name == "acme")).one()
        acme.contacts.append(Contact(email="betrieb@acme.example", language="de"))
    end(world, ENDS_ON)
    assert dict(tick(world))["betrieb@acme.example"] == "Support of Calls 1.0 ends on 1 May 2026"


def test_customer_without_a_contact_stops_nobody_else(world: NoticeWorld) -> None:
    with world.database.transaction() as session:
        acme = session.scalars(select(Customer).where(Customer.name == "acme")).one()
        acme.contacts = []
        globex = session.scalars(select(Installation).where(Installation.name == "globex-1")).unique().one()
        for target in globex.targets:
            target.version = "1.0"
    end(world, ENDS_ON)
    assert [to for to, _ in tick(world)] == ["it@globex.example"]


def test_rule_of_the_product_ends_lines_as_a_stated_day_does(on_each: NoticeWorld) -> None:
    with on_each.database.transaction() as session:
        product = products.get(session, "calls")
        product.supported_days, product.support_notice_days = 60, [20]
    assert [to for to, _ in tick(on_each)] == [
        "boss@acme.example",
        "boss@acme.example",
        "it@globex.example",
        "ops@acme.example",
        "ops@acme.example",
    ]
    assert tick(on_each) == []


def test_many_workers_at_once_tell_it_once(on_each: NoticeWorld) -> None:
    end(on_each, ENDS_ON)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        announce_support_end(on_each.ports)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(tick(on_each)) == 2
    assert len(list_notices(on_each.ports)) == 1


def test_notice_of_an_end_is_no_planned_work_and_follows_the_line_only(world: NoticeWorld) -> None:
    end(world, ENDS_ON)
    tick(world)
    with world.database.reading() as session:
        assert overview.coming(session) == []
    with pytest.raises(RefusedError, match="follows the line") as caught:
        announce_notice(world.ports, notice_id=list_notices(world.ports)[0]["id"], by="rita")
    assert caught.value.rule == "not-work"
