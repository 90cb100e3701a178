"""The quick way of telling a changelog says the very same as the long one."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.changelog import Form, bulk, release_of, render
from releaser.domain.changelog.text import escape_markdown, escape_markdown_lines
from releaser.domain.history import History
from tests.fakes.told_history import Told

MESSAGES = [
    "plain", "with `code` and *stars* and snake_case and _under_", "<b>bold</b> &amp; a&b \x1b[2Jclear", "# heading", "1. one",
    "12) two", "- item", "> quote", "+ plus", "= equal", "T-1: fixed", "[T-2] fixed", "T-3", "feat: new", "fix(api)!: broken",
    "feat!: x", "odd(scope): y", "docs(changelog): 1.2", "Merge branch 'x'", "Merge pull request #1\n\nT-4: from a fork",
    "Merged T-5 into main", "a\n\nBREAKING CHANGE: everything\nelse", "Merge x\n\nBREAKING CHANGE: y", "", " ", "\u202ebidi", "x" * 700,
    "tab\tin\u00a0it", "two\nlines in one\n\nbody", "see T-1", "Fixes T-1 and T-2\n\nsee T-9", "revert: T-1", "\u0416 \U0001f600 {emoji}".replace("{emoji}", "e"),
    "back\\slash [link](http://x) ~~gone~~", "Mergers and more", "\r\nstarts late\r\n\r\nbody",
]  # fmt: skip


def wandering(seed: int) -> History:
    """Commits that say anything, merges, picks and reverts, with releases here and there."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    made = Told().commit("c0")
    tips = ["c0", "c0"]
    for n in range(1, 120):
        branch = chance.randrange(2)
        other = chance.choice(made.names)
        related = [
            f"Again\n\n(cherry picked from commit {{{other}}})",
            f'Revert "it"\n\nThis reverts commit {{{other}}}.',
        ]
        message = chance.choice([*MESSAGES, *related * 4])
        parents = [tips[branch]]
        if chance.random() < 0.2 and other != tips[branch]:
            parents.append(other)
        made.commit(f"c{n}", *parents, message=message)
        tips[branch] = f"c{n}"
        if n % 7 == 0:
            made.tag(f"1.{branch}.{n}", f"c{n}")
    return made.history(size=50)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("seed", range(8))
def test_quick_way_tells_the_same(seed: int, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BLOCK", 30)
    history = wandering(seed)
    for title, language, count in (("", "en", None), ("A <title> & *more*", "ru", None), ("", "en", 1), ("T", "en", 0)):
        releases = list(reversed(history.releases))[:count]
        long = render([release_of(history, one) for one in releases], form=form, title=title, language=language)
        quick = "".join(bulk.told(history, releases, form=form, title=title, language=language))
        assert quick.strip("\n") == long.strip("\n"), f"seed {seed}"


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=6))
def test_lines_are_escaped_together_as_one_by_one(lines: list[str]) -> None:
    assert escape_markdown_lines(lines) == [escape_markdown(line) for line in lines]


@given(st.lists(st.text("ab_*\\`[]~&;<#+>=-1.) amp"), max_size=6))
def test_markup_is_escaped_together_as_one_by_one(lines: list[str]) -> None:
    assert escape_markdown_lines(lines) == [escape_markdown(line) for line in lines]


def test_json_has_a_line_for_every_commit() -> None:
    history = wandering(1)
    document = "".join(bulk.told(history, history.releases, form=Form.JSON))
    commits = sum(len(one["commits"]) for one in json.loads(document)["releases"])
    assert sum(line.startswith('      {"id": ') for line in document.splitlines()) == commits
    assert json.loads("".join(bulk.told(history, [], form=Form.JSON))) == {"releases": []}
