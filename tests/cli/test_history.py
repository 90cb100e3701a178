"""`releaser history` and `releaser evidence` as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld


@pytest.fixture
def shop(cli: Cli, tmp_path: Path) -> GitWorld:
    """1.0 with a patch, and 1.1: nobody says how long any line is supported."""
    remote = GitWorld(tmp_path / "remote.git")
    at = int(datetime(2024, 3, 5, tzinfo=UTC).timestamp())
    first = remote.commit("SHOP-1: begin", branch="main", committed=at)
    remote.tag("v1.0", first)
    patch = remote.commit("SHOP-2: mend", first, branch="line-1.0", committed=at + 30 * 86_400)
    remote.tag("v1.0.1", patch)
    remote.tag("v1.1", remote.commit("SHOP-3: more", first, branch="main", committed=at + 50 * 86_400))
    assert cli("product", "add", "shop", "--repo", str(remote.folder), "--line-branch", "line-{line}").code == 0
    assert cli("collect", "shop").code == 0
    return remote


def test_history_tells_the_phases_that_the_list_of_lines_tells_and_days_of_releases(cli: Cli, shop: GitWorld) -> None:
    phases = {one["name"]: one["phase"] for one in cli.facts("line", "list", "shop")}
    told = cli.facts("history", "shop")
    assert {one["line"]: one["phase"] for one in told["tracks"]} == phases, "two commands tell two phases of one line"
    text = cli("history", "shop").out
    assert text.startswith("shop: 3 releases on 2 lines, 2024-03-05 to 2024-04-24\n"), "not the days of its releases"
    rows = [line.split() for line in text.splitlines()[4:]]
    assert [row[:2] for row in rows] == [["main", "-"], ["1.1", "maintained"], ["1.0", "maintained"]]


def test_history_of_one_release_counts_one_and_of_none_says_so(cli: Cli, shop: GitWorld) -> None:
    asked = ("history", "shop", "--from", "2024-04-20", "--to", "2024-04-30")
    assert cli(*asked).out.startswith("shop: 1 release on 1 line, 2024-04-20 to 2024-04-30\n")
    nothing = cli("history", "shop", "--from", "2025-04-20", "--to", "2025-04-30")
    assert nothing.out.startswith("shop: no release from 2025-04-20 to 2025-04-30\n")


def test_evidence_names_the_branches_with_the_fix_in_plain_words(cli: Cli, shop: GitWorld) -> None:
    text = cli("evidence", "SHOP-2").out
    assert "branches with the fix: line-1.0\n" in text
    assert "in force" not in text
    assert "Of 1 more line nothing is known." in text


def test_matrix_of_one_ticket_counts_one(cli: Cli, shop: GitWorld) -> None:
    assert "\n1 of 3 tickets, 2 of 2 lines" in cli("matrix", "shop", "--text", "SHOP-2").out
