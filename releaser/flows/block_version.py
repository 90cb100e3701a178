"""A version that a rollout has to roll back is blocked for its line, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.advance import SAYS_NOTHING
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.flows.pause_release import pause_release
from releaser.store import blocks
from releaser.store.blocks import Block
from releaser.store.rollouts import Rollout, TargetUpdate

_TURNED_BACK = frozenset({RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.FAILED})
_LONGEST = 2000


def block_version(session: Session, rollout: Rollout, *, now: datetime, ill: str = "") -> None:
    """Block the version of a rollout that turns back behind a cutover, could not, or where it fell `ill` while it was watched. Repeatable.

    It is blocked as soon as the rollout turns, whatever a person makes of that then, and other rollouts of it that run are paused.

    What could only not be prepared (a registry that is down, a full disk) says nothing of the version, nor does what says so
    itself (`SAYS_NOTHING`: a service that somebody changed by hand, an address that never answered), and a person who aborts
    says so by a reason of their own: neither blocks. Nor does scaling that fails: the version runs there as before.
    """
    if not ill and rollout.state not in _TURNED_BACK:
        return
    there = blocks.standing(session, rollout.release_id)
    if there is not None:
        _could_not(session, rollout, there)
        return
    failed = _failed(session, rollout, UpdateState.ROLLING_BACK, UpdateState.ROLLED_BACK, UpdateState.INCONSISTENT)
    why = ill or (_told(failed) if failed is not None else "")
    if why and not (rollout.plan.get("options") or {}).get("operation"):
        release, reason = rollout.release, _reason(rollout, why)
        session.add(Block(release_id=release.id, line=release.line, rollout_id=rollout.id, reason=reason, at=now))
        session.flush()
        told = f"{release.version} was blocked: {reason}"[:_LONGEST]
        pause_release(session, release, reason=told, now=now, by="releaser")


def _could_not(session: Session, rollout: Rollout, block: Block) -> None:
    """What was being turned back when its version was blocked for it may not have come there."""
    lost = _failed(session, rollout, UpdateState.INCONSISTENT)
    if lost is not None and block.reason.startswith(f"rollout {rollout.id} {_turned_back_at(lost)}"):
        block.reason = _reason(rollout, _told(lost))


def _failed(session: Session, rollout: Rollout, *states: UpdateState) -> TargetUpdate | None:
    """What failed behind its cutover, the first of them; None where nothing did."""
    return session.scalars(
        select(TargetUpdate)
        .where(
            TargetUpdate.rollout_id == rollout.id,
            TargetUpdate.cut_over,
            TargetUpdate.state.in_(states),
            TargetUpdate.reason.not_like(f"%{SAYS_NOTHING}%"),
        )
        .order_by(TargetUpdate.finished_at.nulls_last(), TargetUpdate.position)
        .limit(1)
    ).first()


def _turned_back_at(failed: TargetUpdate) -> str:
    return f"was turned back at {failed.target.installation.name}"


def _told(failed: TargetUpdate) -> str:
    if failed.state is UpdateState.INCONSISTENT:
        return f"failed at {failed.target.installation.name}, where it could not be turned back: {failed.reason}"
    return f"{_turned_back_at(failed)}: {failed.reason}"


def _reason(rollout: Rollout, why: str) -> str:
    return f"rollout {rollout.id} {why}"[:_LONGEST].rstrip(": ")
