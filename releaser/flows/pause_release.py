"""What rolls a release out goes to nobody else: its rollouts that run are paused, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.rollout import ROLLOUT_MOVES, PauseReason, RolloutState
from releaser.store import moves, rollouts
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout


def pause_release(session: Session, release: Release, *, reason: str, now: datetime, by: str) -> None:
    """Pause for good: what is at hand is finished, and whether it may go on is asked again when a person resumes it.

    Scaling goes on, for it changes no version, and so does a rehearsal.
    """
    for rollout in rollouts.of_release(session, release.id, [RolloutState.RUNNING]):
        if rolls_out(rollout):
            moves.move(
                session,
                rollout,
                RolloutState.PAUSED,
                moves=ROLLOUT_MOVES,
                now=now,
                by=by,
                reason=reason,
                paused_at=now,
                pause_reason=PauseReason.MANUAL,
            )
            rollout.reason = reason


def rolls_out(rollout: Rollout) -> bool:
    """Whether it brings its version to where that does not run: rehearsals and scaling do not."""
    options = rollout.plan.get("options") or {}
    return not rollout.rehearsal and not options.get("operation")
