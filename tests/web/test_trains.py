"""The page of trains, their calendar, and the API around them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from icalendar import Calendar

from releaser.domain.train import TrainRules
from releaser.flows.ports import Ports
from releaser.store import products
from releaser.store.plain import dump
from tests.fakes.shared_app import AppOver
from tests.web import story
from tests.web.test_pages import ATTACKS, Seen

BASE = "/v1/products/portal"


@pytest.fixture
def frozen(ports: Ports) -> Ports:
    """The story's product with a freeze, by the Russian calendar."""
    with ports.database.transaction() as session:
        rules = TrainRules(country="RU", freeze_days=2, alert_after_carries=1)
        products.get(session, "portal").trains = dump(rules)
    return ports


@pytest.fixture
def asked(frozen: Ports, client: TestClient) -> TestClient:
    """The service over it."""
    return client


def post(client: TestClient, path: str, body: dict[str, Any], code: int = 200) -> dict[str, Any]:
    answer = client.post(f"{BASE}/{path}", json=body, headers={"X-Releaser-Actor": "rita"})
    assert answer.status_code == code, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


def next_train(client: TestClient, number: int = 1) -> str:
    found = client.get(f"{BASE}/trains?count={number + 2}").json()["trains"]
    coming = [one for one in found if one["state"] != "late"]
    return str(coming[number]["train"])


def test_page_shows_trains_with_the_reason_for_moved_days(asked: TestClient) -> None:
    text = asked.get("/products/portal/trains").text
    assert "23 February 2027 is a day off (Defender of the Fatherland Day): moved" in text
    assert "calendar RU, known until 31 December" in text
    russian = asked.get("/products/portal/trains?lang=ru").text
    assert "День защитника Отечества" in russian
    assert "перенесён на следующий рабочий день" in russian
    assert 'href="/products/portal/trains.ics"' in text
    assert 'href="/products/portal/trains"' in asked.get("/products/portal").text


def test_product_without_trains_says_so(make_ports: Callable[..., Ports]) -> None:
    ports = make_ports("told")
    with ports.database.transaction() as session:
        products.get(session, "portal").first_train_on = None
    with TestClient(AppOver(ports), base_url="http://127.0.0.1") as client:
        assert "no rhythm" in client.get("/products/portal/trains").text
        calendar = client.get("/products/portal/trains.ics")
        assert calendar.status_code == 404, "a calendar that is not there is refused as if it were forbidden"
        assert "no first one is declared" in calendar.text
        page = client.get("/products/portal/trains.ics?lang=ru", headers={"Accept": "text/html"})
        assert (page.status_code, "первый выпуск не объявлен" in page.text) == (404, True)
        assert client.get("/products/nobody/trains").status_code == 404


def test_calendar_is_served_in_the_readers_language(asked: TestClient) -> None:
    answer = asked.get("/products/portal/trains.ics", headers={"Accept-Language": "ru"})
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    read = Calendar.from_ical(answer.content)
    assert isinstance(read, Calendar)
    assert str(read["x-wr-calname"]).startswith("График выпусков")
    assert len(read.walk("VEVENT")) >= 26


def test_trains_are_shifted_skipped_and_restored_by_the_api(asked: TestClient) -> None:
    train = next_train(asked)
    later = str(date.fromisoformat(train) + timedelta(days=1))
    shifted = post(asked, f"trains/{train}/shift", {"on": later, "reason": "the fair"})
    assert (shifted["state"], shifted["was_on"], shifted["decided_by"]) == ("shifted", train, "rita")
    skipped = post(asked, f"trains/{train}/skip", {"reason": "nobody"})
    assert (skipped["state"], skipped["on"], skipped["version"]) == ("skipped", None, None)
    assert post(asked, f"trains/{train}/restore", {"reason": "we do"})["state"] in {"scheduled", "moved"}


def test_ticket_is_planned_carried_and_told(asked: TestClient) -> None:
    train = next_train(asked)
    planned = post(asked, "plans", {"ticket": "PRT-77", "train": train})
    assert (planned["planned_for"], planned["carries"]) == (train, 0)
    carried = post(asked, f"trains/{train}/skip", {"reason": "nobody"})["carried"]
    assert [(one["ticket"], one["alert"]) for one in carried] == [("PRT-77", True)]
    (told,) = asked.get(f"{BASE}/plans?alerts=true").json()["items"]
    assert (told["first_planned_for"], told["planned_for"]) == (train, carried[0]["train"])
    page = asked.get("/products/portal/trains").text
    assert "Carried over too often" in page
    assert "carried 1 time" in page
    assert post(asked, "plans", {"ticket": "PRT-77", "train": None})["planned_for"] is None


def test_exception_is_made_listed_and_revoked(asked: TestClient) -> None:
    body = {"ticket": "PRT-77", "approver": "olga", "reason": "the law", "train": next_train(asked)}
    made = post(asked, "exceptions", body, 201)
    assert (made["approver"], made["made_by"], made["holds"]) == ("olga", "rita", True)
    assert "approved by olga" in asked.get("/products/portal/trains").text
    revoked = post(asked, f"exceptions/{made['id']}/revoke", {"reason": "no"})
    assert (revoked["holds"], revoked["revoked_by"]) == (False, "rita")
    (listed,) = asked.get(f"{BASE}/exceptions?limit=1").json()["items"]
    assert listed["revoke_reason"] == "no"


def test_nonsense_is_refused_with_a_reason(asked: TestClient) -> None:
    nonsense: list[tuple[str, dict[str, Any], int]] = [
        ("trains/soon/shift", {"on": "2030-01-01", "reason": "x"}, 404),
        ("trains/next/shift", {"on": "soon", "reason": "x"}, 422),
        ("trains/next/shift", {"on": "2030-01-01", "reason": "x"}, 403),
        ("trains/next/shift", {"on": "9999-12-31", "reason": "x"}, 422),
        ("trains/next/skip", {"reason": "  "}, 422),
        ("trains/next/skip", {}, 422),
        ("trains/next/skip", {"reason": "x\x00"}, 422),
        ("trains/%00/skip", {"reason": "x"}, 422),
        ("exceptions", {"ticket": "PRT-1", "approver": "", "reason": "x"}, 422),
        ("exceptions", {"ticket": "PRT-1", "approver": "o", "reason": "x", "expires_at": "2030-01-01T00:00:00"}, 422),
        ("exceptions", {"ticket": "what", "approver": "o", "reason": "x"}, 422),
        ("exceptions/7/revoke", {"reason": "x"}, 404),
        ("exceptions/0/revoke", {"reason": "x"}, 422),
        ("plans", {"ticket": "PRT-1", "train": "2026-11-04"}, 404),
        ("plans", {"ticket": "PRT-1"}, 422),
        ("freeze/points", {"commit": "x", "reason": "x", "phase": "open"}, 422),
        ("freeze/points", {"commit": "x", "reason": "x"}, 403),
    ]
    for path, body, code in nonsense:
        assert post(asked, path, body, code)["detail"], path


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_of_others_is_inert_on_the_page(make_ports: Callable[..., Ports], attack: str) -> None:
    ports = make_ports()
    with ports.database.transaction() as session:
        story.tell(session, hostile=attack)
        products.get(session, "portal").trains = dump(TrainRules(freeze_days=2))
    text = attack.replace("\x00", "")
    with TestClient(AppOver(ports), base_url="http://127.0.0.1") as client:
        train = next_train(client)
        post(client, "plans", {"ticket": "PRT-15", "train": train, "reason": text})
        body = {"ticket": "PRT-15", "approver": text, "reason": text, "train": train}
        assert client.post(f"{BASE}/exceptions", json=body).status_code == 201
        assert client.post(f"{BASE}/trains/{train}/skip", json={"reason": text}).status_code == 200
        seen = Seen()
        seen.feed(client.get("/products/portal/trains").text)
        assert seen.wrong == []
        assert "Portal49" not in seen.text
        calendar = Calendar.from_ical(client.get("/products/portal/trains.ics").content)
        assert len(calendar.walk("VEVENT")) >= 26
