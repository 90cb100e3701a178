"""Lines, the gate, blockers and alarms over HTTP: the API and the pages, over a product that was really collected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver

ACTOR = {"X-Releaser-Actor": "rita"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path_factory.mktemp("gate"))
    world.collect()
    yield world
    world.close()


@pytest.fixture
def client(world: ReleaseWorld) -> TestClient:
    return TestClient(AppOver(world.ports), base_url="https://releases.example.com", raise_server_exceptions=True)


def test_lines_are_listed_stated_and_refused_nonsense(client: TestClient) -> None:
    (line,) = client.get("/v1/products/shop/lines").json()["items"]
    assert (line["name"], line["phase"], line["policy"], line["newest"]) == ("1.0", "maintained", "open", "1.0")
    told = client.patch("/v1/products/shop/lines/1.0", json={"policy": "patch-only"}, headers=ACTOR)
    assert (told.status_code, told.json()["policy"]) == (200, "patch-only")
    told = client.patch("/v1/products/shop/lines/v1.0", json={"policy": None, "supported_until_on": "2030-01-31"})
    assert (told.json()["policy"], told.json()["supported_until_on"]) == ("open", "2030-01-31")
    assert client.get("/v1/products/shop/lines/1.0").json()["stated"]["supported_until_on"] == "2030-01-31"
    for path, body, status in (
        ("1.0", {}, 422),
        ("1.0", {"policy": "wild"}, 422),
        ("1.0", {"supported_until_on": "someday"}, 422),
        ("1.0", {"luck": 1}, 422),
        ("1.0.1", {"policy": "open"}, 422),
    ):
        assert client.patch(f"/v1/products/shop/lines/{path}", json=body).status_code == status, body
    assert client.get("/v1/products/shop/lines/9.9").status_code == 404


def test_blocker_holds_the_gate_and_a_cut_until_it_is_lifted(client: TestClient, world: ReleaseWorld) -> None:
    assert client.get("/v1/products/shop/gate").json()["holds"] is False
    block = {"ticket": "SHOP-9", "reason": "loses orders"}
    assert client.post("/v1/products/shop/blockers", json=block, headers=ACTOR).json()["by"] == "rita"
    report = client.get("/v1/products/shop/gate").json()
    assert (report["holds"], report["findings"][0]["check"], report["version"]) == (True, "blockers", "1.1")
    refused = client.post("/v1/products/shop/releases", json={"kind": "stable"})
    problem = refused.json()
    assert (refused.status_code, problem["rule"]) == (403, "blockers")
    assert problem["type"] == "urn:releaser:problem:gate-holds"
    page = client.get("/products/shop/gate").text
    assert "The gate holds 1.1." in page
    assert "SHOP-9 blocks this cut, says rita: loses orders" in page
    assert "Контроль не пропускает 1.1." in client.get("/products/shop/gate?lang=ru").text
    client.cookies.clear()
    assert "has no release on line 7.7" in client.get("/products/shop/gate?kind=patch&line=7.7").text
    (standing,) = client.get("/v1/products/shop/blockers").json()["items"]
    assert standing["ticket"] == "SHOP-9"
    lifted = client.post("/v1/products/shop/blockers/lift", json={"ticket": "SHOP-9", "reason": "can wait"})
    assert lifted.json()["items"][0]["lift_reason"] == "can wait"
    assert "Nothing holds 1.1." in client.get("/products/shop/gate").text
    assert world.tags() == ["v1.0"]


def test_ticket_is_marked_and_unmarked(client: TestClient) -> None:
    told = client.post("/v1/tickets/SHOP-2/mark", json={"product": "shop", "kind": "security"}, headers=ACTOR)
    assert told.json()["kind"] == "security"
    assert client.post("/v1/tickets/SHOP-2/mark", json={"product": "shop", "kind": None}).json()["kind"] is None
    assert client.post("/v1/tickets/SHOP-2/mark", json={"product": "shop", "kind": "x"}).status_code == 422


def test_moved_tag_is_loud_on_the_page_until_it_is_accepted(client: TestClient, world: ReleaseWorld) -> None:
    was = world.remote.git("rev-parse", "refs/tags/v1.0")
    world.remote.tag("v1.0", world.remote.git("rev-parse", "main"))
    client.post("/v1/products/shop/collect")
    (alarm,) = client.get("/v1/products/shop/alarms").json()["items"]
    assert (alarm["tag"], alarm["version"], alarm["was"]) == ("v1.0", "1.0", was)
    page = client.get("/products/shop").text
    assert 'role="alert"' in page
    assert "The tag v1.0 of release 1.0 is not what it was" in page
    assert client.get("/v1/products/shop").json()["alarms"][0]["tag"] == "v1.0"
    assert client.post("/v1/products/shop/alarms/accept", json={"tag": "v9", "reason": "x"}).status_code == 404
    accepted = client.post(
        "/v1/products/shop/alarms/accept", json={"tag": "v1.0", "reason": "wrong commit"}, headers=ACTOR
    )
    assert accepted.json()["accepted_by"] == "rita"
    assert client.get("/v1/products/shop/alarms").json()["items"] == []
    assert len(client.get("/v1/products/shop/alarms?accepted=true").json()["items"]) == 1
    assert 'role="alert"' not in client.get("/products/shop").text


def test_product_that_was_never_collected_has_a_gate_that_says_so(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    client = TestClient(AppOver(world.ports), base_url="https://releases.example.com")
    refused = client.get("/v1/products/shop/gate")
    assert (refused.status_code, refused.json()["rule"]) == (403, "not-collected")
    assert "is not collected yet" in client.get("/products/shop/gate").text
    removed = client.delete("/v1/products/shop")
    assert (removed.status_code, removed.json()["removed"]) == (200, True)
    assert client.get("/v1/products/shop").status_code == 404
    world.close()
