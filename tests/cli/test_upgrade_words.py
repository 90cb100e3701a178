"""What `upgrade` tells people beyond lists of fixes: breaking changes, release tooling, and numbers that read well."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> GitWorld:
    """1.0.1 is made by release tooling alone; 1.1 brings one ticket that breaks something."""
    world = GitWorld(tmp_path_factory.mktemp("clone") / "shop.git")
    first = world.commit("SHOP-1: begin", branch="main")
    world.tag("v1.0", first)
    world.tag("v1.0.1", world.commit("[maven-release-plugin] prepare release 1.0.1\x1b[2J", first, branch="1.0"))
    broken = world.commit("feat!: SHOP-2: sign in anew\n\nBREAKING CHANGE: sessions end", first, branch="main")
    world.tag("v1.1", broken)
    world.tag("v1.2", world.commit("Tidy up", broken, branch="main"))
    return world


def test_upgrade_off_a_line_made_by_tooling_loses_nothing_and_says_what_it_left_out(cli: Cli, clone: GitWorld) -> None:
    text = cli("upgrade", "--repo", str(clone.folder), "1.0.1", "1.1").out
    assert text.startswith(
        "From 1.0.1 to 1.1: 1 ticket and 0 other commits gained, 0 tickets and 0 other commits lost."
    )
    assert "LOST" not in text, "a commit that only made a release is shown as a lost fix"
    assert "Not counted as lost: 1 commit that only made a release of the other line.\n" in text
    assert "[maven-release-plugin] prepare release 1.0.1" in text
    assert "\x1b" not in text


def test_upgrade_of_a_clone_tells_breaking_changes_with_what_they_break(cli: Cli, clone: GitWorld) -> None:
    text = cli("upgrade", "--repo", str(clone.folder), "1.0", "1.1").out
    (line,) = (one for one in text.partition("Breaking changes:\n")[2].split("\n\n")[0].splitlines() if "SHOP-2" in one)
    assert "sessions end" in line
    assert "Breaking" not in cli("upgrade", "--repo", str(clone.folder), "1.1", "1.2").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("upgrade", "1.1", "1.2"), "0 tickets and 1 other commit gained"),
        (("backports", "--lines", "1.0"), "1 gap among 2 tickets that are fixed somewhere"),
        (("contains", "SHOP-2"), "On 1 of 3 lines nothing is known of it."),
    ],
)
def test_one_of_something_is_told_as_one(cli: Cli, clone: GitWorld, words: tuple[str, ...], said: str) -> None:
    assert said in cli(words[0], "--repo", str(clone.folder), *words[1:]).out
