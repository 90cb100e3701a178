"""Notes of a published release: corrected with a trail, withdrawn, kept back until their time, and never told to the wrong reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from releaser.bell import Bell
from releaser.domain.changelog import Audience, Form, Section
from releaser.domain.release import CutKind
from releaser.errors import InvalidError
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.render_changelog import render_changelog
from releaser.flows.render_feed import FeedForm, render_feed
from releaser.flows.render_notes import render_notes
from releaser.flows.reveal_tickets import reveal_tickets
from releaser.flows.set_embargo import list_embargoes, set_embargo
from releaser.flows.show_notes import note_history, show_notes
from releaser.flows.show_release import show_release
from releaser.flows.withdraw_note import NoteNotFoundError, withdraw_note
from releaser.flows.write_note import InvalidNoteError, MissingNoteReasonError, write_note
from releaser.sources.source import NotARepositoryError
from releaser.store import products
from releaser.store.customers import Customer
from releaser.store.tickets import Ticket
from releaser.worker.embedded import EmbeddedEngine
from tests.fakes.release_world import ReleaseWorld

CUSTOMER, INTERNAL = Audience.CUSTOMER, Audience.INTERNAL
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ReleaseWorld:
    """1.1 is published, with SHOP-2 (a note in Russian) and SHOP-3 (ACME's own request); 1.0.1 has SHOP-2 picked."""
    world = ReleaseWorld(tmp_path_factory.mktemp("prepared"))
    world.land("SHOP-2: basket loses items", branch="line-1.0")
    with world.database.transaction() as session:
        customer = Customer(name="acme", regulation={})
        session.add(customer)
        session.flush()
        product = products.get(session, "shop")
        session.add(
            Ticket(
                product_id=product.id,
                key="SHOP-3",
                title="ACME sells to secret agents",
                customer_id=customer.id,
                opened_at=world.clock.now(),
            )
        )
    world.cut()
    world.publish("1.1")
    world.cut(CutKind.PATCH, line="1.0")
    world.publish("1.0.1")
    world.close()
    return world


@pytest.fixture
def world(prepared: ReleaseWorld, tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = prepared.copied(tmp_path)
    world.clock.advance(DAY)
    yield world
    world.close()


def write(
    world: ReleaseWorld,
    text: str,
    *,
    ticket: str = "SHOP-2",
    language: str = "en",
    version: str = "1.1",
    **given: Any,  # noqa: ANN401 -- options
) -> dict[str, Any]:
    return write_note(
        world.ports, product="shop", version=version, ticket=ticket, language=language, text=text, by="ann", **given
    )


def embargo(world: ReleaseWorld, ticket: str, until: datetime | None, **given: Any) -> dict[str, Any]:  # noqa: ANN401 -- options
    return set_embargo(world.ports, product="shop", ticket=ticket, until=until, by="ann", **given)


def file(world: ReleaseWorld, name: str) -> str:
    return (world.ports.home / "changelogs" / "shop" / name).read_text()


def everything_customers_get(world: ReleaseWorld) -> str:
    """All that leaves the house for customers, in every form and language."""
    found = [path.read_text() for path in sorted((world.ports.home / "changelogs" / "shop").iterdir())]
    for language in ("en", "ru"):
        found += [render_feed(world.ports, product="shop", form=f, feed_path="/f", language=language) for f in FeedForm]
        for form in Form:
            found.append(render_changelog(world.ports, product="shop", form=form, language=language))
            found += [
                render_notes(world.ports, product="shop", version=version, form=form, language=language)
                for version in ("1.1", "1.0.1")
            ]
    found += [json.dumps(show_release(world.ports, product="shop", version=v), default=str) for v in ("1.1", "1.0.1")]
    return "\n".join(found)


def test_correction_needs_a_reason_and_keeps_what_was_said(world: ReleaseWorld) -> None:
    with pytest.raises(MissingNoteReasonError, match="--reason"):
        write(world, "The basket keeps items.")
    facts = write(world, "The basket keeps items.", reason="say it clearly")
    assert (facts["corrected_at"], facts["unchanged"]) == (world.clock.now(), False)
    assert write(world, "The basket keeps items.")["unchanged"] is True
    world.clock.advance(DAY)
    write(world, "The basket keeps *all* items.", reason="all of them")
    history = note_history(world.ports, product="shop", version="1.1", ticket="SHOP-2")
    assert [(row["language"], row["number"], row["text"], row["written_by"], row["reason"]) for row in history] == [
        ("en", 1, "The basket keeps items.", "ann", "say it clearly"),
        ("en", 2, "The basket keeps *all* items.", "ann", "all of them"),
    ]


def test_correction_of_a_draft_keeps_the_draft(world: ReleaseWorld) -> None:
    write(world, "Корзина цела.", language="ru", reason="короче")
    history = note_history(world.ports, product="shop", version="1.1", ticket="SHOP-2")
    assert [(row["number"], row["text"], row["written_by"]) for row in history] == [
        (1, "Корзина больше не теряет товары.", ""),
        (2, "Корзина цела.", "ann"),
    ]


def test_readers_see_the_correction_everywhere_a_pick_included(world: ReleaseWorld) -> None:
    write(world, "Корзина цела.", language="ru", reason="короче")
    for version in ("1.1", "1.0.1"):
        text = file(world, f"{version}.notes.ru.md")
        assert "Текст исправлен 3 марта 2026" in text
        assert "- Корзина цела. (SHOP-2, исправлено 3 марта 2026\xa0г.)" in text
        assert "больше не теряет" not in text
    text = render_feed(world.ports, product="shop", form=FeedForm.ATOM, feed_path="/f", language="ru")
    feed = ET.fromstring(text)  # noqa: S314 -- our own
    atom = {"a": "http://www.w3.org/2005/Atom"}
    # The third was found in the history.
    assert [one.text for one in feed.findall("a:entry/a:updated", atom)][:2] == ["2026-03-03T09:00:00+00:00"] * 2
    assert [one.text for one in feed.findall("a:entry/a:published", atom)][:2] == ["2026-03-02T09:00:00+00:00"] * 2
    assert feed.findtext("a:updated", namespaces=atom) == "2026-03-03T09:00:00+00:00"
    items = json.loads(render_feed(world.ports, product="shop", form=FeedForm.JSON, feed_path="/f"))["items"]
    assert {item["date_modified"] for item in items[:2]} == {"2026-03-03T09:00:00Z"}


def test_own_text_of_a_pick_stays_when_its_parent_is_corrected(world: ReleaseWorld) -> None:
    write(world, "Только здесь.", language="ru", version="1.0.1", reason="другое")
    world.clock.advance(DAY)
    write(world, "Корзина цела.", language="ru", reason="короче")
    assert "Только здесь." in file(world, "1.0.1.notes.ru.md")
    assert "Корзина цела." in file(world, "1.1.notes.ru.md")


def test_withdrawn_note_is_told_no_more_and_stays_for_internal_readers(world: ReleaseWorld) -> None:
    with pytest.raises(MissingNoteReasonError):
        withdraw_note(world.ports, product="shop", version="1.1", ticket="SHOP-2", by="ann")
    withdraw_note(world.ports, product="shop", version="1.1", ticket="SHOP-2", by="ann", reason="names a customer")
    assert [note["ticket"] for note in show_notes(world.ports, product="shop", version="1.1")] == ["SHOP-3"]
    assert "товары" not in file(world, "1.1.notes.ru.md")
    assert "товары" not in file(world, "1.0.1.notes.ru.md")
    assert "Текст исправлен 3 марта 2026" in file(world, "1.1.notes.ru.md")  # something that was there is gone
    history = note_history(world.ports, product="shop", version="1.1", ticket="SHOP-2")
    assert [(row["text"], row["reason"]) for row in history] == [
        ("Корзина больше не теряет товары.", ""),
        ("", "names a customer"),
    ]
    withdraw_note(world.ports, product="shop", version="1.1", ticket="SHOP-2", by="ann")
    with pytest.raises(NoteNotFoundError):
        withdraw_note(world.ports, product="shop", version="1.1", ticket="SHOP-9", by="ann", reason="x")


def test_private_title_reaches_internal_readers_alone(world: ReleaseWorld) -> None:
    assert "secret agents" not in everything_customers_get(world)
    inside = show_notes(world.ports, product="shop", version="1.1", audience=INTERNAL)
    assert [(note["ticket"], note["text"]) for note in inside if note["audience"] == "internal"] == [
        ("SHOP-3", "ACME sells to secret agents")
    ]
    write(world, "ACME asked for it: *secret agents* pay by colour.", ticket="SHOP-3", audience=INTERNAL)
    assert "secret agents" not in everything_customers_get(world)
    assert "*secret agents* pay" in render_notes(world.ports, product="shop", version="1.1", audience=INTERNAL)


def test_embargoed_ticket_is_told_nowhere_until_its_instant_and_then_by_itself(world: ReleaseWorld) -> None:
    write(world, "A hole was closed.", ticket="SHOP-2", section=Section.SECURITY, reason="security")
    until = world.clock.now() + DAY
    facts = embargo(world, "SHOP-2", until, reason="the others need time")
    assert (facts["in_force"], facts["until"]) == (True, until)
    assert embargo(world, "SHOP-2", until)["unchanged"] is True
    outside = everything_customers_get(world)
    for secret in ("SHOP-2", "A hole was closed", "товары", "basket"):
        assert secret not in outside
    assert "A hole was closed." in render_notes(world.ports, product="shop", version="1.0.1", audience=INTERNAL)
    assert "under embargo until 4 March 2026" in render_notes(
        world.ports, product="shop", version="1.1", audience=INTERNAL
    )
    assert "SHOP-2" in render_changelog(world.ports, product="shop", form=Form.JSON, audience=INTERNAL)
    assert reveal_tickets(world.ports) == 0
    world.clock.set(until)
    # What is asked for follows the clock; files are written by the tick.
    assert "A hole was closed." in render_notes(world.ports, product="shop", version="1.1")
    assert "SHOP-2" not in file(world, "1.1.md")
    assert reveal_tickets(world.ports) == 1
    assert "SHOP-2" in file(world, "1.1.md")
    assert "- A hole was closed. (SHOP-2, made public on 4 March 2026" in file(world, "1.0.1.notes.en.md")
    items = json.loads(render_feed(world.ports, product="shop", form=FeedForm.JSON, feed_path="/f"))["items"]
    assert {item["date_modified"] for item in items[:2]} == {"2026-03-04T09:00:00Z"}
    assert reveal_tickets(world.ports) == 0
    assert [(one["ticket"], one["in_force"]) for one in list_embargoes(world.ports, product="shop")] == [
        ("SHOP-2", False)
    ]


def test_worker_tells_what_is_due_and_rests_otherwise(world: ReleaseWorld) -> None:
    worker = EmbeddedEngine(world.ports, bell=Bell(), tick_s=0.5)
    embargo(world, "SHOP-2", world.clock.now() + DAY)
    assert worker._embargoes() == 0.5
    world.clock.advance(DAY)
    assert worker._embargoes() == 0.0
    assert "SHOP-2" in file(world, "1.1.md")
    assert worker._embargoes() == 0.5


def test_what_was_under_embargo_when_it_was_changed_is_no_correction(world: ReleaseWorld) -> None:
    embargo(world, "SHOP-3", world.clock.now() + DAY)
    assert write(world, "Sell by colour.", ticket="SHOP-3")["corrected_at"] is None


def test_embargo_can_be_lifted_and_set_before_anything_is_released(world: ReleaseWorld) -> None:
    embargo(world, "SHOP-8", world.clock.now() + DAY)
    world.land("SHOP-8: close the hole")
    world.cut()
    world.publish("1.2")
    assert "SHOP-8" not in everything_customers_get(world)
    assert "internal changes only" in file(world, "1.2.notes.en.md")
    embargo(world, "SHOP-8", None)
    assert "Close the hole" in file(world, "1.2.notes.en.md")
    with pytest.raises(InvalidError, match="no embargo"):
        embargo(world, "SHOP-8", None)
    with pytest.raises(InvalidError):
        embargo(world, "", world.clock.now())


def test_embargoed_ticket_comes_into_the_repository_when_it_is_over(world: ReleaseWorld) -> None:
    embargo(world, "SHOP-2", world.clock.now() + DAY)
    commit_changelog(world.ports, product="shop", version="1.1", by="ann")
    assert "SHOP-2" not in (world.remote.read("main", "CHANGELOG.md") or "")
    world.clock.advance(DAY)
    hidden = world.remote.folder.rename(world.folder / "elsewhere.git")
    with pytest.raises(NotARepositoryError):
        reveal_tickets(world.ports)
    assert reveal_tickets(world.ports) == 0  # it is not asked at every tick
    hidden.rename(world.remote.folder)
    world.clock.advance(timedelta(minutes=5))
    assert reveal_tickets(world.ports) == 1
    assert "SHOP-2" in (world.remote.read("main", "CHANGELOG.md") or "")


def test_section_and_need_of_action_are_the_tickets(world: ReleaseWorld) -> None:
    write(world, "A.", ticket="SHOP-3", section=Section.SECURITY, needs_action=True, reason="it is one")
    write(world, "Б.", ticket="SHOP-3", language="ru", reason="перевод")
    found = [note for note in show_notes(world.ports, product="shop", version="1.1") if note["ticket"] == "SHOP-3"]
    assert {(note["language"], note["section"], note["needs_action"]) for note in found} == {
        ("en", "security", True),
        ("ru", "security", True),
    }
    assert "needs action" in file(world, "1.1.notes.en.md")


def test_reason_that_is_too_long_is_refused(world: ReleaseWorld) -> None:
    with pytest.raises(InvalidNoteError, match="2000"):
        write(world, "x", reason="x" * 2001)


def test_first_note_of_an_imported_release_corrects_nothing(world: ReleaseWorld) -> None:
    assert write(world, "The shop sells.", ticket="SHOP-1", version="1.0")["corrected_at"] is None
    assert (
        write(world, "It sells.", ticket="SHOP-1", version="1.0", reason="short")["corrected_at"] == world.clock.now()
    )
    found = show_notes(world.ports, product="shop", version="1.0")
    assert [(note["ticket"], note["text"]) for note in found] == [("SHOP-1", "It sells.")]


def test_instants_are_compared_not_their_spelling(world: ReleaseWorld) -> None:
    until = datetime.fromisoformat("2026-03-03T12:00:00+03:00")  # that is now
    assert until.astimezone(UTC) == world.clock.now()
    assert embargo(world, "SHOP-2", until)["in_force"] is False
