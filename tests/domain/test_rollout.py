"""The state machines of a rollout: every state is reachable, every end is an end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from releaser.domain import notice, release, request, rollout

MACHINES: list[tuple[str, type[StrEnum], Mapping[Any, frozenset[Any]], StrEnum]] = [
    ("rollout", rollout.RolloutState, rollout.ROLLOUT_MOVES, rollout.RolloutState.PLANNED),
    ("wave", rollout.WaveState, rollout.WAVE_MOVES, rollout.WaveState.PENDING),
    ("update", rollout.UpdateState, rollout.UPDATE_MOVES, rollout.UpdateState.PENDING),
    ("release", release.ReleaseState, release.MOVES, release.ReleaseState.CUTTING),
    ("ticket", request.TicketState, request.MOVES, request.TicketState.NEW),
    ("notice", notice.NoticeState, notice.MOVES, notice.NoticeState.DRAFT),
]


@pytest.mark.parametrize(("states", "moves", "first"), [m[1:] for m in MACHINES], ids=[m[0] for m in MACHINES])
def test_every_state_has_its_moves_and_can_be_reached(
    states: type[StrEnum], moves: Mapping[Any, frozenset[Any]], first: StrEnum
) -> None:
    assert set(moves) == set(states)
    reached, todo = {first}, [first]
    while todo:
        for state in moves[todo.pop()]:
            if state not in reached:
                reached.add(state)
                todo.append(state)
    assert reached == set(states)


@pytest.mark.parametrize(("states", "moves", "first"), [m[1:] for m in MACHINES], ids=[m[0] for m in MACHINES])
def test_no_state_moves_to_itself(
    states: type[StrEnum],
    moves: Mapping[Any, frozenset[Any]],
    first: StrEnum,
) -> None:
    assert not [state for state in states if state in moves[state]]


def test_ended_rollouts_only_move_when_tried_again() -> None:
    again = {rollout.RolloutState.RUNNING}
    assert all(rollout.ROLLOUT_MOVES[state] <= again for state in rollout.ENDED)


def test_inconsistent_targets_are_never_moved_by_a_machine() -> None:
    assert rollout.UPDATE_MOVES[rollout.UpdateState.INCONSISTENT] == frozenset()
