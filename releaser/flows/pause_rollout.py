"""Pause a rollout: targets being worked on are finished, none is started."""

from __future__ import annotations

from releaser.domain.rollout import ROLLOUT_MOVES, PauseReason, RolloutState
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, rollout_facts, rollouts


def pause_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Pause; pausing a paused rollout changes nothing. What waits does not grow late meanwhile. Raises `RolloutNotFoundError`, `MoveConflictError`."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.PAUSED:
            moves.move(
                session,
                rollout,
                RolloutState.PAUSED,
                moves=ROLLOUT_MOVES,
                now=now,
                by=by,
                reason=reason,
                paused_at=now,
                pause_reason=PauseReason.MANUAL,
            )
            rollout.reason = reason
        return rollout_facts.of_rollout(rollout)
