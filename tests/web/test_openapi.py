from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def description(client: TestClient) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/v1/openapi.json").json()
    return described


def operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_is_described(description: dict[str, Any]) -> None:
    found = operations(description)
    assert len(found) > 30
    for name, operation in found:
        assert operation["summary"], name
        assert operation["tags"], name
        if "/v1/" in name:
            told = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
            assert told == {"$ref": "#/components/schemas/Problem"}, name
            assert {"400", "403", "409", "413", "422", "502", "503"} <= set(operation["responses"]), name
    names = [operation["operationId"] for _, operation in found]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/([\w-]+)", str(description)):
        assert name in schemas
    assert schemas["Problem"]["properties"]["rule"]


def test_pages_are_not_part_of_the_api(description: dict[str, Any]) -> None:
    assert all(path.startswith(("/v1/", "/healthz", "/readyz")) for path in description["paths"])


def test_every_list_is_paged(client: TestClient, description: dict[str, Any]) -> None:
    lists = ["/v1/products", "/v1/products/portal/releases", "/v1/rollouts", "/v1/notices", "/v1/tickets", "/v1/cuts",
             "/v1/notices/1/deliveries", "/v1/customers", "/v1/installations", "/v1/hosts"]  # fmt: skip
    for path in lists:
        first = client.get(f"{path}?limit=1").json()
        assert set(first) == {"items", "next"}, path
        seen, following = list(first["items"]), first["next"]
        while following:
            page = client.get(following).json()
            assert len(page["items"]) == 1
            seen += page["items"]
            following = page["next"]
        assert seen == client.get(f"{path}?limit=200").json()["items"], path
        assert seen or path == "/v1/tickets"
