"""Which targets of a rollout are other rollouts' by now: one works there, or brought something there since."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from releaser.domain.rollout import UpdateState
from releaser.store.rollout_work import TOUCHED
from releaser.store.rollouts import TargetUpdate

_LEFT_SOMETHING = {UpdateState.SUCCEEDED, UpdateState.INCONSISTENT}


def in_other_hands(session: Session, rollout_id: int) -> frozenset[int]:
    """Targets where the rollout's update succeeded and another's, begun later, is being cut over or left something else."""
    ours, other = TargetUpdate, aliased(TargetUpdate)
    query = (
        select(ours.target_id)
        .join(other, other.target_id == ours.target_id)
        .where(
            ours.rollout_id == rollout_id,
            ours.state == UpdateState.SUCCEEDED,
            other.rollout_id != rollout_id,
            other.generation > ours.generation,
            other.state.in_(TOUCHED | _LEFT_SOMETHING),
        )
    )
    return frozenset(session.scalars(query))
