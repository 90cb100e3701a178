"""Measure how long a service is away: watched from outside, where users are, while its target is cut over; else by journal and gate.

A stop that follows a good look, such as that of a service which falls ill while it soaks and of its way back, is added to the one before
it: the good time in between is no stop.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.experience import Witness
from releaser.domain.rollout import UpdateState
from releaser.domain.target import Assignment, Desired, Phase, Step, Verdict
from releaser.flows.ports import Ports
from releaser.store import rollout_work
from releaser.store.rollouts import TargetUpdate
from releaser.targets.watch import Seen, outside_address

_ENDS = frozenset({UpdateState.VERIFYING, UpdateState.ROLLING_BACK})


def measure_stop(ports: Ports, *, update_id: int, step: Step, assignment: Assignment, first: bool) -> None:
    """Begin to watch before the first step that could stop anything. A first installation has nothing to stop.

    `first`: nothing of the cutover was tried before in this attempt. Later it could not be told any more what was there.
    """
    if step.phase is not Phase.CUT_OVER or assignment.previous is None or not first:
        return
    ports.watch.end(update_id)  # what an attempt left that another process ended
    if url := outside_address(assignment.desired.spec, address=assignment.address):
        health = assignment.desired.spec.health
        ports.watch.begin(update_id, url, status=health.http_status, timeout_s=health.timeout_s)


def end_of_stop(ports: Ports, *, update_id: int, state: UpdateState) -> Seen | None:
    """What was seen from outside, once the gate says that what shall serve is healthy. Waits a moment for the last answer."""
    return ports.watch.end(update_id) if state in _ENDS else None


def begin_stop(session: Session, update: TargetUpdate, *, now: datetime) -> None:
    """From now on the service is away, unless it is already; what was measured before is kept beside."""
    if not update.cut_over or (update.stopped_at is not None and update.served_at is None):
        return
    before_s = update.stopped_before_s
    if update.stopped_at is not None and update.served_at is not None:
        before_s += (update.served_at - update.stopped_at).total_seconds()
    rollout_work.write(session, update, stopped_before_s=before_s, stopped_at=now, served_at=None, measured_by=None)


def keep_stop(
    session: Session, update: TargetUpdate, *, verdict: Verdict, wanted: Desired | None, now: datetime
) -> None:
    """After a good look the service is back. What had to stay up for a while first, for want of a probe, was back at its beginning."""
    if update.stopped_at is None or update.served_at is not None:
        return
    stayed_s = wanted.spec.health.stay_up_for_s if verdict.weak and wanted is not None else 0.0
    served_at = max(update.stopped_at, now - timedelta(seconds=stayed_s))
    rollout_work.write(session, update, served_at=served_at, measured_by=Witness.GATE)


def keep_seen(session: Session, update: TargetUpdate, seen: Seen) -> None:
    """Write down what was seen from outside since the cutover began, instead of what the gate and the journal say."""
    rollout_work.write(
        session,
        update,
        stopped_before_s=0.0,
        stopped_at=seen.stopped_at,
        served_at=seen.served_at,
        measured_by=Witness.OUTSIDE,
    )
