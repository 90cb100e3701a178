"""A ticket's page keeps where its fix was, and says what took it away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient

from releaser.store.session import Database
from tests.fakes.shared_app import AppOver
from tests.flows.test_tickets import Requests


def test_page_says_until_when_the_fix_was_there_and_what_took_it_away(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    world = Requests(database, tmp_path)
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    world.install("acme-1", "1.1")
    world.clock.advance(timedelta(days=1))
    lost, _ = world.plan(["acme-1"], version="1.0")
    world.install("acme-1", "1.0", rollout_id=lost)
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as client:
        page = client.get("/products/calls/tickets/CALL-1").text
        russian = client.get("/products/calls/tickets/CALL-1", headers={"Accept-Language": "ru"}).text
        calendar = client.get("/notices.ics")
    assert "not any more" in page
    assert f"was there from 2 March 2026, 09:00 until 3 March 2026, 09:00, lost by rollout {lost}" in page
    assert f"потеряно при развёртывании {lost}" in russian
    assert calendar.status_code == 200
    database.close()
