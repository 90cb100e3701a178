from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from releaser.web.reader import preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", None),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("de,en;q=0.5,ru;q=0.7", "ru"),
        ("en;q=0.5, ru;q=0.5", "en"),
        ("ru;q=0, en", "en"),
        ("de, fr;q=0.9", None),
        ("ru;q=x, en;q=0.1", "en"),
        ("ru;q=2", None),
        ("ru;q=nan", None),
        ("*", None),
        (",;,,", None),
        ("ru," * 1_000, None),
    ],
)
def test_best_language_of_a_header(header: str, language: str | None) -> None:
    assert preferred(header) == language


def test_language_chosen_in_the_address_is_remembered(client: TestClient) -> None:
    assert 'lang="en"' in client.get("/").text
    assert 'lang="ru"' in client.get("/?lang=ru").text
    assert 'lang="ru"' in client.get("/", headers={"Accept-Language": "en"}).text
    assert 'lang="en"' in client.get("/?lang=en").text


def test_unknown_language_is_passed_over(client: TestClient) -> None:
    answer = client.get('/?lang="><script>', headers={"Accept-Language": "ru"})
    assert 'lang="ru"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("cookie", "shown"),
    [
        ("Europe%2FMoscow", "Europe/Moscow"),
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("No/Where", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("", "UTC"),
        ("x" * 500, "UTC"),
    ],
)
def test_zone_of_the_reader_is_checked_and_named(client: TestClient, cookie: str, shown: str) -> None:
    client.cookies.set("zone", cookie)
    assert f"Times are in {shown}." in client.get("/").text
