"""What happens next: pure decisions over what is recorded, what was seen, and the time.

`next_action` decides for one target's update, `next_moves` for a whole rollout. Both may be asked again at any time,
by any worker, after any crash: the answer depends only on their arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from releaser.domain.rollout import (
    BEING_CUT_OVER,
    UPDATE_ENDED,
    UPDATE_FAILED,
    UPDATE_GOOD,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.target import Health, Phase, Step, Verdict

_U = UpdateState
_PHASE_OF = {
    _U.PREPARING: (Phase.PREPARE, _U.PREPARED),
    _U.CUTTING_OVER: (Phase.CUT_OVER, _U.VERIFYING),
    _U.COMMITTING: (Phase.COMMIT, _U.SUCCEEDED),
}
_OVER = frozenset({Health.UNHEALTHY, Health.EXITED, Health.MISSING})
MOST_REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateView:
    """What is known of one update. `done` holds the steps done in this attempt, `passed` the gates passed.

    `verdict` is the last look in this state, None before the first. `ends_as` is what a roll-back leads to and `repeats`
    how often it was begun again. What is `one_way` must not be rolled back once its cutover began.
    """

    state: UpdateState
    steps: Sequence[Step]
    done: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()
    verdict: Verdict | None = None
    deadline_at: datetime | None = None
    soak_until_at: datetime | None = None
    ends_as: UpdateState = UpdateState.FAILED
    repeats: int = 0
    one_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Record the intent of this step, carry it out, record that it is done."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look through the health gate; `gate` is the step that waits for it, empty for the gate at the end."""

    gate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTo:
    """Move the update; `ends_as` says what a roll-back shall lead to."""

    to: UpdateState
    reason: str = ""
    ends_as: UpdateState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to do here until the rollout moves the update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Forget that the roll-back's steps are done and begin it again: what it brought back has died since."""

    reason: str


Action = RunStep | Look | MoveTo | Rest | Repeat


def next_action(update: UpdateView, *, now: datetime) -> Action:
    """The one thing to do next for an update."""
    action = _next_action(update, now=now)
    if isinstance(action, MoveTo) and action.to is _U.ROLLING_BACK:
        return way_out(action, state=update.state, one_way=update.one_way)
    return action


def way_out(back: MoveTo, *, state: UpdateState, one_way: bool) -> MoveTo:
    """The roll-back, or where the version is not safe to roll back and may have run: what stops for a person."""
    if not one_way or state not in BEING_CUT_OVER:
        return back
    reason = (
        f"{back.reason}; the version is not safe to roll back, so it was left as it is: roll a mended version out there"
    )
    return MoveTo(to=_U.INCONSISTENT, reason=reason)


def _next_action(update: UpdateView, *, now: datetime) -> Action:
    if update.state in _PHASE_OF:
        return _in_phase(update, now=now)
    if update.state is _U.VERIFYING:
        return _verifying(update, now=now)
    if update.state is _U.SOAKING:
        return _soaking(update, now=now)
    if update.state is _U.ROLLING_BACK:
        return _rolling_back(update, now=now)
    return Rest()


def _next_of(update: UpdateView, phase: Phase) -> RunStep | Look | None:
    """The first step of `phase` that is not done, or the look its forerunner's gate waits for; None at the end."""
    for step in update.steps:
        if step.phase is not phase:
            continue
        if step.name not in update.done:
            return RunStep(step=step)
        if step.gate and step.name not in update.passed:
            return Look(gate=step.name)
    return None


def _late(update: UpdateView, now: datetime) -> bool:
    return update.deadline_at is not None and now >= update.deadline_at


def _in_phase(update: UpdateView, *, now: datetime) -> Action:
    phase, then = _PHASE_OF[update.state]
    upcoming = _next_of(update, phase)
    if upcoming is None:
        return MoveTo(to=then)
    if phase is Phase.COMMIT:
        return upcoming  # the new one serves; what is left is tidying, which never undoes it
    if isinstance(upcoming, Look):
        return _at_gate(update, upcoming, now=now)
    if _late(update, now):
        return _back(update, f"{phase.value} did not end in time")
    return upcoming


def _at_gate(update: UpdateView, look: Look, *, now: datetime) -> Action:
    """Look at least once, however late, so that the reason for going back is what was seen."""
    if update.verdict is None:
        return look
    if update.verdict.health in _OVER:
        return _back(update, update.verdict.reason)
    if _late(update, now):
        return _back(update, f"not healthy in time: {update.verdict.reason}")
    return look


def _back(update: UpdateView, reason: str) -> MoveTo:
    """Undo; before the cutover nothing of the service was touched, so the end is `failed`, not `rolled_back`."""
    untouched = update.state in {_U.PREPARING, _U.PREPARED, _U.WAITING}
    return MoveTo(to=_U.ROLLING_BACK, reason=reason, ends_as=_U.FAILED if untouched else _U.ROLLED_BACK)


def _verifying(update: UpdateView, *, now: datetime) -> Action:
    if update.verdict is None:
        return Look()
    if update.verdict.health is Health.HEALTHY:
        return MoveTo(to=_U.SOAKING, reason=update.verdict.reason)
    if update.verdict.health in _OVER:
        return _back(update, update.verdict.reason)
    if _late(update, now):
        return _back(update, f"not healthy in time: {update.verdict.reason}")
    return Look()


def _soaking(update: UpdateView, *, now: datetime) -> Action:
    """Healthy until the soak's end, and at its end. A probe that fails for a moment is looked at again until the deadline."""
    if update.verdict is None:
        return Look()
    if update.verdict.health in _OVER or (update.verdict.health is Health.STARTING and _late(update, now)):
        return _back(update, f"failed while soaking: {update.verdict.reason}")
    soaked = update.soak_until_at is None or now >= update.soak_until_at
    return MoveTo(to=_U.COMMITTING) if soaked and update.verdict.health is Health.HEALTHY else Look()


def _rolling_back(update: UpdateView, *, now: datetime) -> Action:
    upcoming = _next_of(update, Phase.ROLL_BACK)
    died = update.verdict is not None and update.verdict.health in _OVER
    if isinstance(upcoming, Look) and died and update.repeats < MOST_REPEATS:
        return Repeat(reason=update.verdict.reason if update.verdict else "")
    if upcoming is None:
        if update.verdict is None:
            return Look()
        if update.verdict.health is Health.HEALTHY:
            return MoveTo(to=update.ends_as, reason="the state before is back")
        if died and update.repeats < MOST_REPEATS:
            return Repeat(reason=update.verdict.reason)
        upcoming = Look()
    if _late(update, now):
        seen = update.verdict.reason if update.verdict else "the engine did not answer"
        return MoveTo(to=_U.INCONSISTENT, reason=f"could not be rolled back: {seen}")
    return upcoming


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One update as its rollout sees it. `blocked` is what its cutover would wait for now, if anything."""

    id: int
    wave: int
    position: int
    customer: str
    state: UpdateState
    waits_for: WaitsFor | None = None
    blocked: WaitsFor | None = None
    unchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """What is known of a rollout: its state, its waves' states by number, its members in order.

    `counts` tells how many targets of a wave are in which state. With it `members` may be only those that are being
    touched and those that could move now; without it they are everybody. A `rehearsal` only prepares. One that `gives_way` to
    another, and a `one_way` one that is stopped, let what is being cut over end by itself.
    """

    state: RolloutState
    waves: Mapping[int, WaveState]
    members: Sequence[Member]
    max_parallel: int = 1
    threshold: int = 0
    rehearsal: bool = False
    gives_way: bool = False
    one_way: bool = False
    counts: Mapping[int, Mapping[UpdateState, int]] | None = None

    def states_of(self, wave: int) -> Mapping[UpdateState, int]:
        """How many targets of a wave are in which state."""
        if self.counts is not None:
            return self.counts.get(wave, {})
        return Counter(m.state for m in self.members if m.wave == wave)

    def states(self) -> frozenset[UpdateState]:
        """Every state that a target is in."""
        if self.counts is not None:
            return frozenset(state for states in self.counts.values() for state, count in states.items() if count)
        return frozenset(m.state for m in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What to record now: moves of updates (id -> to, what it waits for, how a roll-back ends), of waves, of the rollout.

    `begin`: it is time to begin what was scheduled.
    """

    updates: tuple[tuple[int, UpdateState, WaitsFor | None, UpdateState | None], ...] = ()
    waves: tuple[tuple[int, WaveState], ...] = ()
    rollout: RolloutState | None = None
    reason: str = ""
    begin: bool = False


def next_moves(view: RolloutView) -> Moves:
    """Everything a rollout's rules say should move now. Empty when there is nothing to do but wait."""
    if view.state is RolloutState.RUNNING:
        return _rehearsing(view) if view.rehearsal else _running(view)
    if view.state in {RolloutState.ROLLING_BACK, RolloutState.STOPPING}:
        return _winding_down(view)
    return Moves()


def current_wave(waves: Mapping[int, WaveState]) -> int | None:
    """The number of the wave at hand, None when every wave has ended."""
    return next((n for n in sorted(waves) if waves[n] in {WaveState.PENDING, WaveState.RUNNING}), None)


def _running(view: RolloutView) -> Moves:
    number = current_wave(view.waves)
    if number is None:
        if _U.INCONSISTENT in view.states():
            return Moves(rollout=RolloutState.FAILED, reason="a target is inconsistent and needs a person")
        return Moves(rollout=RolloutState.SUCCEEDED, reason="every wave succeeded")
    states = view.states_of(number)
    failed = sum(states.get(state, 0) for state in {*UPDATE_FAILED, _U.ROLLING_BACK})
    if failed > view.threshold:
        size = sum(states.values())
        return Moves(
            rollout=RolloutState.ROLLING_BACK,
            reason=f"{failed} of {size} targets of wave {number} failed, {view.threshold} may",
        )
    if view.waves[number] is WaveState.PENDING:
        return Moves(waves=((number, WaveState.RUNNING),))
    if not any(count for state, count in states.items() if state not in UPDATE_ENDED):
        return Moves(waves=((number, WaveState.SUCCEEDED),))
    wave = [m for m in view.members if m.wave == number]
    if states.get(_U.PENDING, 0) or states.get(_U.PREPARING, 0):
        return Moves(updates=tuple(_admit_to_prepare(wave)))
    return Moves(updates=tuple(_admit_to_cut_over(view, wave)))


def _rehearsing(view: RolloutView) -> Moves:
    """Prepare wave by wave, put away what is prepared, and say at the end whether all could be."""
    number = current_wave(view.waves)
    if number is None:
        failed = sum(states.get(state, 0) for states in map(view.states_of, view.waves) for state in UPDATE_FAILED)
        if failed:
            return Moves(rollout=RolloutState.FAILED, reason=f"rehearsed: {failed} targets could not be prepared")
        return Moves(rollout=RolloutState.SUCCEEDED, reason="rehearsed: every target could be prepared")
    states = view.states_of(number)
    if view.waves[number] is WaveState.PENDING:
        return Moves(waves=((number, WaveState.RUNNING),))
    if not any(count for state, count in states.items() if state not in UPDATE_ENDED):
        failed = sum(states.get(state, 0) for state in UPDATE_FAILED)
        return Moves(waves=((number, WaveState.FAILED if failed else WaveState.SUCCEEDED),))
    wave = [m for m in view.members if m.wave == number]
    if states.get(_U.PENDING, 0) or states.get(_U.PREPARING, 0):
        return Moves(updates=tuple(_admit_to_prepare(wave)))
    ready = {_U.PREPARED, _U.WAITING}
    return Moves(updates=tuple((m.id, _U.ROLLING_BACK, None, _U.SKIPPED) for m in wave if m.state in ready))


def _admit_to_prepare(wave: Iterable[Member]) -> list[tuple[int, UpdateState, WaitsFor | None, UpdateState | None]]:
    return [
        (m.id, _U.ALREADY_INSTALLED if m.unchanged else _U.PREPARING, None, None) for m in wave if m.state is _U.PENDING
    ]


def _admit_to_cut_over(
    view: RolloutView, wave: Sequence[Member]
) -> list[tuple[int, UpdateState, WaitsFor | None, UpdateState | None]]:
    """The whole wave is prepared before its first cutover; then up to `max_parallel`, one per customer."""
    at_it = [m for m in view.members if m.state in BEING_CUT_OVER or m.state is _U.ROLLING_BACK]
    busy = {m.customer for m in at_it}
    free = view.max_parallel - len(at_it)
    moves: list[tuple[int, UpdateState, WaitsFor | None, UpdateState | None]] = []
    for m in sorted(wave, key=lambda member: member.position):
        if m.state not in {_U.PREPARED, _U.WAITING}:
            continue
        if m.blocked is not None:
            if m.state is _U.PREPARED:
                moves.append((m.id, _U.WAITING, m.blocked, None))
        elif free > 0 and m.customer not in busy:
            moves.append((m.id, _U.CUTTING_OVER, None, None))
            busy.add(m.customer)
            free -= 1
    return moves


def _winding_down(view: RolloutView) -> Moves:
    """Start nothing, let what is being cut over end by itself, put away what was only prepared, then end."""
    stopping = view.state is RolloutState.STOPPING and not view.gives_way and not view.one_way
    undo = {_U.PREPARING, _U.PREPARED, _U.WAITING} | (
        {_U.CUTTING_OVER, _U.VERIFYING, _U.SOAKING} if stopping else set()
    )
    moves: list[tuple[int, UpdateState, WaitsFor | None, UpdateState | None]] = []
    for m in view.members:
        if m.state is _U.PENDING:
            moves.append((m.id, _U.SKIPPED, None, None))
        elif m.state in undo:
            touched = m.state in BEING_CUT_OVER
            moves.append((m.id, _U.ROLLING_BACK, None, _U.ROLLED_BACK if touched else _U.SKIPPED))
    if moves or view.states() - UPDATE_ENDED:
        return Moves(updates=tuple(moves))
    waves = tuple(
        (number, _wave_end(view.states_of(number)))
        for number, state in sorted(view.waves.items())
        if state in {WaveState.PENDING, WaveState.RUNNING}
    )
    return Moves(waves=waves, rollout=_end(view))


def _wave_end(states: Mapping[UpdateState, int]) -> WaveState:
    there = {state for state, count in states.items() if count}
    if there <= {_U.SKIPPED}:
        return WaveState.SKIPPED
    return WaveState.SUCCEEDED if there <= UPDATE_GOOD else WaveState.FAILED


def _end(view: RolloutView) -> RolloutState:
    """Rolled back means: nobody is left on the new version by this rollout, and nobody in between."""
    if view.state is RolloutState.STOPPING:
        return RolloutState.SUPERSEDED if view.gives_way else RolloutState.ABORTED
    left = view.states() & {_U.SUCCEEDED, _U.INCONSISTENT}
    return RolloutState.FAILED if left else RolloutState.ROLLED_BACK
