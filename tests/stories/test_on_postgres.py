"""Notes, a changelog that is kept in the repository, the history and its pages, on PostgreSQL as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from releaser.domain.changelog import Audience, Form, Section
from releaser.domain.history import LineStatus
from releaser.domain.line import TicketKind
from releaser.domain.release import CutKind
from releaser.domain.train import TrainRules
from releaser.flows.block_ticket import block_ticket
from releaser.flows.carry_over import carry_over
from releaser.flows.except_ticket import except_ticket
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.override_status import override_status
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.flows.render_changelog import render_changelog
from releaser.flows.render_notes import render_notes
from releaser.flows.require_stop import require_stop
from releaser.flows.reveal_tickets import reveal_tickets
from releaser.flows.set_embargo import set_embargo
from releaser.flows.show_notes import note_history, show_notes
from releaser.flows.state_found_in import state_found_in
from releaser.flows.withdraw_note import withdraw_note
from releaser.flows.write_note import write_note
from releaser.flows.yank_release import yank_release
from releaser.store import products
from releaser.store.plain import dump
from releaser.web.app import create_app
from tests.fakes.postgres import TEMPLATE, PrivatePostgres
from tests.fakes.release_world import ReleaseWorld

SHOP = "/products/shop"
EVERY = (
    "/",
    SHOP,
    f"{SHOP}/lines",
    f"{SHOP}/releases/1.1",
    f"{SHOP}/releases/1.0.1",
    f"{SHOP}/history",
    f"{SHOP}/matrix?gaps=1&only=gaps&q=SHOP",
    f"{SHOP}/matrix?only=overridden&by=rita",
    f"{SHOP}/tickets/SHOP-2",
    f"{SHOP}/tickets/SHOP-7",
    f"{SHOP}/upgrade?from=1.0&to=1.1",
    f"{SHOP}/upgrade?from=1.1&to=1.0.1",
    f"{SHOP}/gate",
    f"{SHOP}/gate?kind=patch&line=1.0",
    f"{SHOP}/trains",
    f"{SHOP}/trains.ics",
    f"{SHOP}/feed.atom",
    f"{SHOP}/feed.json",
    "/v1/tickets/SHOP-2",
    "/v1/tickets/SHOP-2/evidence",
    f"/v1{SHOP}/matrix",
    f"/v1{SHOP}/history",
    f"/v1{SHOP}/contains?query=SHOP-2",
    f"/v1{SHOP}/backports?lines=all",
    f"/v1{SHOP}/upgrade?from=1.0&to=1.1",
    f"/v1{SHOP}/gate",
    f"/v1{SHOP}/freeze",
    f"/v1{SHOP}/plans",
    f"/v1{SHOP}/blockers",
    f"/v1{SHOP}/exceptions",
    f"/v1{SHOP}/alarms",
    f"/v1{SHOP}/changelog",
    f"/v1{SHOP}/releases/1.1",
    f"/v1{SHOP}/releases/1.1/notes",
)


@pytest.fixture(scope="module")
def world(postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    """1.1 and 1.0.1 are published with their changelog committed; people said everything that can be said of tickets."""
    name = postgres.create(template=TEMPLATE)
    world = ReleaseWorld(tmp_path_factory.mktemp("postgres"), url=postgres.url(name))
    world.land(
        "SHOP-2: basket loses items\n\nAction-needed: restart\nAction-needed-ru: перезапустите", branch="line-1.0"
    )
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = date(2026, 3, 10), dump(TrainRules(freeze_days=2, alert_after_carries=1))
    world.collect()
    plan_ticket(world.ports, key="SHOP-7", product="shop", train="2026-03-10", by="rita")
    for kind, line, version in ((CutKind.STABLE, None, "1.1"), (CutKind.PATCH, "1.0", "1.0.1")):
        world.cut(kind, line=line)
        promote_release(world.ports, product="shop", version=version, by="ann")
        publish_release(world.ports, product="shop", version=version, by="ann", commit=True)
    world.clock.advance(timedelta(days=1))
    _say(world)
    world.collect()
    yield world
    world.close()
    postgres.drop(name)


def _say(world: ReleaseWorld) -> None:
    ports = world.ports
    said: dict[str, Any] = {"product": "shop", "by": "rita"}
    override_status(ports, key="SHOP-2", line="1.0", status=LineStatus.VERIFIED, reason="seen", **said)
    state_found_in(ports, key="SHOP-2", version="1.0", is_first=True, reason="", **said)
    except_ticket(ports, ticket="SHOP-9", approver="olga", reason="law", **said, train="2026-03-24")
    block_ticket(ports, ticket="SHOP-77", line=None, train=None, reason="loses orders", **said)
    mark_ticket(ports, ticket="SHOP-9", kind=TicketKind.SECURITY, **said)
    require_stop(ports, version="1.1", reason="converts", **said)
    world.clock.set(datetime(2026, 3, 20, 13, tzinfo=UTC))
    world.land("SHOP-8: sneak in")
    world.collect()
    assert [one["ticket"] for one in carry_over(ports, product="shop")] == ["SHOP-7"]


@pytest.fixture(scope="module")
def client(world: ReleaseWorld) -> Iterator[TestClient]:
    with TestClient(create_app(world.ports), base_url="http://127.0.0.1") as made:
        yield made


def notes(world: ReleaseWorld, **given: Any) -> set[tuple[str, str, str]]:  # noqa: ANN401 -- options
    found = show_notes(world.ports, product="shop", version="1.1", **given)
    return {(one["ticket"], one["language"], one["text"]) for one in found}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_page_and_answer_of_the_history_is_served_from_postgresql(client: TestClient, language: str) -> None:
    answers = {address: client.get(address, headers={"Accept-Language": language}) for address in EVERY}
    assert {address: one.status_code for address, one in answers.items() if one.status_code != 200} == {}
    told = [
        ("SHOP-2", f"{SHOP}/upgrade?from=1.0&to=1.1"),
        ("sneak in", f"{SHOP}/trains"),
        ("loses orders", f"{SHOP}/gate"),
    ]
    assert [text for text, address in told if text not in answers[address].text] == []


def test_changelog_kept_in_the_repository_tells_both_releases(world: ReleaseWorld) -> None:
    text = world.remote.read("main", "CHANGELOG.md") or ""
    assert text.index("## [1.1]") < text.index("## [1.0.1]") < text.index("basket loses items", text.index("1.0.1"))


def test_note_is_written_corrected_and_withdrawn_with_its_trail_on_postgresql(world: ReleaseWorld) -> None:
    told: dict[str, Any] = {"product": "shop", "version": "1.1", "ticket": "SHOP-2", "by": "ann"}
    write_note(world.ports, text="Mended.", language="en", section=Section.FIXED, reason="typo", **told)
    assert ("SHOP-2", "en", "Mended.") in notes(world)
    write_note(world.ports, text="ACME asked.", language="en", audience=Audience.INTERNAL, **told)
    assert ("SHOP-2", "en", "ACME asked.") in notes(world, audience=Audience.INTERNAL)
    withdraw_note(world.ports, product="shop", version="1.1", ticket="SHOP-3", by="ann", reason="not ours")
    assert "SHOP-3" not in {ticket for ticket, _, _ in notes(world)}
    trail = note_history(world.ports, product="shop", version="1.1", ticket="SHOP-2")
    assert [one["reason"] for one in trail if one["audience"] == "customer" and one["language"] == "en"][-1] == "typo"
    assert "Mended." in render_notes(world.ports, product="shop", version="1.1", form=Form.TEXT, language="en")


def test_embargo_holds_back_and_reveals_by_itself_on_postgresql(world: ReleaseWorld, client: TestClient) -> None:
    until = world.clock.now() + timedelta(days=1)
    set_embargo(world.ports, product="shop", ticket="SHOP-2", until=until, by="ann")
    assert "SHOP-2" not in render_changelog(world.ports, product="shop")
    assert "basket" not in client.get(f"/v1{SHOP}/contains?query=SHOP-2").text
    world.clock.advance(timedelta(days=2))
    assert reveal_tickets(world.ports) == 1
    assert "SHOP-2" in render_changelog(world.ports, product="shop")


def test_yanked_release_is_marked_in_the_committed_changelog_on_postgresql(world: ReleaseWorld) -> None:
    yank_release(world.ports, product="shop", version="1.0.1", reason="loses drafts", by="ann")
    assert "[YANKED]" in (world.remote.read("main", "CHANGELOG.md") or "")
