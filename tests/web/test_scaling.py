"""Scaling by API, over the real flows on a fake engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import vendor_on

WHERE = "/v1/installations/acme-cloud"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[TestClient]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    with FakeEngine() as engine:
        vendor = vendor_on(database, engine, tmp_path)
        vendor.deploy("1.0", to="installation=acme-cloud")
        with TestClient(AppOver(vendor.ports), base_url="http://releases.test") as made:
            yield made
        vendor.close()


def test_scaling_is_planned_by_dry_run_refused_with_a_reason_and_needs_a_key(api: TestClient) -> None:
    body = {"module": "app", "memory_mb": 128}
    plan = api.post(f"{WHERE}/resources", json=body, params={"dry_run": "true"})
    assert (plan.status_code, plan.json()["operation"]) == (200, "app with 128 MB")
    assert plan.json()["stops"][0]["stop"] == "full"
    assert api.post(f"{WHERE}/resources", json=body).status_code == 400
    refused = api.post(f"{WHERE}/resources", json=body, headers={"Idempotency-Key": "1"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "notice-required")
    alone = api.post(f"{WHERE}/instances", json={"module": "app"}, params={"dry_run": "true"})
    assert (alone.status_code, alone.json()["rule"]) == (403, "replicas-need-a-front")
    assert api.post(f"{WHERE}/instances", json={"module": "app", "count": 0}).status_code == 422
    assert (
        api.post("/v1/installations/none/instances", json={"module": "app"}, params={"dry_run": 1}).status_code == 404
    )
