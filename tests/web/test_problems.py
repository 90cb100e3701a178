from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from releaser.errors import (
    ConflictError,
    InvalidError,
    MoveConflictError,
    NotFoundError,
    OutsideError,
    RefusedError,
    ReleaserError,
)
from releaser.flows.ports import Ports
from releaser.store.session import DatabaseError
from releaser.web.app import create_app
from releaser.web.problems import BadRequestError

HTML = {"Accept": "text/html,application/xhtml+xml"}

FAMILIES: list[tuple[ReleaserError, int, str]] = [
    (BadRequestError("b"), 400, "bad-request"),
    (InvalidError("i", field="version"), 422, "invalid"),
    (NotFoundError("n"), 404, "not-found"),
    (ConflictError("c", rollout=7), 409, "conflict"),
    (MoveConflictError("rollout 1", source="running", to="planned"), 409, "move-conflict"),
    (RefusedError("r", rule="notice-required"), 403, "refused"),
    (OutsideError("o", permanent=True), 502, "outside"),
    (OutsideError("o", permanent=False), 503, "outside"),
    (DatabaseError("d", permanent=True), 503, "database"),
]


@pytest.fixture
def app(ports: Ports) -> FastAPI:
    made = create_app(ports)

    def add(number: int, error: Exception) -> None:
        def fail() -> None:
            raise error

        made.add_api_route(f"/v1/fail/{number}", fail)
        made.add_api_route(f"/fail/{number}", fail)

    for number, (error, _, _) in enumerate(FAMILIES):
        add(number, error)
    add(99, ZeroDivisionError("secret"))
    return made


@pytest.fixture
def asked(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize(("number", "status", "slug"), [(n, s, g) for n, (_, s, g) in enumerate(FAMILIES)])
def test_error_of_a_family_becomes_its_problem(asked: TestClient, number: int, status: int, slug: str) -> None:
    answer = asked.get(f"/v1/fail/{number}")
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:releaser:problem:{slug}"
    assert problem["title"]
    assert problem["detail"] == FAMILIES[number][0].detail
    assert problem["instance"].endswith(answer.headers["x-request-id"])
    assert ("retry-after" in answer.headers) == (status == 503)


def test_problem_carries_field_rule_advice_and_facts(asked: TestClient) -> None:
    assert asked.get("/v1/fail/1").json()["field"] == "version"
    assert asked.get("/v1/fail/5").json()["rule"] == "notice-required"
    assert asked.get("/v1/fail/3").json()["facts"] == {"rollout": 7}
    assert "advice" in asked.get("/v1/fail/4").json()


@pytest.mark.parametrize("number", range(len(FAMILIES)))
def test_error_on_a_page_becomes_a_page(asked: TestClient, number: int) -> None:
    answer = asked.get(f"/fail/{number}", headers=HTML | {"Accept-Language": "ru"})
    assert answer.status_code == FAMILIES[number][1]
    assert answer.headers["content-type"].startswith("text/html")
    assert 'lang="ru"' in answer.text
    assert escape(FAMILIES[number][0].detail).replace("&#x27;", "&#39;") in answer.text


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/fail/99", "application/problem+json"), ("/fail/99", "text/html; charset=utf-8")]
)
def test_fault_of_ours_says_nothing_of_the_inside(asked: TestClient, path: str, kind: str) -> None:
    answer = asked.get(path, headers=HTML)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == kind
    assert "secret" not in answer.text
    assert "Zero" not in answer.text
    assert "nosniff" in answer.headers["x-content-type-options"]
    assert "script-src" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("DELETE", "/v1/products", 405, "method-not-allowed"),
        ("GET", "/v1/products?limit=0", 422, "invalid-request"),
        ("GET", "/v1/products?limit=x", 422, "invalid-request"),
        ("GET", "/v1/products?offset=-1", 422, "invalid-request"),
        ("GET", "/v1/rollouts/0", 422, "invalid-request"),
        ("GET", "/v1/rollouts/99999999999999999999", 422, "invalid-request"),
        ("GET", "/v1/rollouts/4711", 404, "rollout-not-found"),
        ("GET", "/v1/rollouts/4711/events", 404, "rollout-not-found"),
        ("GET", "/v1/notices/4711", 404, "notice-not-found"),
        ("GET", "/v1/products/none", 404, "product-not-found"),
        ("GET", "/v1/products/portal/releases/9.9", 404, "release-not-found"),
        ("GET", "/v1/products/portal/releases/3.04", 422, "invalid-version"),
        ("GET", "/v1/products/portal/releases/1.2.3.4", 422, "invalid-version"),
        ("GET", "/v1/products/portal/releases/v", 422, "invalid-version"),
        ("GET", f"/v1/products/portal/releases/{'9' * 10_000}", 422, "invalid-version"),
        ("GET", "/v1/tickets/NONE-1", 404, "ticket-not-found"),
    ],
)  # fmt: skip
def test_bad_address_has_a_problem_that_says_so(
    client: TestClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:releaser:problem:{kind}")
    assert len(answer.content) < 3_000


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/products", "GET, HEAD, POST"),
        ("/v1/rollouts/1/pause", "POST"),
        ("/v1/backups", "GET, HEAD, POST"),
        ("/", "GET, HEAD"),
    ],
)
def test_wrong_method_says_which_are_right(client: TestClient, path: str, allowed: str) -> None:
    answer = client.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/", "/products/portal", "/v1/products", "/notices.ics", "/healthz"])
def test_whatever_can_be_got_tells_its_headers_alone(client: TestClient, path: str) -> None:
    got, told = client.get(path), client.head(path)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-length"] == got.headers["content-length"]
    assert told.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/rollouts/3/events", "/rollouts/3/stream"])
def test_what_has_no_end_is_not_asked_for_its_headers_alone(client: TestClient, path: str) -> None:
    """3 still runs: the answer would keep its connection from the next request."""
    answer = client.head(path)
    assert (answer.status_code, "HEAD" in answer.headers["allow"]) == (405, False)


def test_broken_json_is_a_bad_request(client: TestClient) -> None:
    answer = client.post("/v1/plans", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("invalid-request")
    assert answer.json()["field"] == "body"


def test_body_that_is_no_text_is_a_bad_request(client: TestClient) -> None:
    answer = client.post("/v1/notices/1/cancel", content=b"\xff\x15", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":bad-request")


def test_body_that_does_not_fit_names_every_field(client: TestClient) -> None:
    answer = client.post("/v1/plans", json={"product": "portal", "version": 3, "surprise": True})
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["errors"]} == {"version", "to", "surprise"}


@pytest.mark.parametrize("content", [b" " * 3_000_000, [b" " * 1_000_000] * 3], ids=["with length", "in pieces"])
def test_huge_body_is_refused(client: TestClient, content: bytes | list[bytes]) -> None:
    body = content if isinstance(content, bytes) else iter(content)
    answer = client.post("/v1/plans", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["type"].endswith("too-large")


@pytest.mark.parametrize(
    ("path", "told", "advised"),
    [
        ("/products/none", "Продукта «none» нет.", "Известные продукты: portal."),
        ("/products/portal/releases/9.9", "У продукта «portal» нет выпуска 9.9.", "Самые новые: "),
        ("/rollouts/4711", "Развёртывания 4711 нет.", "Смотрите `releaser rollout list`."),
        ("/products/portal/tickets/NONE-1", "Продукт «portal» не знает обращения «NONE-1».", "Проверьте ключ"),
        ("/nothing/here", "По этому адресу ничего нет.", ""),
    ],
)
def test_page_of_what_is_not_there_says_so_in_the_readers_language(
    client: TestClient, path: str, told: str, advised: str
) -> None:
    answer = client.get(f"{path}?lang=ru", headers=HTML)
    assert answer.status_code == 404
    assert f'<p class="said">{told}</p>' in answer.text
    assert f"<p>{advised}" in answer.text, "reason and advice run into each other, or are not in Russian"
    english = client.get(f"{path}?lang=en", headers=HTML).text
    assert not re.search("[А-Яа-я]", english.split("<h1>")[1].split("</section>")[0])
