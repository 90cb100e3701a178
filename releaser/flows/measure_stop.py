"""Watch a service from outside while its target is cut over, so that its stop is measured where users are, not by the journal."""

from __future__ import annotations

from releaser.domain.experience import Witness
from releaser.domain.rollout import UpdateState
from releaser.domain.target import Assignment, Phase, Step
from releaser.flows.ports import Ports
from releaser.store.rollouts import TargetUpdate
from releaser.targets.watch import Seen, outside_address

_ENDS = frozenset({UpdateState.VERIFYING, UpdateState.ROLLING_BACK})


def measure_stop(ports: Ports, *, update_id: int, step: Step, assignment: Assignment) -> None:
    """Begin to watch before the first step that could stop anything. A first installation has nothing to stop."""
    if step.phase is not Phase.CUT_OVER or assignment.previous is None:
        return
    if url := outside_address(assignment):
        health = assignment.desired.spec.health
        ports.watch.begin(update_id, url, status=health.http_status, timeout_s=health.timeout_s)


def end_of_stop(ports: Ports, *, update_id: int, state: UpdateState) -> Seen | None:
    """What was seen from outside, once the gate says that what shall serve is healthy. Waits a moment for the last answer."""
    return ports.watch.end(update_id) if state in _ENDS else None


def keep_stop(update: TargetUpdate, seen: Seen | None) -> None:
    """Write down what was seen from outside instead of what the gate and the journal say."""
    if seen is not None:
        update.stopped_at, update.served_at = seen.stopped_at, seen.served_at
        update.measured_by = Witness.OUTSIDE
