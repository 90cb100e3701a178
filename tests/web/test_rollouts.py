"""Rollouts by API, over the real flows on a fake engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.web.api.following import is_over
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import Vendor, vendor_on

BODY: dict[str, Any] = {"product": "shop", "version": "1.0", "to": "all"}
OLGA = {"X-Releaser-Actor": "olga"}


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path)
        yield made
        for driver in made.ports.drivers.values():
            driver.close()  # type: ignore[attr-defined]  # the docker driver keeps connections
    database.close()


@pytest.fixture
def api(vendor: Vendor) -> Iterator[TestClient]:
    with TestClient(AppOver(vendor.ports), base_url="http://releases.test", headers=OLGA) as made:
        yield made


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


def test_start_is_idempotent_by_its_key(api: TestClient, vendor: Vendor) -> None:
    first = api.post("/v1/rollouts", json=BODY, headers=key("job-1"))
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/rollouts/{first.json()['id']}"
    again = api.post("/v1/rollouts", json=BODY, headers=key("job-1"))
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    other = api.post("/v1/rollouts", json={**BODY, "version": "1.1"}, headers=key("job-1"))
    assert (other.status_code, other.json()["type"]) == (422, "urn:releaser:problem:trigger-reused")
    vendor.work()
    late = api.post("/v1/rollouts", json=BODY, headers=key("job-1"))
    assert (late.status_code, late.json()["state"]) == (200, "succeeded")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "  "}])
def test_start_without_a_key_is_a_bad_request(api: TestClient, headers: dict[str, str]) -> None:
    answer = api.post("/v1/rollouts", json=BODY, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["field"] == "Idempotency-Key"


def test_start_of_what_runs_already_is_unchanged(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    answer = api.post("/v1/rollouts", json=BODY, headers=key("job-2"))
    assert (answer.status_code, answer.json()["unchanged"]) == (200, True)


def test_start_where_another_is_at_work_names_the_holder(api: TestClient) -> None:
    holder = api.post("/v1/rollouts", json=BODY, headers=key("job-1")).json()["id"]
    answer = api.post("/v1/rollouts", json={**BODY, "version": "1.1"}, headers=key("job-2"))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:releaser:problem:target-busy")
    assert answer.json()["facts"]["rollout"] == holder
    assert "olga" in answer.json()["detail"]


def test_stop_without_a_notice_is_refused_by_its_rule(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    answer = api.post("/v1/rollouts", json={**BODY, "version": "1.1"}, headers=key("job-3"))
    assert (answer.status_code, answer.json()["rule"]) == (403, "notice-required")
    drafts = api.get("/v1/notices").json()["items"]
    assert [one["state"] for one in drafts] == ["draft"]
    assert api.post(f"/v1/notices/{drafts[0]['id']}/announce", json={}).json()["state"] == "announced"
    assert api.post(f"/v1/notices/{drafts[0]['id']}/cancel", json={}).status_code == 422
    assert api.post(f"/v1/notices/{drafts[0]['id']}/cancel", json={"reason": "later"}).json()["state"] == "cancelled"


def test_plan_changes_nothing_unless_kept(api: TestClient) -> None:
    plan = api.post("/v1/plans", json=BODY).json()
    assert {target["wave"] for target in plan["targets"]} == {1, 2}
    assert api.get("/v1/rollouts").json()["items"] == []
    kept = api.post("/v1/plans?save=true", json=BODY).json()
    assert api.get(f"/v1/rollouts/{kept['rollout']}").json()["state"] == "planned"


def test_rollout_is_steered(api: TestClient, vendor: Vendor) -> None:
    number = api.post("/v1/rollouts", json=BODY, headers=key("job-1")).json()["id"]
    steer = f"/v1/rollouts/{number}"
    assert api.post(f"{steer}/pause", json={"reason": "wait"}).json()["state"] == "paused"
    assert api.post(f"{steer}/resume").json()["state"] == "running"
    assert api.post(f"{steer}/retry").json()["type"] == "urn:releaser:problem:move-conflict"
    assert api.post(f"{steer}/approve").status_code == 409
    assert api.post(f"{steer}/abort").json()["state"] == "stopping"
    vendor.work()
    facts = api.get(steer).json()
    assert facts["state"] == "aborted"
    assert [(one["to"], one["by"]) for one in facts["moves"]][2] == ("paused", "olga")


def test_approval_is_for_somebody_else(api: TestClient) -> None:
    number = api.post("/v1/rollouts", json={**BODY, "needs_approval": True}, headers=key("job-1")).json()["id"]
    refused = api.post(f"/v1/rollouts/{number}/approve")
    assert (refused.status_code, refused.json()["rule"]) == (403, "four-eyes")
    approved = api.post(f"/v1/rollouts/{number}/approve", headers={"X-Releaser-Actor": "ivan"})
    assert (approved.status_code, approved.json()["state"]) == (200, "running")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"product": "none"}, 404),
        ({"version": "9.9"}, 404),
        ({"version": "3.04"}, 422),
        ({"to": "nonsense"}, 422),
        ({"to": "customer=nobody"}, 404),
        ({"waves": ["x"]}, 422),
        ({"max_parallel": 0}, 422),
        ({"starts_at": "yesterday"}, 422),
        ({"starts_at": "2026-01-01T10:00:00"}, 422),
    ],
)
def test_body_that_means_nothing_is_refused(api: TestClient, change: dict[str, Any], status: int) -> None:
    answer = api.post("/v1/rollouts", json={**BODY, **change}, headers=key("job-9"))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_instants_are_utc_with_z(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    facts = api.get("/v1/rollouts/1").json()
    assert facts["started_at"].endswith("Z")
    assert all(step["intent_at"].endswith("Z") for target in facts["targets"] for step in target["steps"])


def test_waiting_for_the_end_of_what_ended_answers_at_once(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    assert api.get("/v1/rollouts/1?wait=30").json()["state"] == "succeeded"


def test_waiting_and_lists_read_no_plan(api: TestClient, vendor: Vendor) -> None:
    """A plan is as long as its rollout is large, and everybody who waits looks three times a second."""
    shown = vendor.deploy("1.0")
    said: list[str] = []
    event.listen(vendor.ports.database.engine, "before_cursor_execute", lambda _c, _cursor, text, *_: said.append(text))
    assert is_over(vendor.ports, shown["id"])
    looked = len(said)
    (listed,) = api.get("/v1/rollouts").json()["items"]
    asked = len(said) - looked
    assert [text for text in said if re.search(r'(?<!JSON_EXTRACT\()rollouts\."plan"', text)] == []
    assert ("targets" in listed, listed["counts"]) == (False, {"succeeded": 3})
    assert (listed["one_off"], listed["passed"]) == (False, [])
    vendor.deploy("1.1")
    said.clear()
    assert len(api.get("/v1/rollouts").json()["items"]) == 2
    assert len(said) == asked, "a list asks as often however long it is"


def test_waiting_for_a_change_ends_unchanged_or_with_the_change(api: TestClient) -> None:
    number = api.post("/v1/rollouts", json=BODY, headers=key("job-1")).json()["id"]
    tag = api.get(f"/v1/rollouts/{number}").headers["etag"]
    still = api.get(f"/v1/rollouts/{number}?wait=0.4", headers={"If-None-Match": tag})
    assert (still.status_code, still.content) == (304, b"")
    api.post(f"/v1/rollouts/{number}/pause")
    moved = api.get(f"/v1/rollouts/{number}?wait=30", headers={"If-None-Match": tag})
    assert (moved.status_code, moved.json()["state"]) == (200, "paused")
    assert moved.headers["etag"] != tag


def test_ticket_goes_from_request_to_closed(api: TestClient) -> None:
    added = api.post("/v1/tickets", json={"product": "shop", "key": "SHOP-7", "title": "It stops", "customer": "acme"})
    assert (added.status_code, added.json()["state"]) == (201, "new")
    assert api.post("/v1/tickets", json={"product": "shop", "key": "SHOP-7", "title": "Again"}).status_code == 409
    assert api.post("/v1/tickets", json={"product": "shop", "key": "OTHER-7", "title": "x"}).status_code == 422
    assert api.get("/v1/tickets/SHOP-7").json()["commits"] == []
    assert api.get("/v1/tickets?customer=acme").json()["items"][0]["key"] == "SHOP-7"
    assert api.post("/v1/tickets/SHOP-7/close", json={"reason": "withdrawn"}).json()["state"] == "closed"
    assert api.post("/v1/tickets/SHOP-7/close", json={"reason": "withdrawn"}).status_code == 409
    assert api.post("/v1/tickets/SHOP-7/reopen", json={"reason": "it does again"}).json()["state"] == "reopened"


def test_rolled_back_version_is_blocked_and_let_go_again(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    vendor.deploy("1.2")
    release = "/v1/products/shop/releases/1.2"
    assert api.get(release).json()["blocked"]["rollout"] == 2
    refused = api.post("/v1/rollouts", json={**BODY, "version": "1.2"}, headers=key("job-1"))
    assert (refused.status_code, refused.json()["rule"]) == (403, "version-blocked")
    plan = api.post("/v1/plans", json={**BODY, "version": "1.2"})
    assert (plan.status_code, [one["rule"] for one in plan.json()["refusals"]]) == (200, ["version-blocked"])
    assert api.post("/v1/rollouts/2/retry").json()["rule"] == "version-blocked"
    assert api.post(f"{release}/unblock", json={"reason": " "}).status_code == 422
    assert api.post(f"{release}/unblock", json={"reason": "the disk was full"}).json()["blocked"] is None
    assert api.post(f"{release}/unblock", json={"reason": "again"}).status_code == 409
    assert api.get(release).json()["blocks"][0]["lifted_by"] == "olga"


def test_release_without_a_way_back_is_marked_and_unmarked(api: TestClient) -> None:
    way = "/v1/products/shop/releases/1.1/one-way"
    assert api.put(way, json={"reason": "converts"}).json()["one_way"] == "converts"
    assert api.delete(way).json()["one_way"] is None


def test_limits_may_be_percentages_and_nonsense_is_refused(api: TestClient) -> None:
    plan = api.post("/v1/plans", json={**BODY, "max_parallel": "50%", "threshold": "10%"}).json()
    assert (plan["max_parallel"], plan["threshold"]) == ("50%", "10%")
    for wrong in (
        {"max_parallel": "0"},
        {"max_parallel": "101%"},
        {"max_parallel": "0%"},
        {"waves": ["101%"]},
        {"threshold": -1},
        {"threshold": "1,5%"},
    ):
        assert api.post("/v1/plans", json={**BODY, **wrong}).status_code == 422, wrong


def test_rehearsal_starts_without_a_notice_and_reports(api: TestClient, vendor: Vendor) -> None:
    vendor.deploy("1.0")
    body = {**BODY, "version": "1.1", "rehearse": True}
    started = api.post("/v1/rollouts", json=body, headers=key("job-1"))
    assert (started.status_code, started.json()["rehearsal"]) == (202, True)
    vendor.work()
    facts = api.get(started.headers["location"]).json()
    assert (facts["state"], {one["ready"] for one in facts["rehearsed"]}) == ("succeeded", {True})


def test_newer_rollout_takes_over_when_it_is_told_to(api: TestClient, vendor: Vendor) -> None:
    old = api.post("/v1/rollouts", json=BODY, headers=key("job-1")).json()["id"]
    new = api.post("/v1/rollouts", json={**BODY, "version": "1.1", "supersede": True}, headers=key("job-2"))
    assert (new.status_code, new.json()["state"]) == (202, "scheduled")
    vendor.work()
    assert api.get(f"/v1/rollouts/{old}").json()["superseded_by"] == new.json()["id"]
