"""Rollouts, newest first, without their targets."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import rollout_facts, rollout_list, rollouts


def list_rollouts(ports: Ports, *, limit: int = 50, offset: int = 0) -> list[Facts]:
    """Each with `counts` in place of its targets: the state of a target -> how many are in it."""
    with ports.database.reading() as session:
        found = rollouts.newest(session, limit=limit, offset=offset)
        ids = [rollout.id for rollout in found]
        planned, counts = rollout_facts.of_plans(session, ids), rollout_list.counts(session, ids)
        return [
            {**rollout_facts.of_head(rollout, planned=planned[rollout.id]), "counts": counts[rollout.id]}
            for rollout in found
        ]
