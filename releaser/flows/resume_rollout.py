"""Let a paused rollout go on."""

from __future__ import annotations

from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState
from releaser.errors import MoveConflictError
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, rollouts


def resume_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Go on; resuming a running rollout changes nothing. Raises `RolloutNotFoundError`, `MoveConflictError`."""
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.RUNNING:
            if rollout.state is not RolloutState.PAUSED:
                raise MoveConflictError(
                    f"rollout {rollout.id}", source=RolloutState.PAUSED.value, to="running", actual=rollout.state.value
                )
            moves.move(
                session,
                rollout,
                RolloutState.RUNNING,
                moves=ROLLOUT_MOVES,
                now=ports.clock.now(),
                by=by,
                reason=reason,
                pause_reason=None,
            )
        facts = rollouts.facts(rollout)
    ports.wake()
    return facts
