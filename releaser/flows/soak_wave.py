"""Watch a wave whose targets have all ended: one that falls ill again before the next wave begins counts as failed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import SAYS_NOTHING
from releaser.domain.rollout import (
    ROLLOUT_MOVES,
    UPDATE_FAILED,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaveState,
)
from releaser.domain.rollout_moves import current_wave
from releaser.domain.target import Assignment, Desired, Health
from releaser.errors import MoveConflictError, ReleaserError
from releaser.flows.ask_outside import ask_outside
from releaser.flows.block_version import block_version
from releaser.flows.ports import Ports
from releaser.store import moves, other_hands, rollout_work
from releaser.store.plain import load
from releaser.store.rollouts import TargetUpdate
from releaser.targets.target import Driver

LOOK_EVERY = timedelta(seconds=5)
_LOOKS = 3
_PAUSE_S = 1.0
_AT_ONCE = 8
_NOT_UNDERSTOOD = (AttributeError, LookupError, OSError, TypeError, ValueError)
"""What an answer comes to that nobody foresaw. It is no answer: such a look is not repeated for ever either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    update: int
    installation: str
    driver: Driver
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ill:
    """Why something is ill; `answers` whether that was seen of it: a host that does not answer says nothing of the version.

    Nor does what somebody changed by hand.
    """

    why: str
    answers: bool


def is_due(ports: Ports, *, rollout_id: int) -> bool:
    """Whether the wave at hand soaks and was not looked at for a while, or not at its end yet."""
    with ports.database.reading() as session:
        return _soaking(session, rollout_id, now=ports.clock.now()) is not None


def soak_wave(ports: Ports, *, rollout_id: int) -> bool:
    """One look at every target of the wave that soaks; no transaction is open meanwhile. Returns whether there was one.

    Nobody else's work is judged: while another rollout works at a target, and once one has brought something there, it is left out.
    What does not answer well is looked at again before it counts as ill. More that are ill, or failed before, than the wave's
    threshold allows: the wave failed, the rollout goes no further, and its version is blocked, unless hosts only did not answer.
    What is on the new version stays there: its old one is put away.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        wave = _soaking(session, rollout_id, now=now)
        if wave is None:
            return False
        watched = _left_to_us(ports, session, rollout_id, wave)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        told = list(pool.map(lambda one: _illness(ports, one), watched))
    found = [
        (to, replace(one, why=f"{to.installation}: {one.why}")) for to, one in zip(watched, told, strict=True) if one
    ]
    ill = [one for _, one in found]
    try:
        with ports.database.transaction() as session:
            if not _are_as_seen(ports, session, rollout_id, wave, [to for to, _ in found]):
                return True  # somebody began to work there meanwhile: look again
            _keep(session, rollout_id, wave, ill, looked_at=now, now=ports.clock.now())
    except MoveConflictError:
        return False  # somebody paused or aborted it meanwhile
    if ill:
        ports.wake()
    return True


def _soaking(session: Session, rollout_id: int, *, now: datetime) -> int | None:
    """The number of the wave to look at now, or None."""
    rollout = rollout_work.rollout(session, rollout_id)
    if rollout is None or rollout.state is not RolloutState.RUNNING:
        return None
    wave = current_wave(rollout.waves)
    if wave is None or rollout.waves[wave] is not WaveState.SOAKING:
        return None
    looked_at, until = rollout.looked_at[wave], rollout.soak_until_at[wave]
    due = looked_at is None or now >= looked_at + LOOK_EVERY
    return wave if due or (until is not None and looked_at is not None and looked_at < until <= now) else None


def _left_to_us(ports: Ports, session: Session, rollout_id: int, wave: int) -> list[_Watched]:
    """The targets of the wave that run what it brought, with nobody else at work there."""
    ids = [row.id for row in rollout_work.updates(session, rollout_id, [UpdateState.SUCCEEDED]) if row.wave == wave]
    others = other_hands.in_other_hands(session, rollout_id)
    updates = rollout_work.updates_to_move(session, ids).values()
    return [_watched(ports, update) for update in updates if update.target_id not in others]


def _are_as_seen(ports: Ports, session: Session, rollout_id: int, wave: int, ill: Sequence[_Watched]) -> bool:
    """Whether nobody has begun to work, since they were looked at, where something was ill: it may be that."""
    left = _left_to_us(ports, session, rollout_id, wave) if ill else ()
    there = {one.update: one.assignment.generation for one in left}
    return all(there.get(one.update) == one.assignment.generation for one in ill)


def _watched(ports: Ports, update: TargetUpdate) -> _Watched:
    target = update.target
    return _Watched(
        update=update.id,
        installation=target.installation.name,
        driver=ports.drivers[target.driver],
        assignment=Assignment(
            target=f"{target.installation.name}/{target.module.name}@{target.host.name}",
            host=target.host.name,
            address=target.host.address,
            rollout=update.rollout_id,
            attempt=update.attempt,
            generation=target.generation,
            desired=load(Desired, update.desired),
            previous=load(Desired, update.previous) if update.previous else None,
        ),
    )


def _illness(ports: Ports, one: _Watched) -> _Ill | None:
    """What it suffers from, after as many looks as a moment's trouble may last; None when it is well."""
    ill: _Ill | None = None
    for look in range(_LOOKS):
        if look:
            ports.clock.sleep(_PAUSE_S)
        try:
            verdict = one.driver.verify(one.assignment, wanted=one.assignment.desired)
            verdict = ask_outside(ports, one.assignment, verdict, answered=True)
        except ReleaserError as error:
            ill = _Ill(why=error.detail, answers=False)
            continue
        except _NOT_UNDERSTOOD as error:
            ill = _Ill(why=f"the look broke off: {type(error).__name__}: {error}"[:500], answers=False)
            continue
        if verdict.health is Health.HEALTHY:
            return None
        ill = _Ill(why=verdict.reason, answers=SAYS_NOTHING not in verdict.reason)
    return ill


def _keep(
    session: Session, rollout_id: int, number: int, ill: list[_Ill], *, looked_at: datetime, now: datetime
) -> None:
    rollout = rollout_work.to_move(session, rollout_id)
    wave = rollout_work.waves_to_move(session, rollout_id)[number]
    if rollout.state is not RolloutState.RUNNING or wave.state is not WaveState.SOAKING:
        return  # somebody paused or ended it meanwhile: where it goes on it is looked at again
    wave.looked_at = looked_at
    if not ill:
        return
    threshold = rollout.threshold if wave.threshold is None else wave.threshold
    counts = rollout_work.counts(session, rollout_id).get(number, {})
    if len(ill) + sum(counts.get(state, 0) for state in UPDATE_FAILED) <= threshold:
        return
    shown = "; ".join(one.why for one in ill[:3]) + (f"; and {len(ill) - 3} more" if len(ill) > 3 else "")
    reason = f"wave {number} fell ill while it was watched: {shown}"[:2000]
    moves.move(
        session, wave, WaveState.FAILED, moves=WAVE_MOVES, now=now, by="releaser", reason=reason, finished_at=now
    )
    rollout.reason = reason
    moves.move(session, rollout, RolloutState.ROLLING_BACK, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason)
    if any(one.answers for one in ill):
        block_version(session, rollout, now=now, ill=f"went no further: {reason}")
