"""The page of an upgrade: what would be lost stands first, everything that others wrote is inert, nonsense is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from releaser.flows.require_stop import require_stop
from releaser.flows.write_note import write_note
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module, Product
from tests.fakes.history_world import HistoryWorld
from tests.fakes.shared_app import AppOver
from tests.web.test_history import text_of
from tests.web.test_pages import ATTACKS, Seen

PAGE = "/products/shop/upgrade"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryWorld]:
    made = HistoryWorld(tmp_path_factory.mktemp("upgrade"))
    require_stop(made.ports, product="shop", version="1.1", reason="It moves the baskets.", by="olga")
    for language, text in [("en", "Restart the **tills**."), ("ru", "Перезапустите **кассы**.")]:
        write_note(
            made.ports,
            product="shop",
            version="1.1.1",
            ticket="SHOP-4",
            language=language,
            text=text,
            by="olga",
            needs_action=True,
        )
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(world: HistoryWorld) -> Iterator[TestClient]:
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1", raise_server_exceptions=False) as made:
        yield made


def card(text: str, name: str) -> str:
    """One card of the page; empty when it is not there."""
    found = re.search(rf'<section class="card[^"]*" aria-labelledby="{name}">.*?</section>', text, re.DOTALL)
    return found[0] if found else ""


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("query", ["", "?from=1.1&to=1.2", "?from=1.2&to=1.0", "?from=1.0&to=1.1.1"])
def test_page_is_shown_in_the_readers_language(client: TestClient, query: str, language: str) -> None:
    text = text_of(client, PAGE + query, language=language)
    assert text.count("<h1") == 1
    seen = Seen()
    seen.feed(text)
    assert seen.wrong == []
    assert ("Обновление" in text) is (language == "ru")


def test_form_offers_what_customers_can_have(client: TestClient) -> None:
    text = text_of(client, PAGE)
    assert re.findall(r'<option value="([^"]+)">', text) == ["1.2", "1.1.1", "1.1", "1.0"]
    assert 'name="to" value="1.2"' in text


def test_lost_fixes_stand_first_and_in_red(client: TestClient) -> None:
    text = text_of(client, f"{PAGE}?from=1.1.1&to=1.2")
    assert "would be lost." in text
    lost = card(text, "lost")
    assert 'class="card edged bad"' in lost
    assert ">SHOP-2</a>" in lost
    assert "taken back by" in lost
    assert text.index('id="lost"') < text.index(">Gained<")


def test_upgrade_that_loses_nothing_says_so(client: TestClient) -> None:
    text = text_of(client, f"{PAGE}?from=1.0&to=1.1")
    assert "Nothing of 1.0 would be lost." in text
    assert card(text, "lost") == ""
    gained = card(text, "gained")
    assert ">SHOP-1</a>" in gained
    assert ">SHOP-2</a>" in gained


def test_way_tells_stops_actions_and_downtime(client: TestClient) -> None:
    text = text_of(client, f"{PAGE}?from=1.0&to=1.1.1")
    assert "It moves the baskets." in card(text, "stops")
    assert "Restart the <strong>tills</strong>." in card(text, "actions")
    assert "Not known" in card(text, "downtime")
    russian = card(text_of(client, f"{PAGE}?from=1.0&to=1.1.1", language="ru"), "actions")
    assert "Перезапустите <strong>кассы</strong>." in russian
    assert "tills" not in russian
    assert "None: straight on." in card(text_of(client, f"{PAGE}?from=1.1&to=1.1.1"), "stops")


def test_going_back_is_said(client: TestClient) -> None:
    assert "This goes back" in text_of(client, f"{PAGE}?from=1.1&to=1.0")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?from=9.9&to=1.0", 404),
        ("?from=1.0&to=<script>", 422),
        ("?from=1.0", 200),
        ("?from=&to=", 200),
        ("?from=1.0&to=1.0", 200),
        (f"?from={'1' * 129}&to=1.0", 422),
    ],
)
def test_nonsense_in_an_address_is_told(client: TestClient, query: str, status: int) -> None:
    answer = client.get(PAGE + query, headers={"Accept": "text/html"})
    assert (answer.status_code, "</html>" in answer.text) == (status, True)
    assert "<script>" not in re.sub(r"<script [^>]*>", "", answer.text)


def test_what_runs_is_offered_to_be_upgraded(tmp_path: Path) -> None:
    world = HistoryWorld(tmp_path)
    with world.database.transaction() as session:
        product = session.scalars(select(Product)).one()
        host = Host(name="host-1", address="unix:///run/engine.sock")
        module = Module(name="web", product_id=product.id)
        customer = Customer(name="acme", title="Acme", language="en", zone="UTC", regulation={})
        session.add_all([host, module, customer])
        session.flush()
        installation = Installation(
            name="acme", title="Acme", customer_id=customer.id, product_id=product.id, ring="wide", labels={}
        )
        session.add(installation)
        session.flush()
        session.add(
            Target(
                installation_id=installation.id,
                module_id=module.id,
                host_id=host.id,
                spec={"name": "web"},
                version="1.0",
            )
        )
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as client:
        assert f'{PAGE}?from=1.0&amp;to=1.2">1.0 → 1.2</a> (1 installation)' in text_of(client, PAGE)
    world.close()


def test_text_of_others_is_never_markup(tmp_path: Path) -> None:
    hostile = " ".join(ATTACKS)
    world = HistoryWorld(tmp_path, hostile=hostile)
    require_stop(world.ports, product="shop", version="1.1", reason=hostile, by="olga")
    write_note(
        world.ports,
        product="shop",
        version="1.1.1",
        ticket="SHOP-4",
        language="en",
        text=hostile,
        by="o",
        needs_action=True,
    )
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as client:
        for query in ["?from=1.0&to=1.2", "?from=1.2&to=1.0", "?from=1.0&to=1.1.1"]:
            seen = Seen()
            seen.feed(text_of(client, PAGE + query))
            assert seen.wrong == []
            assert "Shop49" not in seen.text
    world.close()
