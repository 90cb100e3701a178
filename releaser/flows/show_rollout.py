"""A rollout as it stands, with its journal and its moves."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import moves, notices, rollouts


def show_rollout(ports: Ports, *, rollout_id: int) -> Facts:
    """The facts of a rollout with `steps` per target, `moves` and `notices`. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        rollout = rollouts.get(session, rollout_id)
        facts = rollouts.facts(rollout)
        for target in facts["targets"]:
            target["steps"] = [
                {
                    "attempt": step.attempt,
                    "name": step.name,
                    "state": step.state.value,
                    "tries": step.tries,
                    "intent_at": step.intent_at,
                    "done_at": step.done_at,
                    "detail": step.detail,
                }
                for step in rollouts.steps(session, target["id"])
            ]
        facts["moves"] = [
            {"from": m.source, "to": m.to, "at": m.at, "by": m.by, "reason": m.reason}
            for m in moves.history(session, "rollouts", rollout_id)
        ]
        facts["notices"] = [notice.id for notice in notices.of_rollout(session, rollout_id)]
        return facts


def list_rollouts(ports: Ports, *, limit: int = 50, offset: int = 0) -> list[Facts]:
    """Rollouts, newest first."""
    with ports.database.reading() as session:
        return [rollouts.facts(rollout) for rollout in rollouts.newest(session, limit=limit, offset=offset)]
