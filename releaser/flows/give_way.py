"""Who is at work where a rollout is to begin: it is waited for, or told to end at its next boundary, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState
from releaser.errors import ConflictError
from releaser.store import moves, rollouts
from releaser.store.rollouts import Rollout

_TAKEN_OVER = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})


class TargetBusyError(ConflictError):
    """Another rollout is at work on a target that this one needs; it is named."""


def give_way(session: Session, rollout: Rollout, *, options: RolloutOptions, now: datetime, by: str) -> bool:
    """Whether `rollout` has to wait for others; with `supersede` those that go on begin nothing more.

    What ends anyway is let end as it would. Raises `TargetBusyError` without `supersede`.
    """
    holders = rollouts.holders(session, rollout.id)
    for holder in holders:
        if not options.supersede:
            raise busy(holder)
        if holder.state in _TAKEN_OVER:
            reason = f"superseded by rollout {rollout.id} of {rollout.release.version}"
            to = RolloutState.STOPPING
            moves.move(
                session,
                holder,
                to,
                moves=ROLLOUT_MOVES,
                now=now,
                by=by,
                reason=reason,
                superseded_by_id=rollout.id,
                pause_reason=None,
            )
            holder.reason = reason
    return bool(holders)


def busy(rollout: Rollout) -> TargetBusyError:
    """Names who is at work on a target, or is to be."""
    is_scheduled = rollout.state is RolloutState.SCHEDULED
    does = "is to begin there" if is_scheduled else "is at work there"
    take_over = "" if is_scheduled else " A newer one takes over with --supersede."
    return TargetBusyError(
        f"Rollout {rollout.id} of {rollout.product.name} {rollout.release.version} {does} "
        f"({rollout.state.value}, started by {rollout.created_by or 'unknown'}).",
        advice=f"Wait for it, or stop it: releaser rollout abort {rollout.id}.{take_over}",
        rollout=rollout.id,
    )
