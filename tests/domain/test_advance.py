"""What happens next: the rules as tables, and a simulated world in which they must always come to a good end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.advance import (
    MOST_REPEATS,
    Action,
    Look,
    MoveTo,
    Repeat,
    Rest,
    RunStep,
    UpdateView,
    next_action,
)
from releaser.domain.rollout import (
    BEING_CUT_OVER,
    ENDED,
    ROLLOUT_MOVES,
    UPDATE_ENDED,
    UPDATE_MOVES,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.rollout_moves import Member, Moves, RolloutView, UpdateMove, next_moves
from releaser.domain.target import Health, Phase, Step, Stop, Verdict
from releaser.domain.waiting import Wait

U = UpdateState
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=30)
AGO = NOW - timedelta(seconds=1)

PULL = Step(name="pull", phase=Phase.PREPARE)
CREATE = Step(name="create", phase=Phase.PREPARE)
STOP = Step(name="stop-old", phase=Phase.CUT_OVER, stops=Stop.FULL)
START = Step(name="start-new", phase=Phase.CUT_OVER, gate=True)
SWITCH = Step(name="switch", phase=Phase.CUT_OVER)
REMOVE = Step(name="remove-old", phase=Phase.COMMIT)
BACK = Step(name="restore-old", phase=Phase.ROLL_BACK)
STEPS = (PULL, CREATE, STOP, START, SWITCH, REMOVE, BACK)

GOOD = Verdict(health=Health.HEALTHY, reason="answers")
YOUNG = Verdict(health=Health.STARTING, reason="503")
DEAD = Verdict(health=Health.EXITED, reason="exit code 1")
SICK = Verdict(health=Health.UNHEALTHY, reason="500")


def view(state: UpdateState, *done: str, **more: object) -> UpdateView:
    return UpdateView(state=state, steps=STEPS, done=frozenset(done), deadline_at=SOON, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("update", "action"),
    [
        (view(U.PENDING), Rest()),
        (view(U.PREPARING), RunStep(step=PULL)),
        (view(U.PREPARING, "pull"), RunStep(step=CREATE)),
        (view(U.PREPARING, "pull", "create"), MoveTo(to=U.PREPARED)),
        (view(U.PREPARED, "pull", "create"), Rest()),
        (view(U.CUTTING_OVER, "pull", "create"), RunStep(step=STOP)),
        (view(U.CUTTING_OVER, "stop-old"), RunStep(step=START)),
        (view(U.CUTTING_OVER, "stop-old", "start-new"), Look(gate="start-new")),
        (view(U.CUTTING_OVER, "stop-old", "start-new", verdict=YOUNG), Look(gate="start-new")),
        (view(U.CUTTING_OVER, "stop-old", "start-new", passed=frozenset({"start-new"})), RunStep(step=SWITCH)),
        (view(U.VERIFYING), Look()),
        (view(U.VERIFYING, verdict=YOUNG), Look()),
        (view(U.VERIFYING, verdict=GOOD), MoveTo(to=U.SOAKING, reason="answers")),
        (view(U.SOAKING, soak_until_at=SOON), Look()),
        (view(U.SOAKING, soak_until_at=SOON, verdict=GOOD), Look()),
        (view(U.SOAKING, soak_until_at=NOW), Look()),
        (view(U.SOAKING, soak_until_at=NOW, verdict=YOUNG), Look()),
        (view(U.SOAKING, soak_until_at=NOW, verdict=GOOD), MoveTo(to=U.COMMITTING)),
        (view(U.COMMITTING), RunStep(step=REMOVE)),
        (view(U.COMMITTING, "remove-old"), MoveTo(to=U.SUCCEEDED)),
        (view(U.ROLLING_BACK), RunStep(step=BACK)),
        (view(U.ROLLING_BACK, "restore-old"), Look()),
        (view(U.ROLLING_BACK, "restore-old", verdict=YOUNG), Look()),
        (view(U.ROLLING_BACK, "restore-old", verdict=DEAD), Repeat(reason="exit code 1")),
        (
            view(U.ROLLING_BACK, "restore-old", verdict=GOOD, ends_as=U.ROLLED_BACK),
            MoveTo(to=U.ROLLED_BACK, reason="the state before is back"),
        ),
        (view(U.SUCCEEDED), Rest()),
    ],
)
def test_update_in_a_state_does_this_next(update: UpdateView, action: Action) -> None:
    assert next_action(update, now=NOW) == action


@pytest.mark.parametrize(
    ("update", "ends_as"),
    [
        (UpdateView(state=U.PREPARING, steps=STEPS, deadline_at=AGO), U.FAILED),
        (UpdateView(state=U.CUTTING_OVER, steps=STEPS, deadline_at=AGO), U.ROLLED_BACK),
        (view(U.CUTTING_OVER, "stop-old", "start-new", verdict=DEAD), U.ROLLED_BACK),
        (view(U.VERIFYING, verdict=DEAD), U.ROLLED_BACK),
        (view(U.VERIFYING, verdict=SICK), U.ROLLED_BACK),
        (UpdateView(state=U.VERIFYING, steps=STEPS, deadline_at=AGO, verdict=YOUNG), U.ROLLED_BACK),
        (UpdateView(state=U.SOAKING, steps=STEPS, deadline_at=AGO, soak_until_at=SOON, verdict=YOUNG), U.ROLLED_BACK),
        (view(U.SOAKING, soak_until_at=SOON, verdict=SICK), U.ROLLED_BACK),
        (view(U.SOAKING, soak_until_at=SOON, verdict=DEAD), U.ROLLED_BACK),
    ],
)
def test_update_that_cannot_succeed_is_rolled_back(update: UpdateView, ends_as: UpdateState) -> None:
    action = next_action(update, now=NOW)
    assert isinstance(action, MoveTo)
    assert (action.to, action.ends_as) == (U.ROLLING_BACK, ends_as)
    assert action.reason


def going_back(*done: str, verdict: Verdict | None = None, ends_as: UpdateState = U.ROLLED_BACK) -> UpdateView:
    """A roll-back whose time is over, of two steps, of which the first waits at its gate."""
    first = Step(name="start-old", phase=Phase.ROLL_BACK, gate=True)
    return UpdateView(
        state=U.ROLLING_BACK,
        steps=(first, BACK),
        done=frozenset(done),
        verdict=verdict,
        deadline_at=AGO,
        ends_as=ends_as,
    )


def test_roll_back_that_does_not_end_is_for_a_person() -> None:
    died = view(U.ROLLING_BACK, "restore-old", verdict=DEAD, repeats=MOST_REPEATS)
    assert next_action(died, now=NOW) == Look()
    late = going_back("start-old", verdict=YOUNG)
    assert next_action(late, now=NOW) == MoveTo(to=U.INCONSISTENT, reason="could not be rolled back: 503")


def test_roll_back_that_nobody_looked_at_in_time_is_tried_and_looked_at_before_it_is_given_up() -> None:
    """Whoever worked at it was restarted when its time passed: what stands there may be whole."""
    assert isinstance(next_action(going_back(), now=NOW), RunStep), (
        "a step that is not done is tried once, however late"
    )
    assert next_action(going_back("start-old"), now=NOW) == Look(gate="start-old"), "its gate may have opened meanwhile"


@pytest.mark.parametrize("ends_as", [U.FAILED, U.SKIPPED])
def test_roll_back_from_before_the_cutover_that_does_not_end_has_touched_nothing(ends_as: UpdateState) -> None:
    late = going_back("start-old", verdict=YOUNG, ends_as=ends_as)
    assert next_action(late, now=NOW) == MoveTo(to=ends_as, reason="could not be tidied up: 503")


def member(number: int, state: UpdateState, *, wave: int = 1, customer: str = "", **more: object) -> Member:
    return Member(id=number, wave=wave, position=number, customer=customer or f"c{number}", state=state, **more)  # type: ignore[arg-type]


def rolling(*members: Member, waves: dict[int, WaveState] | None = None, **more: object) -> RolloutView:
    return RolloutView(
        state=more.pop("state", RolloutState.RUNNING),  # type: ignore[arg-type]
        waves=waves or {1: WaveState.RUNNING},
        members=members,
        **more,  # type: ignore[arg-type]
    )


def test_no_target_is_cut_over_before_the_whole_wave_is_prepared() -> None:
    assert next_moves(rolling(member(1, U.PREPARED), member(2, U.PREPARING))) == Moves()


def test_prepared_wave_is_cut_over_in_order_up_to_the_limit() -> None:
    wave = [member(n, U.PREPARED) for n in (1, 2, 3)]
    assert [m.id for m in next_moves(rolling(*wave, max_parallel=2)).updates] == [1, 2]


def test_two_targets_of_one_customer_are_not_cut_over_at_once() -> None:
    wave = [member(1, U.PREPARED, customer="a"), member(2, U.PREPARED, customer="a"), member(3, U.PREPARED)]
    assert [m.id for m in next_moves(rolling(*wave, max_parallel=3)).updates] == [1, 3]


def test_blocked_target_waits_and_lets_the_next_one_go() -> None:
    wave = [member(1, U.PREPARED, blocked=Wait(what=WaitsFor.WINDOW)), member(2, U.PREPARED)]
    assert next_moves(rolling(*wave)).updates == (
        UpdateMove(1, U.WAITING, Wait(what=WaitsFor.WINDOW)),
        UpdateMove(2, U.CUTTING_OVER),
    )


def test_target_that_runs_the_version_already_is_not_prepared() -> None:
    assert next_moves(rolling(member(1, U.PENDING, unchanged=True))).updates == (UpdateMove(1, U.ALREADY_INSTALLED),)


@pytest.mark.parametrize(("threshold", "goes_on"), [(0, False), (1, True)])
def test_rollout_stops_when_more_targets_failed_than_may(threshold: int, *, goes_on: bool) -> None:
    moves = next_moves(rolling(member(1, U.ROLLED_BACK), member(2, U.PREPARED), threshold=threshold))
    assert (moves.rollout is None) is goes_on
    assert moves.rollout in {None, RolloutState.ROLLING_BACK}


def test_next_wave_begins_only_after_the_one_before_succeeded() -> None:
    waves = {1: WaveState.RUNNING, 2: WaveState.PENDING}
    first = rolling(member(1, U.SUCCEEDED), member(2, U.PENDING, wave=2), waves=waves)
    assert next_moves(first) == Moves(waves=((1, WaveState.SUCCEEDED),))
    waves[1] = WaveState.SUCCEEDED
    assert next_moves(rolling(*first.members, waves=waves)) == Moves(waves=((2, WaveState.RUNNING),))


def test_rollout_with_an_inconsistent_target_never_succeeds() -> None:
    done = rolling(member(1, U.INCONSISTENT), member(2, U.SUCCEEDED), waves={1: WaveState.SUCCEEDED}, threshold=1)
    assert next_moves(done).rollout is RolloutState.FAILED


def test_paused_rollout_moves_nothing() -> None:
    assert next_moves(rolling(member(1, U.PREPARED), state=RolloutState.PAUSED)) == Moves()


@pytest.mark.parametrize(
    ("states", "end"),
    [
        ([U.ROLLED_BACK, U.SKIPPED], RolloutState.ROLLED_BACK),
        ([U.FAILED, U.TIMED_OUT, U.SKIPPED], RolloutState.FAILED),
        ([U.FAILED, U.ROLLED_BACK], RolloutState.ROLLED_BACK),
        ([U.SUCCEEDED, U.ROLLED_BACK], RolloutState.FAILED),
        ([U.INCONSISTENT], RolloutState.FAILED),
    ],
)
def test_failed_rollout_is_rolled_back_only_when_something_was_and_nothing_of_it_is_left(
    states: list[UpdateState], end: RolloutState
) -> None:
    members = [member(n, state) for n, state in enumerate(states)]
    assert next_moves(rolling(*members, state=RolloutState.ROLLING_BACK)).rollout is end


@dataclass
class World:
    """A rollout simulated in memory: the rules decide, chance does the work, well or badly."""

    chance: random.Random
    members: dict[int, Member]
    waves: dict[int, WaveState]
    max_parallel: int
    threshold: int
    state: RolloutState = RolloutState.RUNNING
    done: dict[int, set[str]] = field(default_factory=dict)
    passed: dict[int, set[str]] = field(default_factory=dict)
    ends_as: dict[int, UpdateState] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)

    def tick(self) -> bool:
        moves = next_moves(
            RolloutView(
                state=self.state,
                waves=self.waves,
                members=list(self.members.values()),
                max_parallel=self.max_parallel,
                threshold=self.threshold,
            )
        )
        for move in moves.updates:
            self.move(move.id, move.to, move.ends_as)
        for number, wave in moves.waves:
            assert wave in WAVE_MOVES[self.waves[number]]
            self.waves[number] = wave
        if moves.rollout:
            assert moves.rollout in ROLLOUT_MOVES[self.state]
            self.state = moves.rollout
        return moves != Moves()

    def move(self, number: int, to: UpdateState, ends_as: UpdateState | None = None) -> None:
        old = self.members[number]
        assert to in UPDATE_MOVES[old.state], (old.state, to)
        if to is U.CUTTING_OVER:
            self.touched.add(number)
            wave = [m for m in self.members.values() if m.wave == old.wave]
            assert not [m for m in wave if m.state in {U.PENDING, U.PREPARING}], "the wave was not prepared"
        if ends_as:
            self.ends_as[number] = ends_as
        self.members[number] = member(number, to, wave=old.wave, customer=old.customer)
        at_it = [m for m in self.members.values() if m.state in BEING_CUT_OVER]
        assert len(at_it) <= self.max_parallel
        assert len({m.customer for m in at_it}) == len(at_it)

    def work(self, number: int) -> None:
        """One action of one target, with a fault now and then."""
        m = self.members[number]
        done, passed = self.done.setdefault(number, set()), self.passed.setdefault(number, set())
        verdict = self.chance.choice([None, GOOD, GOOD, GOOD, YOUNG, DEAD])
        if m.state is U.ROLLING_BACK and verdict is DEAD:
            verdict = GOOD
        late = self.chance.random() < 0.02 and m.state is not U.ROLLING_BACK
        action = next_action(
            UpdateView(
                state=m.state,
                steps=STEPS,
                done=frozenset(done),
                passed=frozenset(passed),
                verdict=verdict,
                deadline_at=AGO if late else SOON,
                soak_until_at=NOW,
                ends_as=self.ends_as.get(number, U.FAILED),
            ),
            now=NOW,
        )
        if isinstance(action, RunStep):
            done.add(action.step.name)
        elif isinstance(action, Look) and action.gate and verdict is GOOD:
            passed.add(action.gate)
        elif isinstance(action, MoveTo):
            self.move(number, action.to, action.ends_as)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 9), parallel=st.integers(1, 4), threshold=st.integers(0, 2))
def test_any_rollout_comes_to_an_end_with_every_target_whole(
    seed: int, count: int, parallel: int, threshold: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- a simulation
    members = {
        n: member(n, U.PENDING, wave=1 + n * 3 // count, customer=f"c{chance.randrange(4)}") for n in range(count)
    }
    waves = dict.fromkeys(sorted({m.wave for m in members.values()}), WaveState.PENDING)
    world = World(chance, members, waves, parallel, threshold)
    if chance.random() < 0.2:
        world.state = RolloutState.STOPPING
    for _ in range(5000):
        moved = world.tick()
        if world.state in ENDED:
            break
        busy = [n for n, m in world.members.items() if m.state not in UPDATE_ENDED]
        assert moved or busy, "nothing moves, nobody works, and it has not ended"
        if busy:
            world.work(chance.choice(busy))
    assert world.state in ENDED
    for number, m in world.members.items():
        assert m.state in UPDATE_ENDED
        if m.state in {U.FAILED, U.SKIPPED}:
            assert number not in world.touched, "the cutover began, so the end must say rolled back"
