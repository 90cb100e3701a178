from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from releaser.demo.repository import GitError, SampleRepository


def git(repository: SampleRepository, *arguments: str) -> str:
    command = ["git", "-C", str(repository.origin), *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


@pytest.fixture
def shop(tmp_path: Path) -> SampleRepository:
    return SampleRepository(tmp_path / "shop").make()


def test_repository_made_twice_has_the_same_ids_whoever_makes_it(
    tmp_path: Path, shop: SampleRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    again = SampleRepository(tmp_path / "again").make()
    monkeypatch.undo()
    for reference in ("main", "1.0", "v1.0", "v1.0.1"):
        assert again.head(reference) == shop.head(reference)


def test_repository_made_has_two_lines_and_the_tags_of_the_first(shop: SampleRepository) -> None:
    assert shop.tags() == ("v1.0", "v1.0.1")
    assert git(shop, "for-each-ref", "--format=%(refname:short)", "refs/heads").split() == ["1.0", "main"]
    assert git(shop, "cat-file", "-t", "v1.0.1") == "tag"
    assert git(shop, "fsck", "--full", "--strict") == ""


def test_fix_backported_names_its_source_and_keeps_its_author_date(shop: SampleRepository) -> None:
    source = git(shop, "log", "--format=%H", "--grep=SHOP-4", "main")
    assert f"(cherry picked from commit {source})" in git(shop, "log", "-1", "--format=%B", "v1.0.1")
    assert git(shop, "log", "-1", "--format=%at", "v1.0.1") == git(shop, "log", "-1", "--format=%at", source)
    assert shop.head("v1.0.1") != source


def test_change_reverted_is_gone_from_main_before_the_cut(shop: SampleRepository) -> None:
    reverted = git(shop, "log", "--format=%H", "--grep=SHOP-7", "main")
    assert f"This reverts commit {reverted}." in git(shop, "log", "--format=%B", "--grep=^This reverts", "main")
    assert "cache.py" not in git(shop, "ls-tree", "--name-only", "main").split()
    assert "export.py" in git(shop, "ls-tree", "--name-only", "main").split()


def test_hotfixes_start_the_line_at_its_tag_and_the_bad_change_goes_on_there(shop: SampleRepository) -> None:
    git(shop, "tag", "v1.1", "main")
    cut = shop.head("v1.1")
    fixes = shop.add_hotfixes()
    bad = shop.add_bad_change()
    assert git(shop, "rev-list", "--reverse", f"{cut}..1.1").split() == [*fixes, bad]
    assert shop.subjects("1.1")[:2] == ("Read the settings from the new place", "Исправить кодировку в письме с чеком")
    assert len(git(shop, "rev-list", f"{cut}..main").split()) == 3


def test_hotfixes_go_onto_the_branch_of_the_line_where_the_cut_made_one(shop: SampleRepository) -> None:
    git(shop, "branch", "1.1", "main")
    before = shop.head("1.1")
    fixes = shop.add_hotfixes()
    assert git(shop, "rev-list", "--reverse", f"{before}..1.1").split() == list(fixes)


def test_hotfix_before_the_cut_says_what_git_said(shop: SampleRepository) -> None:
    with pytest.raises(GitError, match=r"v1\.1"):
        shop.add_hotfixes()
