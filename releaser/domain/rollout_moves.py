"""What happens next in a whole rollout: who may prepare, cut over or must wait, when a wave ends, when the rollout stops. Pure.

`next_moves` may be asked again at any time, by any worker, after any crash: the answer depends only on its argument. What
happens next for one target is decided in `domain.advance`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from releaser.domain.rollout import (
    BEING_CUT_OVER,
    UPDATE_ENDED,
    UPDATE_FAILED,
    UPDATE_GOOD,
    PauseReason,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.time_limits import OFFLINE_FOR
from releaser.domain.waiting import DEFAULT_WAIT_FOR, Wait, is_over

_U = UpdateState
_W = WaveState
_OPEN = (_W.PENDING, _W.RUNNING, _W.SOAKING, _W.GATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One update as its rollout sees it.

    `blocked` is what its cutover would wait for now, if anything; `waits_for`, `told` and `deadline_at` are what it was found to
    wait for, in which words, and until when it may.
    """

    id: int
    wave: int
    position: int
    customer: str
    state: UpdateState
    waits_for: WaitsFor | None = None
    told: str = ""
    deadline_at: datetime | None = None
    blocked: Wait | None = None
    unchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """What is known of a rollout: its state, its waves' states by number, its members in order.

    `counts` tells how many targets of a wave are in which state. With it `members` may be only those that are being
    touched and those that could move now; without it they are everybody. `soaked` tells whether the wave at hand was watched for
    long enough (`soaks`: whether waves are watched at all), `gated` whether a person lets each next wave begin.
    `progress_at` is when one of its targets last ended, `away` since and until when each of those waits whose
    host does not answer. `put_away` tells how many of a wave are being rolled back without having failed, since a customer said no.
    A `rehearsal` only prepares. One that `gives_way` to another, and a
    `one_way` one that is stopped, let what is being cut over end by itself.
    """

    state: RolloutState
    waves: Mapping[int, WaveState]
    members: Sequence[Member]
    now: datetime | None = None
    max_parallel: int = 1
    threshold: int = 0
    counts: Mapping[int, Mapping[UpdateState, int]] | None = None
    wait_for: timedelta = DEFAULT_WAIT_FOR
    progress_at: datetime | None = None
    away: Sequence[tuple[datetime, datetime]] = ()
    put_away: Mapping[int, int] = field(default_factory=dict)
    soaks: bool = False
    soaked: bool = True
    gated: bool = False
    rehearsal: bool = False
    gives_way: bool = False
    one_way: bool = False

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


@dataclass(frozen=True, slots=True)
class UpdateMove:
    """What to record of one update: where it moves, what it waits for, how a roll-back ends, and why.

    One that waits already and shall wait for something else is moved from *waiting* to *waiting*.
    """

    id: int
    to: UpdateState
    wait: Wait | None = None
    ends_as: UpdateState | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What to record now: moves of updates, of waves, of the rollout; `pause` is why a rollout is paused.

    `begin`: it is time to begin what was scheduled. `confirm`: where nothing is to be done, somebody has to look whether that still
    holds.
    """

    updates: tuple[UpdateMove, ...] = ()
    waves: tuple[tuple[int, WaveState], ...] = ()
    rollout: RolloutState | None = None
    pause: PauseReason | None = None
    reason: str = ""
    begin: bool = False
    confirm: bool = False


def next_moves(view: RolloutView) -> Moves:
    """Everything a rollout's rules say should move now. Empty when there is nothing to do but wait."""
    if view.state is RolloutState.RUNNING:
        return _rehearsing(view) if view.rehearsal else _running(view)
    if view.state in {RolloutState.ROLLING_BACK, RolloutState.STOPPING}:
        return _winding_down(view)
    return Moves()


def current_wave(waves: Mapping[int, WaveState]) -> int | None:
    """The number of the wave at hand, None when every wave has ended."""
    return next((n for n in sorted(waves) if waves[n] in _OPEN), None)


def _running(view: RolloutView) -> Moves:
    number = current_wave(view.waves)
    if number is None:
        if _U.INCONSISTENT in view.states():
            return Moves(rollout=RolloutState.FAILED, reason="a target is inconsistent and needs a person")
        return Moves(rollout=RolloutState.SUCCEEDED, reason=_succeeded(view))
    states = view.states_of(number)
    failed = sum(states.get(state, 0) for state in {*UPDATE_FAILED, _U.ROLLING_BACK}) - view.put_away.get(number, 0)
    if failed > view.threshold:
        size = sum(states.values())
        return Moves(
            rollout=RolloutState.ROLLING_BACK,
            reason=f"{failed} of {size} targets of wave {number} failed, {view.threshold} may",
        )
    if view.waves[number] is _W.PENDING:
        return Moves(waves=((number, _W.RUNNING),))
    if not any(count for state, count in states.items() if state not in UPDATE_ENDED):
        return _wave_done(view, number)
    wave = [m for m in view.members if m.wave == number]
    if states.get(_U.PENDING, 0) or states.get(_U.PREPARING, 0):
        return Moves(updates=tuple(_admit_to_prepare(wave)))
    if view.now is not None and holds_up(view.away, now=view.now):
        return Moves()
    return Moves(updates=tuple(_admit_to_cut_over(view, wave)))


def holds_up(away: Sequence[tuple[datetime, datetime]], *, now: datetime) -> bool:
    """Whether a wave waits for hosts that fell silent while it was prepared: nothing is touched before it is known who is lost.

    Who is waited for longer (since, until) holds the others up no longer than that, but for the last look at its end.
    """
    return any(now < since + OFFLINE_FOR or now >= until for since, until in away)


def _succeeded(view: RolloutView) -> str:
    """Who failed, as many as may, and what was left as it is, because a customer said no, are part of how it ended."""
    ends = Counter[UpdateState]()
    for number in view.waves:
        ends.update(view.states_of(number))
    failed, skipped = sum(ends[state] for state in UPDATE_FAILED), ends[_U.SKIPPED]
    told = (f"{failed} failed" if failed else "", f"{skipped} skipped" if skipped else "")
    return ", ".join(filter(None, ("every wave succeeded", *told)))


def _wave_done(view: RolloutView, number: int) -> Moves:
    """Every target of the wave has ended: it is watched for a while, then a person may have to let the next one begin."""
    if view.waves[number] is _W.RUNNING and view.soaks and view.states_of(number).get(_U.SUCCEEDED, 0):
        return Moves(waves=((number, _W.SOAKING),))
    if view.waves[number] is _W.SOAKING and not view.soaked:
        return Moves()
    more = [n for n in sorted(view.waves) if n > number and view.waves[n] in _OPEN]
    if view.gated and more and view.waves[number] is not _W.GATE:
        return Moves(
            waves=((number, _W.GATE),),
            rollout=RolloutState.PAUSED,
            pause=PauseReason.GATE,
            reason=f"wave {number} is done, and somebody has to let wave {more[0]} begin",
        )
    return Moves(waves=((number, _W.SUCCEEDED),))


def _rehearsing(view: RolloutView) -> Moves:
    """Prepare wave by wave, put away what is prepared, and say at the end whether all could be."""
    number = current_wave(view.waves)
    if number is None:
        failed = sum(states.get(state, 0) for states in map(view.states_of, view.waves) for state in UPDATE_FAILED)
        if failed:
            return Moves(rollout=RolloutState.FAILED, reason=f"rehearsed: {failed} targets could not be prepared")
        return Moves(rollout=RolloutState.SUCCEEDED, reason="rehearsed: every target could be prepared")
    states = view.states_of(number)
    if view.waves[number] is _W.PENDING:
        return Moves(waves=((number, _W.RUNNING),))
    if not any(count for state, count in states.items() if state not in UPDATE_ENDED):
        failed = sum(states.get(state, 0) for state in UPDATE_FAILED)
        return Moves(waves=((number, _W.FAILED if failed else _W.SUCCEEDED),))
    wave = [m for m in view.members if m.wave == number]
    if states.get(_U.PENDING, 0) or states.get(_U.PREPARING, 0):
        return Moves(updates=tuple(_admit_to_prepare(wave)))
    return Moves(updates=tuple(UpdateMove(m.id, _U.ROLLING_BACK, ends_as=_U.SKIPPED) for m in wave if _is_ready(m)))


def _admit_to_prepare(wave: Sequence[Member]) -> Iterator[UpdateMove]:
    for m in wave:
        if m.state is not _U.PENDING:
            continue
        if m.blocked is not None and m.blocked.never and not m.unchanged:
            yield UpdateMove(m.id, _U.SKIPPED, reason=m.blocked.told)
        else:
            yield UpdateMove(m.id, _U.ALREADY_INSTALLED if m.unchanged else _U.PREPARING)


def _is_ready(m: Member) -> bool:
    """Whether it is prepared; who waits for its host is not."""
    return m.state is _U.PREPARED or (m.state is _U.WAITING and m.waits_for is not WaitsFor.OFFLINE)


def _admit_to_cut_over(view: RolloutView, wave: Sequence[Member]) -> Iterator[UpdateMove]:
    """The whole wave is prepared before its first cutover; then up to `max_parallel`, one per customer."""
    at_it = [m for m in view.members if m.state in BEING_CUT_OVER or m.state is _U.ROLLING_BACK]
    busy = {m.customer for m in at_it}
    free = view.max_parallel - len(at_it)
    for m in sorted(wave, key=lambda member: member.position):
        if not _is_ready(m):
            continue
        if m.blocked is not None and m.blocked.never:
            yield UpdateMove(m.id, _U.ROLLING_BACK, ends_as=_U.SKIPPED, reason=m.blocked.told)
        elif m.blocked is not None:
            if (move := _made_to_wait(view, m, m.blocked)) is not None:
                yield move
        elif free > 0 and m.customer not in busy:
            yield UpdateMove(m.id, _U.CUTTING_OVER)
            busy.add(m.customer)
            free -= 1


def _made_to_wait(view: RolloutView, m: Member, wait: Wait) -> UpdateMove | None:
    """Let it wait, for something else than so far, or no longer."""
    if m.state is _U.PREPARED or (m.waits_for, m.told) != (wait.what, wait.told):
        return UpdateMove(m.id, _U.WAITING, wait)
    if view.now is not None and is_over(
        wait.what, m.deadline_at, now=view.now, wait_for=view.wait_for, progress_at=view.progress_at
    ):
        return UpdateMove(
            m.id, _U.ROLLING_BACK, ends_as=_U.TIMED_OUT, reason=f"waited too long for the {wait.what.value}"
        )
    return None


def _winding_down(view: RolloutView) -> Moves:
    """Start nothing, let what is being cut over end by itself, put away what was only prepared, then end."""
    stopping = view.state is RolloutState.STOPPING and not view.gives_way and not view.one_way
    undo = {_U.PREPARING, _U.PREPARED, _U.WAITING} | (
        {_U.CUTTING_OVER, _U.VERIFYING, _U.SOAKING} if stopping else set()
    )
    moves: list[UpdateMove] = []
    for m in view.members:
        if m.state is _U.PENDING:
            moves.append(UpdateMove(m.id, _U.SKIPPED))
        elif m.state in undo:
            touched = m.state in BEING_CUT_OVER
            moves.append(UpdateMove(m.id, _U.ROLLING_BACK, ends_as=_U.ROLLED_BACK if touched else _U.SKIPPED))
    if moves or view.states() - UPDATE_ENDED:
        return Moves(updates=tuple(moves))
    waves = tuple(
        (number, _wave_end(view.states_of(number))) for number, state in sorted(view.waves.items()) if state in _OPEN
    )
    return Moves(waves=waves, rollout=_end(view))


def _wave_end(states: Mapping[UpdateState, int]) -> WaveState:
    there = {state for state, count in states.items() if count}
    if there <= {_U.SKIPPED}:
        return _W.SKIPPED
    return _W.SUCCEEDED if there <= UPDATE_GOOD else _W.FAILED


def _end(view: RolloutView) -> RolloutState:
    """Rolled back means: somebody was, nobody is left on the new version by this rollout, and nobody in between."""
    if view.state is RolloutState.STOPPING:
        return RolloutState.SUPERSEDED if view.gives_way else RolloutState.ABORTED
    states = view.states()
    left = states & {_U.SUCCEEDED, _U.INCONSISTENT}
    return RolloutState.ROLLED_BACK if _U.ROLLED_BACK in states and not left else RolloutState.FAILED
