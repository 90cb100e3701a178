"""What happens next for one target's update: a pure decision over what is recorded, what was seen, and the time.

It may be asked again at any time, by any worker, after any crash: the answer depends only on its arguments. What happens
next in a whole rollout is decided in `domain.rollout_moves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from releaser.domain.rollout import BEING_CUT_OVER, UpdateState
from releaser.domain.target import Health, Phase, Step, Verdict

_U = UpdateState
_PHASE_OF = {
    _U.PREPARING: (Phase.PREPARE, _U.PREPARED),
    _U.CUTTING_OVER: (Phase.CUT_OVER, _U.VERIFYING),
    _U.COMMITTING: (Phase.COMMIT, _U.SUCCEEDED),
}
_OVER = frozenset({Health.UNHEALTHY, Health.EXITED, Health.MISSING})
MOST_REPEATS = 3
UNTOUCHED = frozenset({_U.FAILED, _U.SKIPPED, _U.TIMED_OUT})
"""How a roll-back ends that began before the cutover: what serves was never touched, whatever becomes of what was prepared."""


TRIED_AGAIN = "trying again"
"""How the remark of what goes on by itself begins, once what stands in its way is mended."""

LEFT_AS_IT_IS = "the version is not safe to roll back, so it was left as it is"
"""Part of the reason of what failed behind its cutover and is for a person, who must not bring the old one back."""

SAYS_NOTHING = "which says nothing of the version"
"""Part of the reason of what was turned back, or fell ill, for something else than its version: that one is not blocked for it."""


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
    return MoveTo(to=_U.INCONSISTENT, reason=f"{back.reason}; {LEFT_AS_IT_IS}: roll a mended version out there")


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
    """Go back step by step. However late it is, each step is tried once and each gate looked through once: that it failed must be seen."""
    upcoming = _next_of(update, Phase.ROLL_BACK)
    if isinstance(upcoming, RunStep):
        return upcoming
    look, verdict = upcoming or Look(), update.verdict
    if verdict is None:
        return look
    if upcoming is None and verdict.health is Health.HEALTHY:
        return MoveTo(to=update.ends_as, reason="the state before is back")
    if verdict.health in _OVER and update.repeats < MOST_REPEATS:
        return Repeat(reason=verdict.reason)
    if _late(update, now):
        if update.ends_as in UNTOUCHED:
            return MoveTo(to=update.ends_as, reason=f"could not be tidied up: {verdict.reason}")
        return MoveTo(to=_U.INCONSISTENT, reason=f"could not be rolled back: {verdict.reason}")
    return look
