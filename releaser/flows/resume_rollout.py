"""Let a paused rollout go on."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.release import ReleaseState
from releaser.domain.rollout import ENDED, ROLLOUT_MOVES, WAVE_MOVES, RolloutState, UpdateState, WaveState
from releaser.domain.waiting import last_moment
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.pause_release import rolls_out
from releaser.flows.ports import Facts, Ports
from releaser.flows.refuse_release import check_version
from releaser.store import moves, rollout_facts, rollout_work, rollouts
from releaser.store.rollouts import Rollout


def resume_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Go on, also past the gate behind a wave; resuming a running rollout changes nothing.

    Raises `RolloutNotFoundError`, `MoveConflictError`, `RefusedError` (the release was yanked or blocked meanwhile: rules `release-state`, `version-blocked`).
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.RUNNING:
            if rollout.state is not RolloutState.PAUSED:
                raise _not_paused(rollout)
            _check_release(session, rollout)
            paused_for = now - (rollout.paused_at or now)
            moves.move(
                session,
                rollout,
                RolloutState.RUNNING,
                moves=ROLLOUT_MOVES,
                now=now,
                by=by,
                reason=reason,
                paused_at=None,
                pause_reason=None,
            )
            rollout.reason = reason  # why it was paused holds no longer
            _go_on(session, rollout, paused_for=max(timedelta(0), paused_for), now=now, by=by)
        facts = rollout_facts.of_rollout(rollout)
    ports.wake()
    return facts


def _not_paused(rollout: Rollout) -> MoveConflictError:
    """Names what helps in the state that it is in."""
    advice = f"See where it stands: releaser rollout show {rollout.id}."
    if rollout.state is RolloutState.AWAITING_APPROVAL:
        advice = f"It waits for an approval: releaser rollout approve {rollout.id}."
    elif rollout.state in {RolloutState.PLANNED, RolloutState.SCHEDULED}:
        advice = f"It has not begun: releaser rollout show {rollout.id} tells what it waits for."
    elif rollout.state in ENDED:
        advice = f"It has ended: releaser rollout show {rollout.id} tells how, and what can be done."
    return MoveConflictError(
        f"Rollout {rollout.id}", source=rollout.state.value, to=RolloutState.RUNNING.value, advice=advice
    )


def _check_release(session: Session, rollout: Rollout) -> None:
    """That what it rolls out was neither yanked nor blocked since it was planned."""
    if not rolls_out(rollout):
        return
    release = rollout.release
    if release.state is ReleaseState.YANKED:
        raise RefusedError(
            f"{release.version} was yanked ({release.yank_reason}), so rollout {rollout.id} does not go on.",
            rule="release-state",
            advice=f"End it: releaser rollout abort {rollout.id}; then roll another version out.",
        )
    check_version(session, release)


def _go_on(session: Session, rollout: Rollout, *, paused_for: timedelta, now: datetime, by: str) -> None:
    """Deadlines of what waits and of what is watched stood still; a wave at its gate has passed it."""
    waiting = [row.id for row in rollout_work.updates(session, rollout.id, [UpdateState.WAITING])]
    progress_at = rollout_work.last_end(session, rollout.id) if waiting else None
    for update in rollout_work.updates_to_move(session, waiting).values():
        due = last_moment(
            update.waits_for, update.deadline_at, wait_for=timedelta(seconds=rollout.wait_s), progress_at=progress_at
        )
        update.deadline_at = due + paused_for if due is not None else None
    for wave in rollout.waves:
        if wave.state is WaveState.SOAKING and wave.soak_until_at is not None:
            wave.soak_until_at += paused_for
        if wave.state is WaveState.GATE:
            moves.move(session, wave, WaveState.SUCCEEDED, moves=WAVE_MOVES, now=now, by=by, finished_at=now)
