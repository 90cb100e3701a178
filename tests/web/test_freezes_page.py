"""The page of freezes of updates: what holds, comes and is over, and its forms."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from releaser.domain.rollout import UpdateState, WaitsFor
from releaser.domain.update_freeze import FreezeScope
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.lift_freeze import lift_freeze
from releaser.flows.list_freezes import list_freezes
from releaser.flows.ports import Facts, Ports
from releaser.store.rollouts import TargetUpdate
from tests.web import story

FORM = {
    "scope": "product",
    "name": "portal",
    "starts_at": "",
    "ends_at": "2026-12-24T00:00",
    "reason": "the year is closed",
    "by": "rita",
    "zone": "Europe/Moscow",
}


def put(ports: Ports, *, days: int = 0, lasts: int = 5, scope: FreezeScope = FreezeScope.ALL, name: str = "") -> Facts:
    starts_at = story.NOW + timedelta(days=days)
    return freeze_updates(
        ports,
        scope=scope,
        name=name,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(days=lasts),
        reason="<script>alert(1)</script> holidays",
        by="<i>rita</i>",
    )


def sections(page: str) -> dict[str, str]:
    return dict(re.findall(r'aria-labelledby="(\w+)">(.*?)</section>', page, re.DOTALL))


def test_freezes_stand_where_they_belong_and_their_text_is_inert(client: TestClient, ports: Ports) -> None:
    holds, comes = put(ports), put(ports, days=9, scope=FreezeScope.PRODUCT, name="portal")
    lifted = put(ports)
    lift_freeze(ports, freeze_id=lifted["id"], by="ivan", reason="over sooner")
    page = client.get("/freezes").text
    found = sections(page)
    for name, one in (("now", holds), ("coming", comes), ("past", lifted)):
        assert re.findall(r'id="freeze-(\d+)"', found[name]) == [str(one["id"])], name
    assert "ivan" in found["past"]
    assert "over sooner" in found["past"]
    assert "/products/portal" in found["coming"]
    assert "<script>alert" not in page
    assert "<i>rita" not in page


def test_page_is_told_in_russian(client: TestClient, ports: Ports) -> None:
    put(ports)
    page = client.get("/freezes?lang=ru").text
    assert "Заморозки обновлений" in page
    assert not re.search(r">(Put|Lift|Freeze|Until|Nothing|Everything)", page)


def test_freeze_is_put_in_the_zone_that_the_page_was_shown_in(client: TestClient, ports: Ports) -> None:
    answer = client.post("/freezes", data=FORM, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/freezes#freeze-1")
    (made,) = list_freezes(ports)
    assert made["ends_at"].isoformat() == "2026-12-23T21:00:00+00:00"
    assert (made["scope"], made["name"], made["made_by"], made["holds"]) == ("product", "portal", "rita", True)
    assert 'value="rita"' in client.get("/freezes").text, "who asked is remembered"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ends_at": "2020-01-01T00:00"}, "The end has to be"),
        ({"ends_at": "soon"}, "The end has to be"),
        ({"ends_at": "9999-12-31T23:59"}, "The end has to be"),
        ({"starts_at": "0001-01-01T00:00"}, "This is no time"),
        ({"starts_at": "yesterday"}, "This is no time"),
        ({"zone": "Nowhere/Else"}, "The end has to be"),
        ({"name": ""}, "Name what it is for"),
        ({"scope": "all"}, "Name what it is for"),
        ({"name": "nobody"}, "Nothing of that kind"),
        ({"reason": "  "}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_written_stays(
    client: TestClient, ports: Ports, wrong: dict[str, str], said: str
) -> None:
    answer = client.post("/freezes", data={**FORM, **wrong})
    assert answer.status_code == 422
    assert said in answer.text
    written = {**FORM, **wrong}
    for name in ("name", "starts_at", "ends_at", "reason", "by"):
        assert re.search(rf'name="{name}"[^>]*value="{re.escape(written[name])}"', answer.text), name
    assert list_freezes(ports) == []


def test_freeze_is_lifted_and_a_rollout_is_let_through(client: TestClient, ports: Ports) -> None:
    one = put(ports)["id"]
    let = client.post(f"/freezes/{one}/override", data={"rollout": "3", "by": "rita", "reason": "a security fix"})
    assert let.status_code == 200
    assert re.search(r'<a href="/rollouts/3">Rollout 3</a> was let through .* by rita: a security fix', let.text)
    assert client.post(f"/freezes/{one}/override", data={"rollout": "x", "by": "r", "reason": "r"}).status_code == 422
    assert client.post(f"/freezes/{one}/lift", data={"by": "ivan", "reason": ""}).status_code == 422
    lifted = client.post(f"/freezes/{one}/lift", data={"by": "ivan", "reason": "enough"})
    assert "Nothing is frozen." in lifted.text
    assert "enough" in sections(lifted.text)["past"]


def test_form_with_what_no_store_keeps_is_refused(client: TestClient, ports: Ports) -> None:
    for name in FORM:
        assert client.post("/freezes", data={**FORM, name: "a\x00b"}).status_code == 422, name
    assert list_freezes(ports) == []


def test_no_page_of_another_site_puts_a_freeze(client: TestClient, ports: Ports) -> None:
    answer = client.post("/freezes", data=FORM, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert list_freezes(ports) == []


def test_past_freezes_come_by_pages(client: TestClient, ports: Ports) -> None:
    for _ in range(23):
        lift_freeze(ports, freeze_id=put(ports)["id"], by="ivan", reason="over")
    first = client.get("/freezes").text
    assert len(re.findall('id="freeze-', first)) == 20
    assert len(re.findall('id="freeze-', client.get("/freezes?offset=20").text)) == 3


def test_rollouts_and_targets_that_wait_lead_to_the_freezes(client: TestClient, ports: Ports) -> None:
    with ports.database.transaction() as session:
        one = session.query(TargetUpdate).filter_by(rollout_id=3, position=1).one()
        one.state, one.waits_for, one.reason = UpdateState.WAITING, WaitsFor.FREEZE, "freeze 1 until then: holidays"
    for page in ("/rollouts", "/rollouts/3", f"/rollouts/3/targets/{one.id}"):
        assert 'href="/freezes"' in client.get(page).text, page
