from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from releaser.domain.backports import TooManyGapsError, UnknownPlaceError, as_json, chosen, gaps
from tests.fakes.told_history import Told, id_of


def lines() -> Told:
    """3.3 is dead; 3.4 and 3.5 have patches. T-1 is everywhere but on 3.4; T-2 on 3.4 only; T-3 on main; T-4 reverted on 3.5."""
    made = Told().commit("base").commit("t1", "base", message="T-1: repair").commit("t4", "t1", message="T-4: improve")
    made.commit("own", "base", message="T-2: for 3.4 only")
    made.commit("undo", "t4", message='Revert "T-4: improve"\n\nThis reverts commit {t4}.')
    made.commit("t3", "t4", message="T-3: later")
    made.tag("3.3", "base", at=datetime(2010, 1, 1, tzinfo=UTC)).tag("3.4", "base").tag("3.4.1", "own")
    made.tag("3.5", "t4").tag("3.5.1", "undo").tag("3.6", "t4")
    return made.branch("main", "t3")


def found(told: Told, *wanted: str) -> dict[str, Any]:
    history = told.history()
    return as_json(gaps(history, chosen(history, wanted)), history)


def rows(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(one["ticket"], one["line"], one["kind"], one["status"]) for one in answer["gaps"]]


def test_gaps_are_told_gravest_first_and_unknown_is_a_candidate() -> None:
    answer = found(lines())
    assert rows(answer) == [
        ("T-4", "3.5", "reverted", "affected"),
        ("T-2", "3.5", "forward-port", "unknown"),
        ("T-2", "main", "forward-port", "unknown"),
        ("T-3", "3.4", "backport", "unknown"),
        ("T-3", "3.5", "backport", "unknown"),
        ("T-4", "3.4", "backport", "unknown"),
        ("T-1", "3.4", "backport", "unknown"),
    ]
    assert [one["candidate"] for one in answer["gaps"]] == [False, *[True] * 6]
    assert answer["gaps"][0]["reverted_by"] == id_of("undo")
    assert answer["tickets"] == 4


def test_gap_says_where_the_fix_is_and_which_commits_bring_it() -> None:
    gap = found(lines())["gaps"][-1]
    assert [(one["line"], one["first_version"], one["commit"]) for one in gap["fixed_on"]] == [
        ("3.5", "3.5", id_of("t1")),
        ("main", None, None),
    ]
    assert (gap["subject"], gap["commits"]) == ("T-1: repair", [id_of("t1")])


def test_lines_alive_are_looked_at_and_the_others_are_counted() -> None:
    answer = found(lines())
    assert [(one["line"], one["main"], one["gaps"]) for one in answer["lines"]] == [
        ("3.4", False, 3),
        ("3.5", False, 3),
        ("main", True, 1),
    ]
    assert answer["lines_left_out"] == 2


@pytest.mark.parametrize(
    ("wanted", "looked_at"),
    [
        (("3.3",), ["3.3", "main"]),
        (("3.6", "3.4"), ["3.4", "3.6", "main"]),
        (("3.*",), ["3.3", "3.4", "3.5", "3.6", "main"]),
        (("all",), ["3.3", "3.4", "3.5", "3.6", "main"]),
        (("main",), ["main"]),
    ],
)
def test_lines_are_chosen_by_name_pattern_or_all(wanted: tuple[str, ...], looked_at: list[str]) -> None:
    assert [one["line"] for one in found(lines(), *wanted)["lines"]] == looked_at


def test_line_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UnknownPlaceError, match=r"The newest are main, 3\.6, 3\.5"):
        chosen(lines().history(), ["4.0"])


def test_picked_fix_is_no_gap() -> None:
    made = lines().commit("pick", "own", message="Repair\n\n(cherry picked from commit {t1})").tag("3.4.2", "pick")
    assert ("T-1", "3.4") not in [row[:2] for row in rows(found(made))]


def test_branch_counts_before_its_next_release() -> None:
    made = lines().commit("pick", "own", message="Repair\n\n(cherry picked from commit {t1})").branch("3.4", "pick")
    assert ("T-1", "3.4") not in [row[:2] for row in rows(found(made))]


def test_more_gaps_than_anybody_can_read_are_refused() -> None:
    history = lines().history()
    with pytest.raises(TooManyGapsError, match="Name fewer lines"):
        gaps(history, chosen(history, ()), most=5)
