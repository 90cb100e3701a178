"""What the description of the API says of plans, rollouts and freezes is what is answered: nothing less, nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ValidationError

from releaser.domain.spec import Order
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.web.api import plan_shapes, rollout_shapes
from releaser.web.api.rollout_asked import What
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
        made = vendor_on(database, engine, tmp_path, order=Order.START_FIRST)
        yield made
        made.close()


@pytest.fixture
def api(vendor: Vendor) -> Iterator[TestClient]:
    with TestClient(AppOver(vendor.ports), base_url="http://releases.test", headers=OLGA) as made:
        yield made


def told(shape: type[BaseModel], answer: Any, at: str = "") -> list[str]:  # noqa: ANN401 -- facts
    """Where an answer is not of its shape: fields that are not described, and those that are and do not come."""
    shape.model_validate(answer)
    known = {field.alias or name: field for name, field in shape.model_fields.items()}
    wrong = [f"{at}.{name} is not described" for name in answer.keys() - known.keys()]
    needed = {name for name, field in known.items() if field.is_required()}
    wrong += [f"{at}.{name} does not come" for name in needed - answer.keys()]
    for name, field in known.items():
        for inner in _shapes(field.annotation):
            values = answer.get(name) if isinstance(answer.get(name), list) else [answer.get(name)]
            for value in values or []:
                wrong += told(inner, value, f"{at}.{name}") if isinstance(value, dict) else []
    return wrong


def _shapes(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 -- a type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for each in get_args(annotation) for one in _shapes(each)]


def start(api: TestClient, key: str, **more: Any) -> Any:  # noqa: ANN401 -- of the body
    return api.post("/v1/rollouts", json={**BODY, **more}, headers={"Idempotency-Key": key}).json()


def test_answers_are_what_is_described(api: TestClient, vendor: Vendor) -> None:
    plan = api.post("/v1/plans?save=true", json=BODY).json()
    assert told(plan_shapes.Plan, plan) == []
    started = start(api, "job-1")
    assert told(rollout_shapes.StartedRollout, started) == []
    one = f"/v1/rollouts/{started['id']}"
    for verb in ("pause", "resume"):
        assert told(rollout_shapes.Rollout, api.post(f"{one}/{verb}", json={"reason": "r"}).json()) == []
    vendor.work()
    freeze = api.post(
        "/v1/update-freezes", json={"scope": "all", "ends_at": "2099-01-01T00:00:00Z", "reason": "r"}
    ).json()
    assert told(rollout_shapes.Freeze, freeze) == []
    waits = start(api, "job-2", version="1.2")
    vendor.work()
    assert told(plan_shapes.Plan, api.post("/v1/plans", json={**BODY, "version": "1.1"}).json()) == []
    override = {"freeze": freeze["id"], "reason": "r"}
    let = api.post(f"/v1/rollouts/{waits['id']}/override-freeze", json=override)
    assert told(rollout_shapes.OverriddenRollout, let.json()) == []
    vendor.work()
    for number in (started["id"], waits["id"]):
        assert told(rollout_shapes.ShownRollout, api.get(f"/v1/rollouts/{number}").json()) == []
        assert told(rollout_shapes.CountedRollout, api.get(f"/v1/rollouts/{number}?targets=false").json()) == []
        assert told(rollout_shapes.TargetPage, api.get(f"/v1/rollouts/{number}/targets").json()) == []
    assert api.get(f"/v1/rollouts/{waits['id']}").json()["blocked"] is not None
    pages = [("rollouts", rollout_shapes.RolloutPage), ("cutovers", rollout_shapes.CutoverPage)]
    for name, shape in [*pages, ("update-freezes", rollout_shapes.FreezePage)]:
        page = api.get(f"/v1/{name}").json()
        assert page["items"], name
        assert told(shape, page) == []
    rehearsed = start(api, "job-3", version="1.1", rehearse=True)
    vendor.work()
    assert told(rollout_shapes.ShownRollout, api.get(f"/v1/rollouts/{rehearsed['id']}").json()) == []


def test_description_of_a_trigger_demands_its_key_and_tells_every_answer(api: TestClient) -> None:
    described = api.get("/v1/openapi.json").json()
    start = described["paths"]["/v1/rollouts"]["post"]
    (key,) = [one for one in start["parameters"] if one["name"] == "Idempotency-Key"]
    assert (key["in"], key["required"]) == ("header", True)
    assert "Location" in start["responses"]["202"]["headers"]
    for status in ("200", "202"):
        schema = start["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/StartedRollout"}
    target = described["components"]["schemas"]["RolloutTarget"]["properties"]
    assert "from" in target
    assert "cutting_over" in str(described["components"]["schemas"]["UpdateState"])


def test_targets_come_by_pages_and_of_a_wave_or_a_state(api: TestClient, vendor: Vendor) -> None:
    number = vendor.deploy("1.0", waves=("1", "100%"))["id"]
    whole = api.get(f"/v1/rollouts/{number}").json()["targets"]
    seen: list[Any] = []
    address = f"/v1/rollouts/{number}/targets?limit=2"
    while address:
        page = api.get(address).json()
        assert len(page["items"]) <= 2
        seen, address = [*seen, *page["items"]], page["next"]
    assert seen == whole
    first = api.get(f"/v1/rollouts/{number}/targets?wave=1").json()["items"]
    assert first == [one for one in whole if one["wave"] == 1] != []
    assert api.get(f"/v1/rollouts/{number}/targets?state=failed").json()["items"] == []
    assert len(api.get(f"/v1/rollouts/{number}/targets?state=succeeded").json()["items"]) == len(whole)
    assert api.get(f"/v1/rollouts/{number}/targets?state=nonsense").status_code == 422
    assert api.get("/v1/rollouts/99/targets").status_code == 404


def test_rollout_is_told_without_its_targets_when_asked(api: TestClient, vendor: Vendor) -> None:
    number = vendor.deploy("1.0")["id"]
    answer = api.get(f"/v1/rollouts/{number}?targets=false&wait=30")
    assert ("targets" in answer.json(), answer.json()["counts"]) == (False, {"succeeded": 3})
    assert answer.json() == api.get("/v1/rollouts").json()["items"][0]
    assert answer.headers["etag"] == api.get(f"/v1/rollouts/{number}").headers["etag"]


def test_documented_body_is_whole_and_taken() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text("utf-8")
    (body,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert set(json.loads(body)) == set(What.model_fields), "the example in docs/rollouts.md tells every key"
    What.model_validate_json(body)


def test_sizes_of_waves_are_numbers_or_percents() -> None:
    asked = What.model_validate({"product": "shop", "version": "1.1", "to": "all", "waves": [1, "5", "20%"]})
    assert asked.options().waves == ("1", "5", "20%")
    with pytest.raises(ValidationError):
        What.model_validate({"product": "shop", "version": "1.1", "to": "all", "waves": [0]})
