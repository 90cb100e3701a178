"""Declared state by API, over the real flows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from releaser.flows.ports import Ports
from tests.fakes.shared_app import AppOver

PORTAL = {"name": "portal", "repository": "https://git.example.com/portal.git", "modules": [{"name": "app"}]}
YAML = """\
products:
  - name: portal
    repository: https://git.example.com/portal.git
customers:
  - name: acme
    language: ru
"""


@pytest.fixture
def api(make_ports: Callable[..., Ports]) -> Iterator[TestClient]:
    with TestClient(AppOver(make_ports()), base_url="http://127.0.0.1") as made:
        yield made


def test_declaration_is_told_applied_and_unchanged_the_second_time(api: TestClient) -> None:
    told = api.post("/v1/declaration?dry_run=true", content=YAML).json()
    first = told["changes"][0]
    assert (first["noun"], first["name"], first["action"]) == ("product", "portal", "created")
    assert api.get("/v1/products").json()["items"] == []
    assert api.post("/v1/declaration", content=YAML).json()["created"] == 2
    assert api.post("/v1/declaration", content=YAML).json()["changes"] == []
    written = api.get("/v1/declaration")
    assert written.headers["content-type"].startswith("application/yaml")
    assert api.post("/v1/declaration?prune=true", content=written.text).json()["changes"] == []
    assert api.get("/v1/declaration?format=json").json()["customers"][0]["name"] == "acme"


@pytest.mark.parametrize(
    ("content", "status"),
    [("products: [", 422), ("products:\n  - nme: x\n", 422), (b"\xff\xfe", 400), ("products: &a [*a]", 422)],
)
def test_declaration_that_is_none_says_where(api: TestClient, content: str | bytes, status: int) -> None:
    answer = api.post("/v1/declaration", content=content)
    assert answer.status_code == status
    if status == 422:
        assert "body:" in answer.json()["detail"]


def test_product_customer_and_installation_are_added_one_by_one(api: TestClient) -> None:
    added = api.post("/v1/products", json=PORTAL)
    assert (added.status_code, added.headers["location"]) == (201, "/v1/products/portal")
    assert api.get("/v1/products/portal").json()["lines"] == []
    assert api.post("/v1/products", json=PORTAL).json()["type"] == "urn:releaser:problem:product-exists"
    assert api.post("/v1/customers", json={"name": "acme"}).status_code == 201
    assert api.get("/v1/customers/acme").json()["installations"] == []
    place = {"name": "acme-prod", "customer": "acme", "product": "portal"}
    assert api.post("/v1/installations", json=place).status_code == 201
    assert api.get("/v1/installations?customer=acme").json()["items"][0]["name"] == "acme-prod"
    assert api.get("/v1/installations/acme-prod").json()["product"] == "portal"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/products", "{", 400),
        ("/v1/products", "[]", 422),
        ("/v1/products", '"x"', 422),
        ("/v1/products", "{}", 422),
        ("/v1/products", '{"name": "a", "repository": "b", "surprise": 1}', 422),
        ("/v1/customers", '{"name": "a", "zone": "No/Where"}', 422),
        ("/v1/installations", '{"name": "a", "customer": "nobody", "product": "none"}', 422),
    ],
)
def test_thing_that_is_described_wrongly_is_refused(api: TestClient, path: str, body: str, status: int) -> None:
    answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
