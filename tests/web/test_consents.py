"""What a customer said of a rollout: recorded over HTTP and by a form of the live page, and told there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from releaser.domain.spec import Order
from releaser.store.customers import Customer
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.web.api.consents import ConsentedRollout
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import Vendor, vendor_on

HEAD = "<b>head</b> of operations"
YES = {"answer": "yes", "who": "I. Ivanova"}


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    """1.0 is planned to go everywhere; acme has to agree."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(database.engine)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path, order=Order.START_FIRST)
        with database.transaction() as session:
            session.query(Customer).filter_by(name="acme").one().regulation = {"consent": {"by": HEAD}, "lead_none": 0}
        assert made.plan("1.0", waves=("100%",))["rollout"] == 1
        yield made
        made.close()


@pytest.fixture
def client(vendor: Vendor) -> Iterator[TestClient]:
    with TestClient(AppOver(vendor.ports), base_url="http://releases.test") as made:
        yield made


def test_yes_over_http_lets_the_rollout_go_on(client: TestClient, vendor: Vendor) -> None:
    vendor.start("1.0", waves=("100%",))
    vendor.work()
    assert {t["waits_for"] for t in client.get("/v1/rollouts/1").json()["targets"]} == {"consent", None}
    answer = client.post("/v1/rollouts/1/consent", json=YES, headers={"X-Releaser-Actor": "rita"})
    assert answer.status_code == 200
    told = answer.json()
    ConsentedRollout.model_validate(told)
    assert {(one["stands"], one["who"], one["recorded_by"]) for one in told["consents"]} == {
        ("agreed", "I. Ivanova", "rita")
    }
    vendor.work()
    assert client.get("/v1/rollouts/1").json()["state"] == "succeeded"


@pytest.mark.parametrize(
    ("wrong", "status", "problem", "field"),
    [
        ({"answer": "no"}, 422, "invalid-consent", "note"),
        ({"who": " "}, 422, "invalid-consent", "who"),
        ({"customer": "globex"}, 422, "invalid-consent", "customer"),
        ({"installation": "x"}, 422, "invalid-consent", "installation"),
        ({"answer": "perhaps"}, 422, None, None),
        ({"who": "x" * 201}, 422, None, None),
        ({"when": "now"}, 422, None, None),
        ({"note": "\x00"}, 422, None, None),
    ],
)
def test_word_that_cannot_be_is_a_problem(
    client: TestClient, wrong: dict[str, Any], status: int, problem: str | None, field: str | None
) -> None:
    answer = client.post("/v1/rollouts/1/consent", json={**YES, **wrong})
    assert answer.status_code == status, answer.text
    if problem is not None:
        told = answer.json()
        assert (told["type"], told["field"]) == (f"urn:releaser:problem:{problem}", field)
    assert client.post("/v1/rollouts/99/consent", json=YES).status_code == 404


def test_page_asks_for_the_answer_and_tells_it(client: TestClient, vendor: Vendor) -> None:
    vendor.start("1.0", waves=("100%",))
    vendor.work()
    page = client.get("/rollouts/1?lang=ru").text
    for told in [
        "Согласие",
        "по договору согласует: &lt;b&gt;head&lt;/b&gt; of operations",
        "2 установки ждут его: acme-cloud, acme-own",
        'action="/rollouts/1/consent?customer=acme"',
        "2 цели ждут: согласия клиента",
        "кто-нибудь запишет ответ клиента",
    ]:
        assert told in page, told
    form = {"by": "Ольга", "who": "Иванова", "note": "год <закрывается>", "answer": "no"}
    answer = client.post("/rollouts/1/consent?customer=acme", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/rollouts/1")
    vendor.work()
    page = client.get("/rollouts/1?lang=ru").text
    for told in ["Иванова: согласия нет", "год &lt;закрывается&gt;", "пропущено целей: 2"]:
        assert told in page, told
    assert "/rollouts/1/consent" not in page, "nothing is left to ask"


def test_form_without_a_name_is_refused_by_a_page(client: TestClient) -> None:
    headers = {"Accept": "text/html"}
    for form in ({"who": "x", "answer": "yes"}, {"by": "o", "answer": "yes"}, {"by": "o", "who": "x", "answer": "no"}):
        answer = client.post("/rollouts/1/consent?customer=acme", data=form, headers=headers)
        assert answer.status_code == 422
        assert "<html" in answer.text
