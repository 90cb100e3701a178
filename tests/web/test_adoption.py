"""Adopting, drift, pins and one-offs by API and on the pages, over the real flows on a fake engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.docker.client import Engine
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import REPOSITORY, Vendor, vendor_on

WHAT: dict[str, Any] = {
    "name": "own",
    "customer": "acme",
    "product": "shop",
    "host": "host-1",
    "containers": {"web": "app"},
}
OLGA = {"X-Releaser-Actor": "olga"}


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path)
        image = next(one for one in engine.images.values() if one.version == "1.0")
        image.on_host = True
        client = Engine(engine.address, control_timeout_s=5.0, pull_timeout_s=5.0)
        payload = {
            "Image": f"{REPOSITORY}:1.0",
            "Env": ["A=1"],
            "Labels": {},
            "HostConfig": {},
            "Healthcheck": {"Test": ["x"]},
        }
        client.start(client.create("web", payload))
        client.close()
        yield made
        made.close()


@pytest.fixture
def api(vendor: Vendor) -> Iterator[TestClient]:
    with TestClient(AppOver(vendor.ports), base_url="http://releases.test", headers=OLGA) as made:
        yield made


def test_adopting_is_shown_first_and_then_done(api: TestClient) -> None:
    shown = api.post("/v1/installations/adopt", json=WHAT, params={"dry_run": "true"})
    assert (shown.status_code, shown.json()["installation"]) == (200, None)
    assert api.get("/v1/installations/own").status_code == 404
    done = api.post("/v1/installations/adopt", json=WHAT)
    assert (done.status_code, done.headers["Location"]) == (201, "/v1/installations/own")
    (target,) = api.get("/v1/installations/own").json()["targets"]
    assert (target["version"], target["adopted"]["by"]) == ("1.0", "olga")
    assert api.post("/v1/installations/adopt", json=WHAT).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": "nowhere"}, 422),
        ({"containers": {}}, 422),
        ({"containers": {"nobody": ""}}, 502),
        ({"containers": {"web": "db"}}, 422),
        ({"customer": "nobody"}, 422),
        ({"product": "nothing"}, 404),
        ({"name": "No Name"}, 422),
        ({"surprise": 1}, 422),
    ],
)
def test_what_cannot_be_adopted_is_refused_by_its_family(api: TestClient, changes: dict[str, Any], status: int) -> None:
    answer = api.post("/v1/installations/adopt", json={**WHAT, **changes})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_drift_and_pin_are_told_by_api_and_pages(api: TestClient, vendor: Vendor) -> None:
    api.post("/v1/installations/adopt", json=WHAT)
    container = vendor.engine.named("web")
    assert container is not None
    container.raw = {**container.raw, "HostConfig": {**container.raw["HostConfig"], "Memory": 2**27}}
    done = vendor.deploy("1.1", to="installation=own", one_off=True, ticket="SHOP-7", reason="their printer")
    assert done["state"] == "succeeded"
    container = vendor.engine.named("web")
    assert container is not None
    told = api.get("/v1/installations/own").json()
    assert [one["to"] for one in told["story"]] == ["drifted", "settled", "pinned"]
    assert told["pin"]["ticket"] == "SHOP-7"
    page = api.get("/installations/own", params={"lang": "en"}).text
    assert "Pinned to 1.1 for SHOP-7 by rita: their printer" in page
    assert "закреплено" in api.get("/", params={"lang": "ru"}).text
    assert "A single piece of work for SHOP-7" in api.get(f"/rollouts/{done['id']}", params={"lang": "en"}).text
    plan = api.post("/v1/plans", json={"product": "shop", "version": "1.1.1", "to": "customer=acme"}).json()
    assert [one["installation"] for one in plan["passed"]] == ["own"]
    unpinned = api.post("/v1/installations/own/unpin", json={"reason": "done"})
    assert (unpinned.status_code, unpinned.json()["pin"]) == (200, None)
    assert api.post("/v1/installations/own/unpin", json={"reason": "done"}).status_code == 409


def test_drift_is_accepted_with_a_reason(api: TestClient, vendor: Vendor) -> None:
    api.post("/v1/installations/adopt", json=WHAT)
    assert api.post("/v1/installations/own/accept-drift", json={"reason": "meant"}).status_code == 409
    container = vendor.engine.named("web")
    assert container is not None
    container.raw = {**container.raw, "HostConfig": {**container.raw["HostConfig"], "Memory": 2**27}}
    accepted = api.post("/v1/installations/own/accept-drift", json={"reason": "meant"})
    assert accepted.json()["accepted"][0]["differences"] == ["Memory: not set → 134217728"]
    assert accepted.json()["targets"][0]["drift"] is None


def test_page_of_no_installation_is_not_found(api: TestClient) -> None:
    assert api.get("/installations/nobody").status_code == 404
