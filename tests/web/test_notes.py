"""Notes over the API and on the page: what customers read, what internal readers ask for, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver

PATH = "/v1/products/shop/releases/1.1"
INTERNAL = {"audience": "internal"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ReleaseWorld:
    """1.1 is published."""
    world = ReleaseWorld(tmp_path_factory.mktemp("prepared"))
    world.cut()
    world.publish("1.1")
    world.close()
    return world


@pytest.fixture
def world(prepared: ReleaseWorld, tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = prepared.copied(tmp_path)
    yield world
    world.close()


@pytest.fixture
def client(world: ReleaseWorld) -> Iterator[TestClient]:
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as made:
        yield made


def test_correction_is_made_with_a_reason_and_shown_on_the_page(client: TestClient) -> None:
    body = {"text": "Baskets **stay**."}
    refused = client.put(f"{PATH}/notes/SHOP-2/en", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "reason")
    written = client.put(f"{PATH}/notes/SHOP-2/en", json={**body, "reason": "clearer"})
    assert (written.status_code, written.json()["corrected_at"]) == (200, "2026-03-02T09:00:00Z")
    page = client.get("/products/shop/releases/1.1").text
    assert "Text corrected on 2 March 2026." in page
    assert '<span class="tag">corrected on 2 March 2026</span>' in page
    russian = client.get("/products/shop/releases/1.1", params={"lang": "ru"}).text
    assert "исправлено 2 марта 2026" not in russian  # the Russian text is as it was
    assert client.get(f"{PATH}/notes/SHOP-2/revisions").status_code == 403
    rows = client.get(f"{PATH}/notes/SHOP-2/revisions", params=INTERNAL).json()["items"]
    assert [(row["number"], row["text"], row["reason"]) for row in rows] == [(1, "Baskets **stay**.", "clearer")]


@pytest.mark.parametrize(
    ("form", "media", "text"),
    [
        ("json", "application/json", '"markdown": "Корзина больше не теряет товары."'),
        ("md", "text/markdown", "- Корзина больше не теряет товары. (SHOP-2)"),
        ("html", "text/html", "<li>Корзина больше не теряет товары. (SHOP-2)</li>"),
        ("text", "text/plain", "  * Корзина больше не теряет товары. (SHOP-2)"),
    ],
)
def test_notes_are_read_in_every_form(client: TestClient, form: str, media: str, text: str) -> None:
    answer = client.get(f"{PATH}/notes", params={"format": form, "lang": "ru"})
    assert answer.headers["content-type"].startswith(media)
    assert text in answer.text


def test_embargo_and_internal_notes_reach_internal_readers_alone(client: TestClient) -> None:
    secret = client.put(f"{PATH}/notes/SHOP-3/en", json={"text": "The *inside* story.", "audience": "internal"})
    assert secret.status_code == 200
    kept = client.put("/v1/products/shop/embargoes/SHOP-2", json={"until": "2026-03-05T12:00:00+03:00"})
    assert (kept.json()["in_force"], kept.json()["until"]) == (True, "2026-03-05T09:00:00Z")
    for path in (
        PATH,
        f"{PATH}/notes",
        f"{PATH}/changelog",
        f"{PATH}/changelog?format=json",
        "/v1/products/shop/changelog",
        "/products/shop/releases/1.1",
        "/products/shop/feed.atom",
        "/products/shop/feed.json",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        for hidden in ("inside", "SHOP-2", "товары", "basket loses"):
            assert hidden not in answer.text, (path, hidden)
    told = client.get(PATH, params=INTERNAL).json()["notes"]
    assert {note["text"] for note in told} == {"Корзина больше не теряет товары.", "The *inside* story."}
    assert "SHOP-2" in client.get(f"{PATH}/changelog", params=INTERNAL).text
    assert client.get("/v1/products/shop/embargoes").status_code == 403
    rows = client.get("/v1/products/shop/embargoes", params=INTERNAL).json()["items"]
    assert [(row["ticket"], row["in_force"]) for row in rows] == [("SHOP-2", True)]
    assert client.delete("/v1/products/shop/embargoes/SHOP-2").json()["in_force"] is False
    assert client.delete("/v1/products/shop/embargoes/SHOP-2").status_code == 422
    assert "SHOP-2" in client.get(f"{PATH}/changelog").text
    assert client.put("/v1/products/shop/embargoes/SHOP-2", json={"until": "2026-03-05T12:00:00"}).status_code == 422


def test_note_is_withdrawn(client: TestClient) -> None:
    path = f"{PATH}/notes/SHOP-2/withdraw"
    assert client.post(path, json={}).status_code == 422
    assert [n["text"] for n in client.post(path, json={"reason": "wrong"}).json()["items"]] == [""]
    assert "товары" not in client.get(f"{PATH}/notes").text
    assert client.post(f"{PATH}/notes/SHOP-9/withdraw", json={"reason": "wrong"}).status_code == 404


def test_changelog_is_committed_on_request(client: TestClient, world: ReleaseWorld) -> None:
    done = client.post(f"{PATH}/changelog/commit", json={})
    assert (done.status_code, done.json()["unchanged"]) == (200, False)
    assert client.post(f"{PATH}/changelog/commit", json={"branch": "main"}).json()["unchanged"] is True
    assert client.post(f"{PATH}/changelog/commit", json={"branch": "nowhere"}).status_code == 404
    published = client.post(f"{PATH}/publish", params={"commit": True}).json()
    assert [one["branch"] for one in published["commits"]] == ["main"]
    assert "## [1.1]" in (world.remote.read("main", "CHANGELOG.md") or "")
