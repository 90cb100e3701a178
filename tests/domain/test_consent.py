"""Whose consent a contract asks for, what a word covers, and what a rollout does with it: as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from releaser.domain.consent import Agreement, Answer, ConsentRule, Updates, Word, agreement
from releaser.domain.regulation import InvalidRegulationError, from_mapping, to_mapping
from releaser.domain.rollout import RolloutState, UpdateState, WaitsFor, WaveState
from releaser.domain.rollout_moves import Member, RolloutView, UpdateMove, next_moves
from releaser.domain.waiting import Wait

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVERY = ConsentRule(by="head of operations")
STOPS = ConsentRule(by="head of operations", updates=Updates.STOPPING)


def word(answer: Answer = Answer.YES, *stopping: str) -> Word:
    return Word(answer=answer, who="Ann", note="", by="rita", at=NOW, stopping=frozenset(stopping))


@pytest.mark.parametrize(
    ("rule", "said", "stops", "stands"),
    [
        (None, None, True, Agreement.NOT_ASKED),
        (None, word(Answer.NO), True, Agreement.NOT_ASKED),
        (STOPS, None, False, Agreement.NOT_ASKED),
        (STOPS, word(Answer.NO), False, Agreement.NOT_ASKED),
        (STOPS, None, True, Agreement.MISSING),
        (EVERY, None, False, Agreement.MISSING),
        (EVERY, word(), False, Agreement.AGREED),
        (EVERY, word(Answer.YES, "app"), True, Agreement.AGREED),
        (EVERY, word(Answer.YES, "app"), False, Agreement.AGREED),
        (EVERY, word(Answer.YES, "db"), True, Agreement.MISSING),
        (EVERY, word(), True, Agreement.MISSING),
        (EVERY, word(Answer.NO, "app"), True, Agreement.REFUSED),
        (STOPS, word(Answer.NO), True, Agreement.REFUSED),
    ],
)
def test_word_covers_what_was_said_to_stop_and_no_more(
    rule: ConsentRule | None,
    said: Word | None,
    stops: bool,  # noqa: FBT001 -- of the table
    stands: Agreement,
) -> None:
    assert agreement(rule, said, module="app", stops=stops) is stands


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"by": " head of operations "}, EVERY),
        ({"by": "head of operations", "updates": "all"}, EVERY),
        ({"by": "head of operations", "updates": "stopping"}, STOPS),
        (None, None),
    ],
)
def test_regulation_says_who_agrees_and_is_read_back(data: dict[str, str] | None, rule: ConsentRule | None) -> None:
    regulation = from_mapping({"zone": "UTC", "consent": data})
    assert regulation.consent == rule
    assert from_mapping(to_mapping(regulation)) == regulation


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("head of operations", "consent"),
        (["by"], "consent"),
        (True, "consent"),
        ({}, "consent.by"),
        ({"by": ""}, "consent.by"),
        ({"by": 5}, "consent.by"),
        ({"by": "a\nb"}, "consent.by"),
        ({"by": "x" * 201}, "consent.by"),
        ({"by": "Ann", "updates": "some"}, "consent.updates"),
        ({"by": "Ann", "updates": None}, "consent.updates"),
        ({"by": "Ann", "updates": ["all"]}, "consent.updates"),
        ({"by": "Ann", "until": "now"}, "consent.until"),
    ],
)
def test_consent_that_says_nothing_is_refused_with_its_place(data: Any, place: str) -> None:  # noqa: ANN401 -- anything
    with pytest.raises(InvalidRegulationError) as told:
        from_mapping({"consent": data})
    assert told.value.field == f"regulation.{place}"
    assert told.value.advice


def moves_of(state: UpdateState, blocked: Wait | None, *, unchanged: bool = False) -> tuple[UpdateMove, ...]:
    member = Member(id=1, wave=1, position=0, customer="acme", state=state, blocked=blocked, unchanged=unchanged)
    return next_moves(
        RolloutView(state=RolloutState.RUNNING, waves={1: WaveState.RUNNING}, members=[member], now=NOW)
    ).updates


NEVER = Wait(what=WaitsFor.CONSENT, told="Ann did not agree: no", never=True)
ASKED = Wait(what=WaitsFor.CONSENT, told="nobody agreed yet")


@pytest.mark.parametrize(
    ("state", "blocked", "moves"),
    [
        (UpdateState.PENDING, NEVER, (UpdateMove(1, UpdateState.SKIPPED, reason=NEVER.told),)),
        (UpdateState.PENDING, ASKED, (UpdateMove(1, UpdateState.PREPARING),)),
        (UpdateState.PREPARED, ASKED, (UpdateMove(1, UpdateState.WAITING, ASKED),)),
        *(
            (state, NEVER, (UpdateMove(1, UpdateState.ROLLING_BACK, ends_as=UpdateState.SKIPPED, reason=NEVER.told),))
            for state in (UpdateState.PREPARED, UpdateState.WAITING)
        ),
    ],
)
def test_target_is_prepared_while_a_consent_is_missing_and_put_away_after_a_no(
    state: UpdateState, blocked: Wait, moves: tuple[UpdateMove, ...]
) -> None:
    assert moves_of(state, blocked) == moves


def test_target_that_runs_the_version_already_needs_no_consent() -> None:
    assert moves_of(UpdateState.PENDING, NEVER, unchanged=True) == (UpdateMove(1, UpdateState.ALREADY_INSTALLED),)


def test_rollout_that_left_somebody_alone_says_so_at_its_end() -> None:
    counts = {1: {UpdateState.SUCCEEDED: 3, UpdateState.SKIPPED: 2}}
    view = RolloutView(state=RolloutState.RUNNING, waves={1: WaveState.SUCCEEDED}, members=[], counts=counts)
    assert next_moves(view).reason == "every wave succeeded, 2 skipped"


@pytest.mark.parametrize(("put_away", "goes_on"), [({1: 1}, True), ({}, False), ({2: 1}, False)])
def test_target_that_is_put_away_after_a_no_is_no_failure(put_away: dict[int, int], *, goes_on: bool) -> None:
    counts = {1: {UpdateState.PENDING: 1, UpdateState.ROLLING_BACK: 1}}
    view = RolloutView(
        state=RolloutState.RUNNING, waves={1: WaveState.RUNNING}, members=[], counts=counts, put_away=put_away
    )
    assert (next_moves(view).rollout is None) is goes_on
