from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from releaser.flows.ports import Ports
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from tests.fakes.shared_app import AppOver


@pytest.fixture
def api(make_ports: Callable[..., Ports], tmp_path: Path) -> Iterator[TestClient]:
    database = Database(f"sqlite:///{tmp_path / 'releaser.db'}")
    upgrade(database)
    with TestClient(AppOver(make_ports(database=database)), base_url="http://127.0.0.1") as made:
        yield made
    database.close()


def test_doctor_tells_every_check(api: TestClient) -> None:
    told = api.get("/v1/doctor").json()
    assert told["ok"] == all(check["ok"] for check in told["checks"])
    assert "database" in {check["name"] for check in told["checks"]}


def test_backup_is_taken_listed_and_verified(api: TestClient) -> None:
    assert api.get("/v1/backups").json() == {"items": [], "next": None}
    assert api.post("/v1/backups").status_code == 201
    name = api.get("/v1/backups").json()["items"][0]["name"]
    assert api.post(f"/v1/backups/{name}/verify").json()["ok"] is True
    assert api.post("/v1/backups").json()["type"] == "urn:releaser:problem:backup-exists"


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "x.zip", "releaser-20260101T000000Z.zip"])
def test_backup_that_is_not_ours_is_not_read(api: TestClient, name: str) -> None:
    assert api.post(f"/v1/backups/{name}/verify").status_code in {404, 422}
