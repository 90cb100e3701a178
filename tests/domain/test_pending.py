"""What a branch has that a release has not: the content of the cut to come, told as the release itself will tell it."""

from __future__ import annotations

import pytest

from releaser.domain.history import History
from releaser.domain.version import Scheme, Version, parse
from tests.fakes.told_history import Told, id_of, standings


def version(text: str) -> Version:
    return parse(text, scheme=Scheme.TWO_PART)


def pending(told: Told, branch: str, since: str | None) -> dict[str, str]:
    history: History = told.history()
    (head,) = (one for one in history.heads if one.branch == branch)
    by_id = {id_of(name): name for name in told.names}
    found = history.pending(head, since=version(since) if since else None)
    return {by_id[change.commit.id]: change.standing.value for change in found}


def story() -> Told:
    told = Told().commit("a", message="T-1: a").commit("b", "a", message="T-2: b").tag("1.0", "b")
    told.commit("c", "b", message="T-3: c").commit("undo-b", "c", message='Revert "T-2: b"\n\nThis reverts commit {b}.')
    told.commit("d", "undo-b", message="T-4: d").commit("undo-d", "d", message="Revert it\n\nThis reverts commit {d}.")
    told.commit("fix", "b", message="T-5: fix").commit(
        "pick-c", "fix", message="T-3: c\n\n(cherry picked from commit {c})"
    )
    return told.branch("main", "undo-d").branch("1.0", "pick-c")


@pytest.mark.parametrize(("branch", "tip", "next_version"), [("main", "undo-d", "1.1"), ("1.0", "pick-c", "1.0.1")])
def test_pending_commits_stand_as_in_the_release_that_is_cut_then(branch: str, tip: str, next_version: str) -> None:
    before = pending(story(), branch, "1.0")
    cut = story().tag(next_version, tip)
    assert before == standings(cut, cut.history(), next_version)
    assert before


def test_pending_of_a_branch_that_is_released_is_nothing() -> None:
    assert pending(story().tag("1.1", "undo-d"), "main", "1.1") == {}


def test_without_a_release_before_everything_is_pending() -> None:
    assert set(pending(story(), "1.0", None)) == {"a", "b", "fix", "pick-c"}
