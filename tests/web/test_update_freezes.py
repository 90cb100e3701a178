"""Freezes of updates by API: stated, held, lifted, overridden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from releaser.domain.spec import Order
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import Vendor, vendor_on

FREEZE = {"scope": "customer", "name": "acme", "ends_at": "2026-03-09T00:00:00+03:00", "reason": "holidays"}


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path, order=Order.START_FIRST)
        yield made
        made.close()


@pytest.fixture
def api(vendor: Vendor) -> Iterator[TestClient]:
    with TestClient(AppOver(vendor.ports), base_url="http://releases.test") as made:
        yield made


def test_freeze_is_stated_listed_and_lifted(api: TestClient) -> None:
    made = api.post("/v1/update-freezes", json=FREEZE, headers={"X-Releaser-Actor": "fred"})
    assert made.status_code == 201
    freeze = made.json()
    assert (freeze["scope"], freeze["name"], freeze["made_by"], freeze["holds"]) == ("customer", "acme", "fred", True)
    assert api.get("/v1/update-freezes").json()["items"] == [freeze]
    lifted = api.post(f"/v1/update-freezes/{freeze['id']}/lift", json={"reason": "over"})
    assert (lifted.status_code, lifted.json()["holds"], lifted.json()["lift_reason"]) == (200, False, "over")


@pytest.mark.parametrize(
    ("wrong", "status", "problem"),
    [
        ({"ends_at": "2026-01-01T00:00:00Z"}, 422, "invalid-update-freeze"),
        ({"reason": " "}, 422, "invalid-update-freeze"),
        ({"scope": "all"}, 422, "invalid-update-freeze"),
        ({"name": "nobody"}, 404, "customer-not-found"),
        ({"ends_at": "2026-03-09T00:00:00"}, 422, None),
        ({"scope": "galaxy"}, 422, None),
    ],
)
def test_freeze_that_cannot_be_is_a_problem(
    api: TestClient, wrong: dict[str, str], status: int, problem: str | None
) -> None:
    answer = api.post("/v1/update-freezes", json={**FREEZE, **wrong})
    assert answer.status_code == status
    if problem:
        assert answer.json()["type"] == f"urn:releaser:problem:{problem}"


def test_override_needs_a_name_and_is_shown(api: TestClient, vendor: Vendor) -> None:
    freeze = api.post("/v1/update-freezes", json=FREEZE).json()["id"]
    rollout = vendor.start("1.0")["id"]
    vendor.work()
    body = {"freeze": freeze, "reason": "a security fix"}
    nobody = api.post(f"/v1/rollouts/{rollout}/override-freeze", json=body)
    assert (nobody.status_code, nobody.json()["field"]) == (422, "by")
    let = api.post(f"/v1/rollouts/{rollout}/override-freeze", json=body, headers={"X-Releaser-Actor": "rita"})
    assert [(one["freeze"], one["by"]) for one in let.json()["overrides"]] == [(freeze, "rita")]
    vendor.work()
    shown = api.get(f"/v1/rollouts/{rollout}").json()
    assert (shown["state"], shown["overrides"][0]["reason"]) == ("succeeded", "a security fix")
    assert api.post("/v1/rollouts/99/override-freeze", json=body, headers={"X-Releaser-Actor": "r"}).status_code == 404
