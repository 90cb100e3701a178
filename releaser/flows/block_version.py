"""A version that a rollout had to roll back is blocked for its line, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.advance import SAYS_NOTHING
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.store import blocks
from releaser.store.blocks import Block
from releaser.store.rollouts import Rollout, TargetUpdate

_TURNED_BACK = frozenset({RolloutState.ROLLED_BACK, RolloutState.FAILED})
_LONGEST = 2000


def block_version(session: Session, rollout: Rollout, *, now: datetime, ill: str = "") -> None:
    """Block the version of a rollout that turned back after a cutover, could not, or where it fell `ill` while it was watched. Repeatable.

    What could only not be prepared (a registry that is down, a full disk) says nothing of the version, nor does what says so
    itself (`SAYS_NOTHING`: a service that somebody changed by hand, an address that never answered), and a person who aborts
    says so by a reason of their own: neither blocks. Nor does scaling that fails: the version runs there as before.
    """
    if not ill and rollout.state not in _TURNED_BACK:
        return
    if blocks.standing(session, rollout.release_id) is not None:
        return
    if (rollout.plan.get("options") or {}).get("operation"):
        return
    why = ill or _turned_back(session, rollout)
    if not why:
        return
    release, reason = rollout.release, f"rollout {rollout.id} {why}"
    session.add(
        Block(
            release_id=release.id,
            line=release.line,
            rollout_id=rollout.id,
            reason=reason[:_LONGEST].rstrip(": "),
            at=now,
        )
    )
    session.flush()


def _turned_back(session: Session, rollout: Rollout) -> str:
    """Where something failed behind its cutover, whether it was rolled back or could not be, and why; empty when nowhere."""
    failed = session.scalars(
        select(TargetUpdate)
        .where(
            TargetUpdate.rollout_id == rollout.id,
            TargetUpdate.cut_over,
            TargetUpdate.state.in_((UpdateState.ROLLED_BACK, UpdateState.INCONSISTENT)),
            TargetUpdate.reason.not_like(f"%{SAYS_NOTHING}%"),
        )
        .order_by(TargetUpdate.finished_at, TargetUpdate.position)
        .limit(1)
    ).first()
    if failed is None:
        return ""
    name = failed.target.installation.name
    if failed.state is UpdateState.INCONSISTENT:
        return f"failed at {name}, where it could not be turned back: {failed.reason}"
    return f"was turned back at {name}: {failed.reason}"
