"""A clone full of hostile names and messages, read in place: nothing runs, nothing is harmed, nothing is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.hostile_history import MESSAGES, TAGS, harmful, hostile_history

_HTML = re.compile(
    r"</?(?:h[1-4]|ul|li|p|code|strong|em|a(?: href=\"https?://[^\"]*\"| rel=\"[a-z ]*\")*)>|<(?!script)[a-z0-9]+>"
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_history(tmp_path_factory.mktemp("hostile") / "r.git").folder


@pytest.mark.parametrize("form", ["md", "html", "text", "json"])
def test_changelog_of_hostile_messages_is_inert(cli: Cli, clone: Path, form: str) -> None:
    words = ("changelog", "--repo", str(clone), "--all", "--ticket-pattern", r"T-\d+", "-o", form)
    ran = cli(*words)
    assert (ran.code, harmful(ran.err)) == (0, [])
    assert re.fullmatch(r"(?:Warning: .*\n)*", ran.err), (
        "something else than what was left out was told beside the answer"
    )
    assert harmful(ran.out) == []
    if form == "html":
        assert "<" not in _HTML.sub("", ran.out)
        assert "javascript:" not in "".join(re.findall(r"<[^>]*>", ran.out))
    if form in {"md", "html"}:
        assert not re.search("<(?:script|img|b>|/title)", ran.out)
    if form == "json":
        told = json.loads(ran.out)["releases"]
        assert [one["tag"] for one in told] == ["1.2", "1.0"]
        assert sum(len(one["commits"]) for one in told) == len(MESSAGES)
        assert {key for one in told for commit in one["commits"] for key in commit["tickets"]} == {"T-1", "T-2"}


@pytest.mark.parametrize(
    "words",
    [
        ("9.9",),
        ("--tag-format", "zz{version}"),
        ("--tag-format", "{version}\u202e", "--all"),
        ("--tag-format", "<script>-{version}"),
        ("--tag-format", "\x1b[31m{version}"),
        ("--from", "\u202e1.0"),
        ("\x9b31m",),
        ("--output=x",),
        ("--ticket-pattern", "(\x1b[31m"),
    ],
)
def test_answers_to_hostile_words_are_inert(cli: Cli, clone: Path, words: tuple[str, ...]) -> None:
    ran = cli("changelog", "--repo", str(clone), *words)
    assert harmful(ran.out + ran.err) == []
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "words",
    [
        ("contains", "T-1"),
        ("contains", "main"),
        ("contains", "1.0"),
        ("contains", "--deep", "T-1"),
        ("contains", "<script>"),
        ("contains", "\u202e\x1b[31mT-1"),
        ("contains", "x" * 100_000),
        ("backports",),
        ("backports", "--lines", "\u202e1.0"),
        ("upgrade", "1.0", "1.2"),
        ("upgrade", "\x9b31m", "1.2"),
    ],
)
def test_where_hostile_changes_are_is_told_inert(cli: Cli, clone: Path, words: tuple[str, ...], form: str) -> None:
    ran = cli(words[0], "--repo", str(clone), "--ticket-pattern", r"T-\d+", *words[1:], "-o", form)
    assert harmful(ran.out + ran.err) == []
    assert len(ran.out + ran.err) < 20_000
    assert "Traceback" not in ran.err
    if form == "json" and ran.code == 0:
        assert json.loads(ran.out)


def test_hostile_names_write_and_run_nothing(cli: Cli, clone: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in clone.iterdir())
    for name in TAGS:
        cli("changelog", "--repo", str(clone), "--", name.encode("utf-8", "replace").decode())
    assert [
        name for name in sorted(path.name for path in clone.iterdir()) if name not in before and "releaser" not in name
    ] == []
    assert not [path for path in (Path.cwd(), tmp_path) for name in ("x", "owned") if (path / name).exists()]


@pytest.mark.parametrize(
    ("tag_format", "why"),
    [
        ("v1.0", "has no {version}"),
        ("{version}-{version}", "has {version} 2 times"),
        ("", "has no {version}"),
        ("a b{version}", "git tag"),
    ],
)
def test_tag_format_that_names_no_version_is_refused_with_an_example(
    cli: Cli, clone: Path, tag_format: str, why: str
) -> None:
    ran = cli("changelog", "--repo", str(clone), "--tag-format", tag_format)
    assert ran.code == 2
    assert why in ran.err
    assert "app-{version}" in ran.err


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(T|T)*-(\d|\d)*x", r"(x+x+)+y", r"((T-\d{1,50}){1,15}){1,3}|(.*)*\n\n", r"\w+\w+\w+\w+-\d"]
)
def test_catastrophic_pattern_is_read_or_refused_at_once(cli: Cli, clone: Path, pattern: str) -> None:
    ran = cli("changelog", "--repo", str(clone), "--all", "--ticket-pattern", pattern, "-o", "json")
    assert ran.code in {0, 2}
    assert harmful(ran.out + ran.err) == []
