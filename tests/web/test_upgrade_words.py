"""The page of an upgrade beyond lists of fixes: breaking changes, and what only made a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver
from tests.web.test_history import text_of
from tests.web.test_upgrade import card

PAGE = "/products/shop/upgrade?from=1.0.1&to=1.1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("words")
    world = ReleaseWorld(folder)
    world.remote.tag("v1.0.1", world.land("Bump version to 1.0.1", branch="line-1.0"))
    world.remote.tag("v1.1", world.land("feat!: sign in anew\n\nBREAKING CHANGE: <b>sessions</b> end"))
    world.collect()
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as made:
        yield made
    world.close()


@pytest.mark.parametrize(
    ("language", "nothing", "apart", "breaking"),
    [
        ("en", "Nothing of 1.0.1 would be lost.", "Not counted as lost", "Breaking changes"),
        ("ru", "1.0.1", "Не считается потерей", "Несовместимые изменения"),
    ],
)
def test_page_tells_breaking_changes_and_counts_no_release_commit_as_lost(
    client: TestClient, language: str, nothing: str, apart: str, breaking: str
) -> None:
    text = text_of(client, PAGE, language=language)
    assert nothing in text
    assert card(text, "lost") == "", "a commit that only made a release stands among lost fixes, in red"
    assert apart in card(text, "tooling")
    assert "Bump version to 1.0.1" in card(text, "tooling")
    assert breaking in card(text, "breaking")
    assert "&lt;b&gt;sessions&lt;/b&gt; end" in card(text, "breaking")
