"""Keep the deadline of one target's update, in the transaction of whoever holds its lease: when it begins and when it moves on.

How long each part may take stands in `domain.time_limits`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.rollout import UpdateState
from releaser.domain.target import Assignment, Desired, Health, Step, Verdict
from releaser.domain.time_limits import extended, gate_limit, limit_of, passed_unattended, soaking_deadline
from releaser.store import rollout_work
from releaser.store.plain import load
from releaser.store.rollouts import TargetUpdate


def mind_deadline(session: Session, update: TargetUpdate, *, now: datetime) -> None:
    """Begin the time of what was moved since it was taken up."""
    _write(session, update, deadline_of(update, now=now))


def deadline_of(update: TargetUpdate, *, now: datetime) -> datetime | None:
    """The update's deadline; what queued until now, or was left by all for long, begins only now: neither uses its time up."""
    taken_up = update.deadline_at is not None and not passed_unattended(update.deadline_at, now=now)
    if taken_up or update.state is UpdateState.SOAKING:
        return update.deadline_at
    limit = limit_of(
        update.state,
        desired=load(Desired, update.desired),
        previous=load(Desired, update.previous) if update.previous else None,
        cut_over=update.cut_over,
    )
    return now + limit if limit is not None else update.deadline_at


def deadline_after(update: TargetUpdate, step: Step, *, assignment: Assignment, now: datetime) -> datetime | None:
    """Until when the next thing has to be done, now that `step` is."""
    if step.gate and update.state is UpdateState.CUTTING_OVER:
        return now + gate_limit(assignment.desired)
    limit = limit_of(update.state, desired=assignment.desired, previous=assignment.previous, cut_over=update.cut_over)
    return extended(update.deadline_at, limit=limit, step=step, now=now)


def mind_gate(session: Session, update: TargetUpdate, *, assignment: Assignment, now: datetime) -> None:
    """A gate was passed: what comes behind it has its own time."""
    limit = limit_of(update.state, desired=assignment.desired, previous=assignment.previous, cut_over=update.cut_over)
    if limit is not None:
        _write(session, update, now + limit)


def mind_soak(
    session: Session, update: TargetUpdate, *, assignment: Assignment, verdict: Verdict | None, now: datetime
) -> None:
    """While soaking, a probe that fails or a host that cannot be looked at (no verdict) starts a deadline; one that answers ends it."""
    if update.state is not UpdateState.SOAKING:
        return
    due: datetime | None = None
    if verdict is None or verdict.health is not Health.HEALTHY:
        due = soaking_deadline(assignment.desired, assignment.previous, answered=verdict is not None, now=now)
        due = min(due, update.deadline_at or due)
    _write(session, update, due)


def _write(session: Session, update: TargetUpdate, due: datetime | None) -> None:
    """Only what changes costs a statement."""
    if due != update.deadline_at:
        rollout_work.write(session, update, deadline_at=due)
