"""Abort a rollout: what has not been committed is undone, what has been stays, nothing more is started."""

from __future__ import annotations

from releaser.domain.rollout import NOT_BEGUN, ROLLOUT_MOVES, RolloutState
from releaser.flows.finish_work import finish_work
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, rollout_facts, rollouts


def abort_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Abort; one that has not begun ends at once, one under way winds down first, also one that gives way to another.

    Aborting an aborted rollout changes nothing. Raises `RolloutNotFoundError`, `MoveConflictError`.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state not in {RolloutState.STOPPING, RolloutState.ABORTED}:
            begun = rollout.state not in NOT_BEGUN
            to = RolloutState.STOPPING if begun else RolloutState.ABORTED
            ended = {"paused_at": None, "pause_reason": None} if begun else {"finished_at": now}
            rollout.reason = reason  # what kept it until now is over, and nothing for customers
            moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by=by, reason=reason, **ended)
            if not begun:
                finish_work(session, rollout=rollout, now=now)
        elif rollout.state is RolloutState.STOPPING and rollout.superseded_by_id is not None:
            # It only began nothing more; now what is not committed is undone as well, and the other one waits for that.
            rollout.superseded_by_id, rollout.reason = None, reason
            state = RolloutState.STOPPING.value
            moves.record(session, rollout, source=state, to=state, now=now, by=by, reason=reason)
        facts = rollout_facts.of_rollout(rollout)
    ports.wake()
    return facts
