"""Where fixes are, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver

SHOP = "/v1/products/shop"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """1.0; 1.0.1 with a fix of its own; 1.1 with SHOP-2."""
    folder: Path = tmp_path_factory.mktemp("fixes")
    world = ReleaseWorld(folder)
    own = world.land("SHOP-9: only here", branch="line-1.0")
    world.remote.tag("v1.0.1", own)
    world.remote.tag("v1.1", world.remote.git("rev-parse", "main"))
    world.collect()
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as made:
        yield made
    world.close()


def test_contains_is_answered_as_the_command_does(client: TestClient) -> None:
    found = client.get(f"{SHOP}/contains", params={"query": "SHOP-9"}).json()
    assert [(one["version"], one["via"]) for one in found["releases"]] == [("1.0.1", "self")]
    assert {one["line"]: one["status"] for one in found["lines"]} == {"1.0": "fixed", "1.1": "unknown"}


def test_backports_are_answered_of_lines_alive_or_named(client: TestClient) -> None:
    found = client.get(f"{SHOP}/backports").json()
    assert ("SHOP-9", "main", "forward-port") in [(one["ticket"], one["line"], one["kind"]) for one in found["gaps"]]
    named = client.get(f"{SHOP}/backports", params={"lines": "1.1,1.0"}).json()
    assert [one["line"] for one in named["lines"]] == ["1.0", "1.1", "main"]


def test_upgrade_is_answered_with_what_only_the_service_knows(client: TestClient) -> None:
    found = client.get(f"{SHOP}/upgrade", params={"from": "1.0.1", "to": "1.1"}).json()
    assert [one["ticket"] for one in found["lost"]] == ["SHOP-9"]
    assert (found["required_stops"], found["actions"], found["downtime"]["basis"]) == ([], [], "not known")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("contains?query=SHOP-77", 404, "The nearest are SHOP-9"),
        ("contains", 422, "query"),
        (f"contains?query={'x' * 301}", 422, "query"),
        ("contains?query=%00", 422, "NUL"),
        ("backports?lines=9.9", 404, "There is no line '9.9'"),
        ("upgrade?from=1.0&to=9.9", 404, "no release 9.9"),
        ("upgrade?from=1.0", 422, "to"),
        ("upgrade?from=03.1&to=1.1", 422, "leading zero"),
    ],
)
def test_wrong_questions_are_problems(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(f"{SHOP}/{path}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text


def test_required_stop_is_set_shown_and_lifted(client: TestClient) -> None:
    put = client.put(f"{SHOP}/releases/1.0.1/stop", json={"reason": "converts"}, headers={"X-Releaser-Actor": "rita"})
    assert (put.status_code, put.json()["required_stop"], put.json()["required_stop_by"]) == (200, "converts", "rita")
    assert client.get(f"{SHOP}/releases/1.0.1").json()["required_stop"] == "converts"
    way = client.get(f"{SHOP}/upgrade", params={"from": "1.0", "to": "1.1"}).json()
    assert way["required_stops"] == [{"version": "1.0.1", "reason": "converts"}]
    assert client.put(f"{SHOP}/releases/1.0.1/stop", json={"reason": ""}).status_code == 422
    assert client.delete(f"{SHOP}/releases/1.0.1/stop").json()["required_stop"] is None
