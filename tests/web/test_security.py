from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

PATHS = [
    "/",
    "/v1/products",
    "/nope",
    "/v1/nope",
    "/static/page.css",
    "/healthz",
    "/rollouts/3",
    "/v1/rollouts/2/events",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"]
    assert len(headers["x-request-id"]) == 16


def test_scripts_and_styles_carry_the_nonce_of_their_answer(client: TestClient) -> None:
    first, second = client.get("/"), client.get("/")
    for answer in (first, second):
        allowed = set(re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"]))
        assert set(re.findall(r'nonce="([^"]+)"', answer.text)) == allowed
        assert len(allowed) == 1
        for tag in re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", answer.text):
            assert "nonce=" in tag
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text)
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]


def test_pages_ask_nothing_of_other_hosts(client: TestClient) -> None:
    for path in ("/", "/products/portal", "/rollouts/3", "/notices", "/static/page.css", "/static/page.js"):
        assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", client.get(path).text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"}, 403),
    ],
)
def test_page_of_another_site_cannot_change_anything(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.post("/v1/rollouts/3/pause", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["rule"] == "same-origin"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:8080", 200), ("localhost:1", 200), ("[::1]:80", 200), ("LOCALHOST.", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("[", 421), ("'\"<", 421),
    ],
)  # fmt: skip
def test_host_that_is_not_ours_is_not_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/v1/products", headers={"Host": host}).status_code == status
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/products/%00", "/products/%00", "/v1/tickets/A?product=%00"])
def test_nul_in_an_address_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("malformed-address")


def test_nul_in_a_body_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/plans", json={"product": "a\x00b", "version": "1.1", "to": "all"})
    assert answer.status_code == 422


def test_static_files_cannot_be_left(client: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert client.get(path).status_code == 404


def test_static_file_asked_for_by_its_hash_is_kept(client: TestClient) -> None:
    page = client.get("/").text
    address = re.search(r'href="(/static/page\.css\?v=[0-9a-f]+)"', page)
    assert address
    assert "immutable" in client.get(address[1]).headers["cache-control"]
