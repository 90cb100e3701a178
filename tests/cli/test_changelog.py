from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld


@pytest.fixture
def clone(tmp_path: Path) -> GitWorld:
    """1.0; on the line of 1.0 a pick of what came later, as 1.0.1; then 1.1, whose revert is taken back."""
    world = GitWorld(tmp_path / "clone.git")
    first = world.commit("Begin", branch="main")
    world.tag("v1.0", first, annotated=True)
    fix = world.commit("SHOP-1: basket loses items", first, branch="main")
    picked = world.commit(f"SHOP-1: basket loses items\n\n(cherry picked from commit {fix})", first, branch="1.0")
    world.tag("v1.0.1", picked)
    feature = world.commit("feat: search\x1b[2J", fix, branch="main")
    reverted = world.commit(f'Revert "feat: search"\n\nThis reverts commit {feature}.', feature, branch="main")
    world.tag("v1.1", reverted)
    world.tag("nightly", reverted)
    return world


def told(cli: Cli, clone: GitWorld, *words: str) -> list[dict[str, Any]]:
    ran = cli("changelog", "--repo", str(clone.folder), *words, "-o", "json")
    assert (ran.code, ran.err) == (0, ""), ran
    assert set(ran.facts) == {"releases"}
    found: list[dict[str, Any]] = ran.facts["releases"]
    return found


def test_clone_is_told_in_place_with_nothing_set_up(cli: Cli, clone: GitWorld) -> None:
    every = told(cli, clone, "--all")
    assert [(one["version"], one["tag"], one["line"], one["previous"]) for one in every] == [
        ("1.1", "v1.1", "1.1", "v1.0"),
        ("1.0.1", "v1.0.1", "1.0", "v1.0"),
        ("1.0", "v1.0", "1.0", None),
    ]
    assert all(set(one) == {"version", "tag", "line", "date", "previous", "commits"} for one in every)
    commits = {commit["subject"].partition("\x1b")[0]: commit for one in every[:2] for commit in one["commits"]}
    assert set(commits["feat: search"]) == {"id", "subject", "tickets", "picked_from", "reverted_by"}
    assert commits["feat: search"]["reverted_by"] == commits['Revert "feat: search"']["id"]
    pick = every[1]["commits"][0]
    assert pick["tickets"] == ["SHOP-1"]
    assert pick["picked_from"] in {commit["id"] for commit in every[0]["commits"]}
    assert not cli.home.exists()


@pytest.mark.parametrize(
    ("words", "versions"),
    [
        ((), ["1.1"]),
        (("1.0.1",), ["1.0.1"]),
        (("v1.0",), ["1.0"]),
        (("--from", "1.0"), ["1.1"]),
        (("--from", "1.0", "--to", "1.0.1"), ["1.0.1"]),
        (("--to", "1.0.1"), ["1.0.1", "1.0"]),
        (("--from", "1.0.1", "--to", "1.1"), ["1.1"]),
        (("--all",), ["1.1", "1.0.1", "1.0"]),
    ],
)
def test_releases_that_are_asked_for_are_told(
    cli: Cli, clone: GitWorld, words: tuple[str, ...], versions: list[str]
) -> None:
    assert [one["version"] for one in told(cli, clone, *words)] == versions


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("7.7",), "The nearest it has: 1.1, 1.0.1."),
        (("3.04",), "leading zero"),
        (("--from", "1.1", "--to", "1.0"), "not older"),
        (("--all", "1.0"), "exclude each other"),
        (("--all", "--from", "1.0"), "exclude each other"),
        (("--tag-format", "app-{version}"), "--tag-format"),
        (("--tag-format", "app"), "no {version}"),
        (("--tag-format", ""), "no {version}"),
        (("--ticket-pattern", "("), "not understood"),
        (("--product", "shop"), "exclude each other"),
        (("--language", "xx"), "en or ru"),
        (("-o", "atom"), "--address"),
        (("--write", "1.0"), "not bare"),
        (("--commit", "1.0"), "--product"),
        (("--path", "../elsewhere"), "no path inside a clone"),
        (("--unreleased", "--all"), "exclude each other"),
        (("--unreleased", "--branch", "nowhere"), "no branch"),
        (("--template", "/nowhere/x.md"), "cannot be read"),
    ],
)
def test_wrong_questions_are_told_and_end_with_2(cli: Cli, clone: GitWorld, words: tuple[str, ...], said: str) -> None:
    ran = cli("changelog", "--repo", str(clone.folder), *words)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran
    assert said in ran.err


@pytest.mark.parametrize(
    ("tags", "left_out"),
    [
        (["app-1.0", "app-1.1-rc.1"], ""),
        (["1.0", "1.1"], ""),
        (["release/1.0", "release/2.0"], ""),
        (["REL_1.0", "v0.9", "REL_2.0"], "v0.9"),
    ],
)
def test_format_of_tags_is_guessed_and_tags_of_another_are_named(
    cli: Cli, tmp_path: Path, tags: list[str], left_out: str
) -> None:
    world = GitWorld(tmp_path / "tagged.git")
    first = world.commit("Begin", branch="main")
    for tag in tags:
        world.tag(tag, first)
    ran = cli("changelog", "--repo", str(world.folder), "--all", "-o", "json")
    assert {one["tag"] for one in json.loads(ran.out)["releases"]} == set(tags) - {left_out}
    assert (left_out in ran.err) if left_out else ran.err == ""


def test_repository_without_tags_shallow_or_none_at_all_is_told(cli: Cli, tmp_path: Path, clone: GitWorld) -> None:
    bare = GitWorld(tmp_path / "bare.git")
    bare.commit("Begin", branch="main")
    ran = cli("changelog", "--repo", str(bare.folder), "--all")
    assert (ran.code, "no tags" in ran.err) == (2, True)
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", f"file://{clone.folder}", str(shallow)],
        check=True,
        capture_output=True,
    )
    ran = cli("changelog", "--repo", str(shallow))
    assert (ran.code, "git fetch --unshallow" in ran.err) == (8, True), ran
    ran = cli("changelog", "--repo", str(tmp_path), "-o", "json")
    assert (ran.code, ran.problem["type"]) == (2, "urn:releaser:problem:not-a-repository")
    assert cli("changelog", "--repo", str(GitWorld(tmp_path / "empty.git").folder)).code == 8


def test_text_html_and_markdown_are_harmless(cli: Cli, clone: GitWorld) -> None:
    for form, start in (("md", "# Shop"), ("html", "<h1>"), ("text", "Shop")):
        ran = cli("changelog", "--repo", str(clone.folder), "--all", "-o", form, "--title", "Shop", "--language", "ru")
        assert ran.out.startswith(start)
        assert "\x1b" not in ran.out
        assert "SHOP-1" in ran.out
    assert "Исправлено" in cli("changelog", "--repo", str(clone.folder), "--all", "--language", "ru").out


def test_fragments_become_a_changelog_file_and_are_removed(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "changelogs" / "unreleased"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("How to write fragments.")
    (folder / "SHOP-7.fixed.md").write_text("The cart is **no longer** lost.")
    (folder / "SHOP-7.fixed.ru.md").write_text("Корзина больше не теряется.")
    (folder / "+search.added.md").write_text("Search.")
    shown = cli("changelog", "--fragments", str(folder), "0.2")
    assert "no longer" in shown.out
    assert len(list(folder.iterdir())) == 4
    ran = cli("changelog", "--fragments", str(folder), "--write", "0.2", "--title", "Shop")
    assert ran.code == 0, ran
    text = (folder.parent / "0.2.md").read_text()
    assert text.startswith("# Shop\n\n## [0.2] - ")
    assert "SHOP-7" in text
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert cli("changelog", "--fragments", str(folder), "--write", "0.2").code == 2
    (folder / "SHOP-8.fixed.md").write_text("Another.")
    assert cli("changelog", "--fragments", str(folder), "--write", "0.2").code == 5
    assert (folder / "SHOP-8.fixed.md").exists()
    (folder / "wrong.md").write_text("What is it?")
    ran = cli("changelog", "--fragments", str(folder), "--write", "0.3", "-o", "json")
    assert (ran.code, "wrong.md" in ran.err) == (2, True)


def test_output_is_the_same_apart_and_quiet_when_nobody_reads(cli: Cli, clone: GitWorld) -> None:
    ran = cli.apart("changelog", "--repo", str(clone.folder), "--all", "-o", "json")
    assert json.loads(ran.out)["releases"] == told(cli, clone, "--all")


def test_feed_of_chosen_versions_is_refused_before_anything_is_read(cli: Cli, clone: GitWorld) -> None:
    assert cli("product", "add", "shop", "--repo", str(clone.folder)).code == 0
    assert cli("collect", "shop").code == 0
    assert cli("changelog", "--product", "shop", "-o", "atom").code == 0
    refused = cli("changelog", "--product", "shop", "1.0", "-o", "atom")
    assert (refused.code, "A feed has every published release." in refused.err) == (2, True)
    ranged = cli("changelog", "--product", "shop", "--from", "1.0", "-o", "json").facts
    assert [one["version"] for one in ranged["releases"]] == ["1.1"]
    assert cli("changelog", "--product", "shop", "--tag-format", "v{version}").code == 2


@pytest.mark.parametrize("output", ["atom", "jsonfeed"])
def test_feed_of_a_clone_is_called_like_the_repository_or_as_it_is_told(
    cli: Cli, tmp_path: Path, clone: GitWorld, output: str
) -> None:
    address = "https://example.org/changelog"
    copy = tmp_path / "checked out"
    clone.git("clone", "--quiet", "--no-local", str(clone.folder), str(copy))
    asked = ("changelog", "--all", "-o", output, "--address", address)
    came_from = clone.folder.name.removesuffix(".git")
    for folder in (clone.folder, copy):
        told = cli(*asked, "--repo", str(folder)).out
        assert address in told
        title = json.loads(told)["title"] if output == "jsonfeed" else told.partition("<title>")[2].partition("<")[0]
        assert title == came_from, "the feed is called by an address, and not as people call the repository"
    assert "The Shop 1.1" in cli(*asked, "--repo", str(copy), "--title", "The Shop").out
