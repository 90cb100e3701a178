"""`contains`, `backports` and `upgrade` in a clone, with nothing set up; answers are held against git's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli
from tests.fakes.git_world import GitWorld


class Shop(GitWorld):
    """Lines 1.0 (patched by a pick) and 1.1 (its search is taken back in 1.1.1); main goes on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.first = self.commit("Begin", branch="main")
        self.tag("v1.0", self.first, annotated=True)
        self.fix = self.commit("SHOP-1: basket loses items\x1b[2J", self.first, branch="main")
        self.pick = self.commit(f"Keep items\n\n(cherry picked from commit {self.fix})", self.first, branch="1.0")
        self.tag("v1.0.1", self.pick)
        self.own = self.commit("SHOP-7: <b>only</b> `here` for 1.0", self.pick, branch="1.0")
        self.tag("v1.0.2", self.own)
        self.search = self.commit("SHOP-2: search", self.fix, branch="main")
        self.tag("v1.1", self.search)
        self.undo = self.commit(
            f'Revert "SHOP-2: search"\n\nThis reverts commit {self.search}.', self.search, branch="1.1"
        )
        self.tag("v1.1.1", self.undo)
        self.late = self.commit("SHOP-3: late", self.search, branch="main")
        self.tag("nightly", self.late)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("clone") / "shop.git")


def git(shop: Shop, *words: str) -> list[str]:
    done = subprocess.run(["git", "-C", str(shop.folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_contains_tells_releases_and_lines_with_the_way_they_came(cli: Cli, shop: Shop) -> None:
    facts = cli.facts("contains", "--repo", str(shop.folder), shop.fix[:9])
    assert {"query", "commits", "releases", "lines"} <= set(facts)
    assert [(one["version"], one["via"], one["commit"]) for one in facts["releases"]] == [
        ("1.0.1", "pick", shop.pick),
        ("1.0.2", "pick", shop.pick),
        ("1.1", "self", shop.fix),
        ("1.1.1", "self", shop.fix),
    ]
    itself = {one["tag"] for one in facts["releases"] if one["via"] == "self"}
    assert itself == set(git(shop, "tag", "--contains", shop.fix)) - {"nightly"}
    assert [(one["line"], one["status"], one["first_version"]) for one in facts["lines"]] == [
        ("1.0", "fixed", "1.0.1"),
        ("1.1", "fixed", "1.1"),
    ]
    assert facts["commits"] == [shop.fix, shop.pick]
    assert not cli.home.exists()


def test_contains_of_a_ticket_for_people(cli: Cli, shop: Shop) -> None:
    ran = cli("contains", "--repo", str(shop.folder), "SHOP-2")
    assert (ran.code, ran.err) == (0, "")
    assert "Ticket SHOP-2 is in 1 release, the lowest is 1.1." in ran.out
    assert "Contained and taken back: 1 release: 1.1.1." in ran.out
    assert "1.1    affected  1.1" in ran.out
    assert "\x1b" not in cli("contains", "--repo", str(shop.folder), "SHOP-1").out


def test_backports_tell_gravest_first(cli: Cli, shop: Shop) -> None:
    facts = cli.facts("backports", "--repo", str(shop.folder))
    assert [one["line"] for one in facts["lines"]] == ["1.0", "1.1", "main"]
    assert [(one["ticket"], one["line"], one["kind"], one["status"]) for one in facts["gaps"]] == [
        ("SHOP-2", "1.1", "reverted", "affected"),
        ("SHOP-7", "1.1", "forward-port", "unknown"),
        ("SHOP-7", "main", "forward-port", "unknown"),
        ("SHOP-3", "1.0", "backport", "unknown"),
        ("SHOP-3", "1.1", "backport", "unknown"),
        ("SHOP-2", "1.0", "backport", "unknown"),
    ]
    told = cli("backports", "--repo", str(shop.folder), "--limit", "1").out
    assert "Compared 1.0, 1.1, main; 0 other lines were not looked at." in told
    assert "... and 1 more ticket; see" in told
    assert [one["line"] for one in cli.facts("backports", "--repo", str(shop.folder), "--lines", "1.1")["lines"]] == [
        "1.1",
        "main",
    ]


def test_upgrade_tells_lost_fixes_first(cli: Cli, shop: Shop) -> None:
    facts = cli.facts("upgrade", "--repo", str(shop.folder), "1.0.2", "1.1")
    assert (facts["from"], facts["to"]) == ("1.0.2", "1.1")
    assert [(one["ticket"], one["commit"]) for one in facts["lost"]] == [("SHOP-7", shop.own)]
    assert [(one["ticket"], one["commit"]) for one in facts["gained"]] == [("SHOP-2", shop.search)]
    told = cli("upgrade", "--repo", str(shop.folder), "1.0.2", "1.1").out
    assert told.index("LOST") < told.index("Gained")
    assert "\x1b" not in told


def test_upgrade_on_one_line_is_what_git_lists(cli: Cli, shop: Shop) -> None:
    facts = cli.facts("upgrade", "--repo", str(shop.folder), "v1.0", "1.0.2")
    assert {one["commit"] for one in facts["gained"]} == set(git(shop, "rev-list", "v1.0..v1.0.2"))
    assert facts["lost"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("contains", "SHOP-77"), "The nearest are SHOP-7, SHOP-3, SHOP-2, SHOP-1."),
        (("contains", "0000000"), "No tag and no branch leads to a commit '0000000'."),
        (("contains", "SHOP-1", "--ticket-pattern", "(["), "Ticket pattern '([' is not understood"),
        (("contains", "SHOP-1", "--product", "shop"), "--repo and a product exclude each other."),
        (("backports", "--lines", "9.9"), "There is no line '9.9'. The newest are main, 1.1, 1.0"),
        (("upgrade", "1.0", "1.7"), "No tag of the repository carries version 1.7. The nearest it has: 1.1.1, 1.1"),
        (("upgrade", "1.0", "1.0\x1b[31m"), "is not a version"),
        (("upgrade", "1.0"), "Missing argument"),
        (("upgrade", "shop", "1.0", "1.1"), "exclude each other"),
        (("upgrade", "1.0", "1.1", "--tag-format", "v1"), "Write it like 'v{version}'"),
    ],
)
def test_wrong_questions_are_told_with_what_is_right(cli: Cli, shop: Shop, words: tuple[str, ...], said: str) -> None:
    ran = cli(words[0], "--repo", str(shop.folder), *words[1:])
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "\x1b" not in ran.err
    assert json.loads(cli(words[0], "--repo", str(shop.folder), *words[1:], "-o", "json").err)["detail"]


@pytest.mark.parametrize("words", [("contains", "SHOP-1"), ("backports",), ("upgrade", "1.0", "1.1")])
def test_shallow_clone_is_refused_with_what_mends_it(
    cli: Cli, shop: Shop, tmp_path: Path, words: tuple[str, ...]
) -> None:
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{shop.folder}", str(tmp_path / "shallow")],
        check=True,
        capture_output=True,
    )
    ran = cli(words[0], "--repo", str(tmp_path / "shallow"), *words[1:])
    assert ran.code == 8
    assert "git fetch --unshallow --tags" in ran.err


def test_lost_fixes_are_red_on_a_terminal(shop: Shop, cli: Cli) -> None:
    words = f"upgrade --repo {shop.folder} 1.0.2 1.1"
    command = ["script", "-qec", f"{PROGRAM} {words}", "/dev/null"]
    ran = subprocess.run(
        command, env=cli.environment(TERM="xterm", COLUMNS="200"), capture_output=True, text=True, check=True
    )
    assert "\x1b[31mLOST: 1.0.2 has it, 1.1 has not:\x1b[0m" in ran.stdout
    plain = subprocess.run(
        command, env=cli.environment(TERM="xterm", NO_COLOR="1"), capture_output=True, text=True, check=True
    )
    assert "\x1b[31m" not in plain.stdout


@pytest.mark.parametrize("words", [("contains", "SHOP-1"), ("backports",), ("upgrade", "1.0", "1.1"), ("changelog",)])
def test_answers_are_the_same_with_and_without_a_cache(
    cli: Cli, shop: Shop, tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = tmp_path / "clone.git"
    shutil.copytree(shop.folder, folder, ignore=shutil.ignore_patterns("releaser"))
    asked = (words[0], "--repo", str(folder), *words[1:], "-o", "json")
    bare = cli(*asked, "--no-cache")
    assert not (folder / "releaser").exists()
    assert cli(*asked).out == bare.out
    assert list((folder / "releaser").iterdir())
    assert cli(*asked).out == bare.out
