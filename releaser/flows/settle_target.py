"""What an update that ended well settles: drift is over, a one-off pins its installation, and a rollout told to may unpin it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.operation import declared_after
from releaser.domain.plan import RolloutOptions
from releaser.domain.target import Desired
from releaser.store import drifts, pins, rollout_work
from releaser.store.plain import dump, load, load_spec
from releaser.store.rollouts import TargetUpdate


def settle_target(session: Session, update: TargetUpdate, *, made_anew: bool, now: datetime) -> None:
    """In the caller's transaction. `made_anew`: what runs was made by this update, so it is looked at afresh."""
    target = update.target
    if made_anew:
        target.configuration, target.looked_at = None, None
        if target.adopted is not None:
            target.adopted = {**target.adopted, "updated": True}
        drifts.end(session, target, drifts.SETTLED, now=now, reason=f"rollout {update.rollout_id}")
    options = load(RolloutOptions, rollout_work.options(session, update.rollout_id))
    if options.rehearse:
        return  # what is there was only looked at
    if options.operation is not None:
        made = load(Desired, update.desired).spec
        target.spec = dump(declared_after(options.operation, load_spec(target.spec), made))
    if options.one_off:
        rollout = rollout_work.to_move(session, update.rollout_id)
        pins.pin(
            session,
            target.installation,
            version=rollout.release.version,
            ticket=options.ticket,
            reason=options.reason,
            rollout=rollout.id,
            by=rollout.created_by,
            now=now,
        )
    elif options.unpin:
        rollout = rollout_work.to_move(session, update.rollout_id)
        pins.unpin(
            session, target.installation, by=rollout.created_by or "releaser", reason=f"rollout {rollout.id}", now=now
        )
