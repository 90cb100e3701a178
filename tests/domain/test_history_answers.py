"""What was worked out of a history is found once, and told again as long as it is asked for."""

from __future__ import annotations

import gc
import weakref

from releaser.domain.backports import chosen, gaps
from releaser.domain.history import History, LineStatus
from releaser.domain.history.answers import MOST, Answers
from releaser.domain.upgrade import compare
from tests.fakes.told_history import Told


def history() -> History:
    made = Told().commit("base").commit("fix", "base", message="T-1: repair").commit("own", "base", message="T-2: here")
    made.tag("3.4", "base").tag("3.4.1", "own").tag("3.5", "fix").tag("3.5.1", "fix")
    return made.branch("main", "fix").history()


def test_same_question_is_answered_without_looking_again() -> None:
    asked: list[int] = []
    answers = Answers()
    for _ in range(3):
        assert answers.once("what", lambda: len(asked.__iadd__([1]))) == 1
    assert asked == [1]


def test_answers_that_nobody_asks_for_any_more_are_given_up_and_found_again() -> None:
    answers, found = Answers(), []
    for number in range(MOST + 1):
        answers.once("always", lambda: 0)
        answers.once(number, lambda number=number: found.append(number))  # type: ignore[misc]
    answers.once("always", lambda: found.append(-1))
    answers.once(0, lambda: found.append(0))
    assert found == [*range(MOST + 1), 0]


def test_upgrade_asked_twice_is_the_same_and_backwards_another() -> None:
    told = history()
    older, newer = told.releases[1], told.releases[-1]
    assert compare(told, older, newer) is compare(told, older, newer)
    back = compare(told, newer, older)
    assert [one.ticket for one in back.gained] == ["T-2"]
    assert back.gained == compare(told, older, newer).lost


def test_backports_count_what_people_say_now_not_what_they_said_before() -> None:
    told = history()
    looked_at = chosen(told)
    before = gaps(told, looked_at)
    assert gaps(told, looked_at) is before
    fine = gaps(told, looked_at, said={"T-2": {"3.5": LineStatus.UNAFFECTED, "main": LineStatus.UNAFFECTED}})
    assert {gap.ticket for gap in before.gaps} == {"T-1", "T-2"}
    assert {gap.ticket for gap in fine.gaps} == {"T-1"}


def test_history_that_nobody_holds_is_gone_without_the_collector() -> None:
    told = history()
    compare(told, told.releases[0], told.releases[-1])
    told.changes(told.releases[-1])
    was = weakref.ref(told)
    gc.disable()
    try:
        del told
        assert was() is None
    finally:
        gc.enable()
