from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi.testclient import TestClient

from releaser.clock import SystemClock
from releaser.flows.check_system import check_system
from releaser.flows.ports import Ports
from releaser.store import workers
from releaser.store.migrations import numbers
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from tests.fakes.shared_app import AppOver


def test_service_with_its_schema_is_ready(make_ports: Callable[..., Ports], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'made.db'}")
    upgrade(database)
    with TestClient(AppOver(make_ports(database=database)), base_url="http://127.0.0.1") as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        nobody = {"working": 0, "engine": None, "looked_s": None}
        assert client.get("/readyz").json() == {"status": "ready", "schema": numbers()[-1], "engine": nobody}
        with database.transaction() as session:
            workers.note(session, "one", engine="embedded", numbers=[], now=SystemClock().now())
        told = client.get("/readyz").json()["engine"]
        assert (told["working"], told["engine"]) == (1, "embedded")
        assert 0 <= told["looked_s"] < 20
    database.close()


def test_service_without_a_schema_is_alive_but_not_ready(make_ports: Callable[..., Ports], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'bare.db'}")
    with TestClient(AppOver(make_ports(database=database)), base_url="http://127.0.0.1") as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:releaser:problem:not-ready")
        assert "retry-after" in answer.headers
    database.close()


def test_database_that_cannot_be_written_is_not_ready(make_ports: Callable[..., Ports], tmp_path: Path) -> None:
    made = Database(f"sqlite:///{tmp_path / 'made.db'}")
    upgrade(made)
    made.close()
    database = Database(f"sqlite:///file:{tmp_path / 'made.db'}?mode=ro&uri=true")
    ports = make_ports(database=database)
    with TestClient(AppOver(ports), base_url="http://127.0.0.1") as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:releaser:problem:database")
    (looked,) = [one for one in check_system(ports, probes={}) if one["name"] == "database"]
    assert not looked["ok"]
    database.close()


def test_database_that_cannot_be_opened_is_said_so(make_ports: Callable[..., Ports], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    with TestClient(AppOver(make_ports(database=database)), base_url="http://127.0.0.1") as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:releaser:problem:database")
        page = client.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "cannot be opened" in page.text
    database.close()
