"""Reasons that the service gives are told in the reader's language, and those that people wrote as they wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from releaser.domain.train import TrainRules
from releaser.flows.block_ticket import block_ticket
from releaser.flows.carry_over import carry_over
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.state_planned_for import state_planned_for
from releaser.store import products
from releaser.store.plain import dump
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver

RUSSIAN = {"Accept-Language": "ru"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """SHOP-2 was left behind by the train of 10 March; the next one is frozen, and a commit landed after that."""
    folder: Path = tmp_path_factory.mktemp("reasons")
    world = ReleaseWorld(folder)
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = date(2026, 3, 10), dump(TrainRules(freeze_days=2))
    world.collect()
    plan_ticket(world.ports, key="SHOP-2", product="shop", train="2026-03-10", by="rita")
    world.clock.set(datetime(2026, 3, 18, 12, tzinfo=UTC))
    carry_over(world.ports, product="shop")
    state_planned_for(world.ports, key="SHOP-2", product="shop", version="1.3", reason="typed by Rita", by="rita")
    block_ticket(world.ports, product="shop", ticket="SHOP-77", line=None, train=None, reason="typed by Ann", by="ann")
    world.clock.set(datetime(2026, 3, 20, 11, tzinfo=UTC))
    world.collect()
    world.clock.set(datetime(2026, 3, 20, 13, tzinfo=UTC))
    world.land("SHOP-9: sneak in")
    world.collect()
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as made:
        yield made
    world.close()


def test_carry_is_told_in_the_readers_language_and_a_persons_reason_as_it_was_typed(client: TestClient) -> None:
    page = client.get("/products/shop/tickets/SHOP-2", headers=RUSSIAN).text
    assert "Выпуск 10 марта 2026" in page
    assert "не состоялся: версии не было" in page
    assert "typed by Rita" in page
    assert "The train of 10 March 2026 left without a release." in client.get("/products/shop/tickets/SHOP-2").text


def test_carry_is_told_to_programs_as_code_and_values(client: TestClient) -> None:
    found = client.get("/v1/products/shop/plans").json()["items"][0]["plans"]
    carry = next(one for one in found if one["kind"] == "carried")
    assert carry["why"] == {"code": "no-release", "train": "2026-03-10", "version": ""}


def test_freeze_is_told_in_the_readers_language(client: TestClient) -> None:
    (violation,) = client.get("/v1/products/shop/freeze", headers=RUSSIAN).json()["violations"]
    assert "появился после заморозки" in violation["detail"]
    assert "для SHOP-9 нет исключения" in violation["detail"]
    assert violation["advice"].startswith("Разрешите командой `releaser freeze except shop SHOP-9`")


def test_refusal_of_the_gate_is_told_in_the_readers_language(client: TestClient) -> None:
    page = client.get("/products/shop/gate?kind=patch&line=7.7", headers=RUSSIAN).text
    assert "нет на линии 7.7 версии, которую можно исправить" in page
    assert "Сначала создайте и опубликуйте стабильную версию" in page
    assert "Cut and publish" not in page
    missing = client.get("/products/shop/gate?kind=patch&line=1.0", headers=RUSSIAN).text
    assert "typed by Ann" in missing
