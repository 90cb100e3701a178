"""Who is at work where a rollout is to begin: it is waited for, or told to end at its next boundary, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState
from releaser.errors import ConflictError
from releaser.flows.finish_work import finish_work
from releaser.store import moves, rollouts
from releaser.store.plain import load
from releaser.store.rollouts import Rollout

_TAKEN_OVER = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})
ENDING = frozenset({RolloutState.STOPPING, RolloutState.ROLLING_BACK})
"""It winds down, and nothing but time is needed for its end."""


class TargetBusyError(ConflictError):
    """Another rollout is at work on a target that this one needs; it is named."""


def give_way(session: Session, rollout: Rollout, *, options: RolloutOptions, now: datetime, by: str) -> bool:
    """Whether `rollout` has to wait for others; with `supersede` those that go on begin nothing more.

    The newer one takes over from the older one, also from one that only waits to take over itself; a newer one is waited for.
    What ends anyway is let end as it would. Raises `TargetBusyError` without `supersede`.
    """
    holders, waiting = rollouts.holders(session, rollout.id), _waiting(session, rollout, now=now)
    for other in (*holders, *waiting):
        if not options.supersede:
            raise busy(other)
    for older in waiting:
        _end_before_begin(session, older, rollout, now=now, by=by)
    for holder in holders:
        if holder.superseded_by_id in {older.id for older in waiting}:
            holder.superseded_by_id, holder.reason = rollout.id, _why(rollout)
        elif holder.state in _TAKEN_OVER and holder.id < rollout.id:
            moves.move(
                session,
                holder,
                RolloutState.STOPPING,
                moves=ROLLOUT_MOVES,
                now=now,
                by=by,
                reason=_why(rollout),
                superseded_by_id=rollout.id,
                paused_at=None,
                pause_reason=None,
            )
            holder.reason = _why(rollout)
    return bool(holders)


def _waiting(session: Session, rollout: Rollout, *, now: datetime) -> list[Rollout]:
    """Older ones that would have begun, were it not for those that they take over from. What is meant for later is left to its time."""
    found = []
    for older in rollouts.older_scheduled(session, rollout.id):
        options = load(RolloutOptions, older.plan["options"])
        if options.supersede and (options.starts_at is None or options.starts_at <= now):
            found.append(older)
    return found


def _end_before_begin(session: Session, older: Rollout, rollout: Rollout, *, now: datetime, by: str) -> None:
    why = _why(rollout)
    moves.move(
        session,
        older,
        RolloutState.SUPERSEDED,
        moves=ROLLOUT_MOVES,
        now=now,
        by=by,
        reason=why,
        superseded_by_id=rollout.id,
        finished_at=now,
    )
    finish_work(session, rollout=older, now=now)
    older.reason = why


def _why(rollout: Rollout) -> str:
    return f"superseded by rollout {rollout.id} of {rollout.release.version}"


def busy(rollout: Rollout) -> TargetBusyError:
    """Names who is at work on a target, or is to be."""
    is_scheduled = rollout.state is RolloutState.SCHEDULED
    does = "is to begin there" if is_scheduled else "is at work there"
    take_over = "" if is_scheduled else " A newer one takes over with --supersede."
    end_it = f"Wait for it, or stop it: releaser rollout abort {rollout.id}."
    if rollout.state in ENDING:
        end_it = f"It ends by itself: wait for that (releaser rollout show {rollout.id}), then ask again."
    return TargetBusyError(
        f"Rollout {rollout.id} of {rollout.product.name} {rollout.release.version} {does} "
        f"({rollout.state.value}, started by {rollout.created_by or 'unknown'}).",
        advice=f"{end_it}{take_over}",
        rollout=rollout.id,
    )
