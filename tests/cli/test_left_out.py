"""Tags that make no release though they look so are told beside the answer, shortly, and never in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld

COMMANDS = [
    ("changelog",),
    ("changelog", "--all", "-o", "json"),
    ("contains", "SHOP-1"),
    ("contains", "SHOP-1", "-o", "json"),
    ("backports",),
    ("upgrade", "1.0", "1.1"),
]


def shop(folder: Path, *tags: str) -> GitWorld:
    """1.0 and 1.1, and `tags` on the newest commit."""
    world = GitWorld(folder / "shop.git")
    first = world.commit("SHOP-1: begin", branch="main")
    newest = world.commit("SHOP-2: go on", first, branch="main")
    world.tag("v1.0", first)
    world.tag("v1.1", newest)
    for tag in tags:
        world.tag(tag, newest)
    return world


@pytest.mark.parametrize("words", COMMANDS)
def test_two_tags_of_one_version_are_told_by_every_command_and_not_in_its_answer(
    cli: Cli, tmp_path: Path, words: tuple[str, ...]
) -> None:
    world = shop(tmp_path, "1.0", "nightly")
    for _ in range(2):
        ran = cli(*words, "--repo", str(world.folder))
        assert ran.code == 0
        assert ran.err == (
            "Warning: 1 tag that doubles a version was left out (1 at another commit): v1.0 beside 1.0. "
            "Delete the wrong ones, or name the right ones with --tag-format.\n"
        )
        assert "Warning" not in ran.out
    # What was advised helps to choose.
    told = cli("contains", "SHOP-1", "-o", "json", "--repo", str(world.folder), "--tag-format", "v{version}")
    assert told.facts["releases"][0]["tag"] == "v1.0"


def test_doubles_at_the_same_commit_are_told_once(cli: Cli, tmp_path: Path) -> None:
    world = shop(tmp_path, "1.1")
    asked = ("changelog", "--repo", str(world.folder))
    assert (
        cli(*asked).err == "Warning: 1 tag that doubles a version was left out (at the same commit): v1.1 beside 1.1.\n"
    )
    assert cli(*asked).err == ""


def test_tags_that_the_scheme_cannot_read_are_counted_and_the_scheme_that_reads_them_is_named(
    cli: Cli, tmp_path: Path
) -> None:
    world = shop(tmp_path, "v1.2", "v1.3", "v1.4.0")
    asked = ("changelog", "--repo", str(world.folder))
    for _ in range(2):
        said = cli(*asked, "--scheme", "semver").err
        assert (
            said
            == "Warning: 4 tags made no release: v1.0, v1.1, v1.2 and 1 more. --scheme two-part reads 5 releases.\n"
        )
    assert cli(*asked).err == ""


def test_a_few_odd_tags_are_told_once_and_what_has_no_number_never(cli: Cli, tmp_path: Path) -> None:
    world = shop(tmp_path, "v1.2", "v1.3", "v1.4", "v1.5", "v1.2.3.4", "latest", "stable")
    asked = ("contains", "SHOP-1", "--repo", str(world.folder))
    assert cli(*asked).err == "Warning: 1 tag made no release: v1.2.3.4. --tag-format says how releases are called.\n"
    assert cli(*asked).err == ""


def test_tags_of_another_module_are_none_of_the_one_that_was_named(cli: Cli, tmp_path: Path) -> None:
    world = shop(tmp_path, "web-1.0", "web-1.1", "app-1.0")
    asked = ("changelog", "--repo", str(world.folder))
    assert cli(*asked, "--tag-format", "web-{version}").err == ""
    assert "web-1.0" in cli(*asked).err
