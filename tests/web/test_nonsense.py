"""Whatever stands in a field of a body, a parameter or a header, no route breaks: what makes no sense is refused, and the field is named.

The operations and their fields are read from the service's own description.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releaser.domain.spec import Order
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.shared_app import AppOver
from tests.fakes.vendor import Vendor, vendor_on

TAGS = {"rollouts"}
ALSO = ("/unblock", "/one-way", "/instances", "/resources")
PLACES = {"name": "globex-own", "product": "shop", "version": "1.0", "rollout_id": "1", "freeze_id": "1"}
BODIES: dict[str, dict[str, Any]] = {
    "What": {"product": "shop", "version": "1.0", "to": "all"},
    "NewFreeze": {"scope": "customer", "name": "acme", "ends_at": "2099-01-01T00:00:00Z", "reason": "holidays"},
    "Instances": {"module": "app", "count": 1},
    "Resources": {"module": "app", "memory_mb": 512},
    "Override": {"freeze": 1, "reason": "a fix"},
    "Said": {"answer": "yes", "who": "I. Ivanova", "customer": "acme"},
}
"""Bodies that make sense; of any other kind its one text is `reason`."""

HUGE = "a number of five thousand digits"
EXAMPLES = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 100
DEEP = "a list in a list in a list"
UNKEPT = ["a\x00b", "\ud800"]
KILLERS = [*UNKEPT, "x" * 100_000, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
"""Texts that break a database, an encoding or the reckoning of time where nobody looks at them first."""
NONSENSE: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [*KILLERS, HUGE, DEEP, float("nan"), float("inf"), 10**30, -1, 0, 1.5, True, None, "", " ", [], {}]
    ),
    st.sampled_from(["%s", "'; --", "\u202egnp", "\x1b[2J", "0", "١", "100%", "=", "customer=", ",", "2026-02-30"]),
    st.text(max_size=40),
    st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A place of an operation where a client writes something: `body.reason`, `query.limit`, `header.Idempotency-Key`."""

    method: str
    path: str
    place: str
    name: str
    body: str

    def __str__(self) -> str:
        """As a failing test names it."""
        return f"{self.method} {self.path} {self.place}.{self.name}"


def fields(description: dict[str, Any]) -> Iterator[Field]:
    schemas = description["components"]["schemas"]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if not (TAGS & set(operation["tags"]) or path.endswith(ALSO)) or path.endswith("/events"):
                continue
            schema = str(operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema"))
            body = next((name for name in sorted(schemas) if f"/schemas/{name}'" in schema), "")
            told = {"method": method.upper(), "path": path, "body": body}
            for name in schemas[body]["properties"] if body else ():
                yield Field(**told, place="body", name=name)
            for one in operation.get("parameters", ()):
                yield Field(**told, place=one["in"], name=one["name"])


def asked(api: TestClient, field: Field, value: Any, number: int) -> Any:  # noqa: ANN401 -- whatever there is
    """Ask with that value in that field, and with what makes sense in the others."""
    text = value if isinstance(value, str) else json.dumps(value)
    path, query, headers = field.path, {}, {"X-Releaser-Actor": "rita", "Idempotency-Key": f"key-{number}"}
    for name, known in PLACES.items():
        wanted = text if (field.place, field.name) == ("path", name) else known
        path = path.replace(f"{{{name}}}", quote(wanted.encode("utf-8", "surrogatepass"), safe="")[:5_000])
    if field.place == "query":
        query = {field.name: quote(text.encode("utf-8", "surrogatepass"), safe="")[:5_000]}
    if field.place == "header":
        headers[field.name] = text.encode("ascii", "replace").decode()[:5_000].replace("\x00", "").replace("\n", "")
    content = b""
    if field.body:
        whole = dict(BODIES.get(field.body, {"reason": "a reason"}))
        if field.place == "body":
            whole[field.name] = value
        content = (
            json.dumps(whole).replace(f'"{HUGE}"', "7" * 5_000).replace(f'"{DEEP}"', "[" * 900 + "]" * 900).encode()
        )
        headers["Content-Type"] = "application/json"
    address = path + ("?" + "&".join(f"{name}={one}" for name, one in query.items()) if query else "")
    return api.request(field.method, address, content=content, headers=headers)


def judged(answer: Any, field: Field) -> int:  # noqa: ANN401 -- a test client's answer
    """The status; anything but an answer that helps fails."""
    assert answer.status_code < 500, f"{field}: {answer.text[:500]}"
    if answer.status_code >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", field
        assert problem["detail"], field
        assert len(answer.content) < 10_000, f"{field}: what was sent is not repeated"
        if answer.status_code == 422:
            assert problem.get("field"), f"{field}: no field is named in {problem}"
    return int(answer.status_code)


def _world(database: Database, home: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = vendor_on(database, engine, home, order=Order.START_FIRST)
        yield made
        made.close()


@pytest.fixture
def vendor(database: Database, tmp_path: Path) -> Iterator[Vendor]:
    yield from _world(database, tmp_path)


@pytest.fixture
def api(vendor: Vendor) -> Iterator[TestClient]:
    """A service where a rollout runs, another one waits, and a freeze holds."""
    app = AppOver(vendor.ports)
    with TestClient(app, base_url="http://releases.test", raise_server_exceptions=False) as made:
        started = made.post(
            "/v1/rollouts", json={**BODIES["What"], "to": "customer=globex"}, headers={"Idempotency-Key": "k"}
        )
        frozen = made.post("/v1/update-freezes", json=BODIES["NewFreeze"])
        assert (started.status_code, frozen.status_code) == (202, 201)
        yield made


def still_answers(api: TestClient) -> None:
    for path in ("/v1/rollouts", "/v1/rollouts/1", "/v1/update-freezes", "/v1/products/shop/releases/1.0"):
        assert api.get(path).status_code == 200, path
    for path in ("/rollouts", "/rollouts/1", "/freezes"):
        assert api.get(path, headers={"Accept": "text/html"}).status_code == 200, path


def test_text_that_breaks_a_store_is_refused_in_every_field(api: TestClient) -> None:
    every = list(fields(api.get("/v1/openapi.json").json()))
    assert len(every) > 60
    for number, field in enumerate(every):
        for killer in KILLERS:
            status = judged(asked(api, field, killer, number), field)
            assert status == 422 or field.place != "body" or killer not in UNKEPT, f"{field}: {killer!r} is taken"
    still_answers(api)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nonsense_is_answered_by_what_is_wrong_with_it(api: TestClient) -> None:
    every = list(fields(api.get("/v1/openapi.json").json()))

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES)
    @given(field=st.sampled_from(every), value=NONSENSE, number=st.integers(0, 9))
    def answered(field: Field, value: Any, number: int) -> None:  # noqa: ANN401 -- whatever there is
        judged(asked(api, field, value, number), field)

    answered()
    still_answers(api)
