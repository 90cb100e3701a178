"""The gate and what belongs to it on the command line, as a release manager or a pipeline sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld


@pytest.fixture
def shop(cli: Cli, tmp_path: Path) -> GitWorld:
    """A product with 1.0 on a line for fixes, and a feature landed there."""
    remote = GitWorld(tmp_path / "remote.git")
    first = remote.commit("SHOP-1: begin", branch="main")
    remote.tag("v1.0", first, annotated=True)
    remote.commit("feat: colours \x1b[2J\n\nFixes: SHOP-2", first, branch="line-1.0")
    repo = str(remote.folder)
    assert cli("product", "add", "shop", "--repo", repo, "--line-branch", "line-{line}").code == 0
    assert cli("line", "set", "shop", "1.0", "--policy", "patch-only", "--by", "rita").code == 0
    return remote


def test_gate_is_told_as_a_report_and_by_the_exit_code_and_nothing_is_cut(cli: Cli, shop: GitWorld) -> None:
    ran = cli("cut", "shop", "patch", "--line", "1.0", "--gate")
    assert (ran.code, ran.err) == (3, "")
    assert "HOLDS patch-only (1)" in ran.out
    assert "brings a feature: feat: colours" in ran.out
    assert "\x1b" not in ran.out
    report = cli("cut", "shop", "patch", "--line", "1.0", "--gate", "-o", "json")
    assert report.code == 3
    assert json.loads(report.out)["holds"] is True
    assert shop.git("tag", "--list") == "v1.0"
    cli("ticket", "mark", "SHOP-2", "--product", "shop", "--as", "fix")
    ran = cli("cut", "shop", "patch", "--line", "1.0", "--gate")
    assert (ran.code, "gate:      open" in ran.out) == (0, True)


def test_cut_that_is_held_names_the_rule_and_goes_through_with_a_reason(cli: Cli, shop: GitWorld) -> None:
    ran = cli("cut", "shop", "patch", "--line", "1.0", "-o", "json")
    assert (ran.code, ran.problem["rule"]) == (3, "patch-only")
    assert [one["check"] for one in ran.problem["facts"]["findings"] if one["holds"]] == ["patch-only"]
    text = cli("cut", "shop", "patch", "--line", "1.0")
    assert "- patch-only: Line 1.0 takes fixes only" in text.err
    assert "\nTake it off the branch" in text.err
    assert cli("cut", "shop", "patch", "--line", "1.0", "--override", "promised", "--by", "rita").code == 0
    shown = cli("release", "show", "shop", "1.0.1").out
    assert "Overridden by rita: promised" in shown


NONSENSE = [
    ("line set shop 1.0", "Nothing is stated"),
    ("line set shop 1.0 --policy wild", "no policy of a line"),
    ("line set shop 1.0 --phase undead", "no phase of a line"),
    ("line set shop 1.0 --supported-until tomorrow", "no date"),
    ("line set shop 1.0 --supported-until 2030-01-01 --maintained-until 2030-02-01", "supported until"),
    ("line set shop 1.0.1 --policy open", "is not a line"),
    ("line show shop 7.7", "has no line 7.7"),
    ("ticket mark SHOP-1 --product shop --as luck", "no kind of ticket"),
    ("ticket unblock SHOP-1 --product shop --reason x", "blocks nothing"),
    ("tag accept shop v1.0 --reason x", "No alarm stands"),
    ("tag alarms nowhere", "no product 'nowhere'"),
    ("product remove nowhere", "no product 'nowhere'"),
    ("product add new --repo /nowhere/at/all.git", "is not a git repository"),
    ("cut shop stable --gate --line 9.9 extra", "extra"),
]


def test_nonsense_is_refused_in_a_sentence(cli: Cli, shop: GitWorld) -> None:
    for words, told in NONSENSE:
        ran = cli(*words.split())
        assert ran.code == 2, (words, ran)
        assert told in ran.err, (words, ran)
        assert "Traceback" not in ran.err


def test_line_is_shown_with_what_is_stated_and_what_follows(cli: Cli, shop: GitWorld) -> None:
    cli("collect", "shop")
    ran = cli("line", "set", "shop", "1.0", "--supported-until", "2020-01-01")
    assert "phase:            end-of-life" in ran.out
    assert "90 days before (not told)" in ran.out
    assert "1.0   end-of-life  patch-only" in cli("line", "list", "shop").out
    back = cli.facts("line", "set", "shop", "1.0", "--supported-until", "none", "--policy", "none")
    assert (back["phase"], back["policy"], back["stated"]["policy"]) == ("maintained", "open", None)


def test_settings_of_remotes_are_checked_at_the_start(cli: Cli, tmp_path: Path) -> None:
    for name, value in (
        ("RELEASER_GIT_PROTOCOLS", "file,ext"),
        ("RELEASER_GIT_PROTOCOLS", ","),
        ("RELEASER_SSH_KEY", str(tmp_path / "no-key")),
    ):
        ran = cli("product", "list", **{name: value})
        assert ran.code == 2
        assert name in ran.err
    assert cli("product", "list", RELEASER_SSH_KEY="").code == 0
