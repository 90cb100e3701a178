"""How far a rollout is: as it stands, with how many of its targets stand how. Cheap, however large it is."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import rollout_facts, rollout_list, rollouts


def count_targets(ports: Ports, *, rollout_id: int) -> Facts:
    """As an entry of `list_rollouts`: `counts` in place of the targets. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        rollout = rollouts.head(session, rollout_id)
        planned = rollout_facts.of_plans(session, [rollout_id])[rollout_id]
        counts = rollout_list.counts(session, [rollout_id])[rollout_id]
        return {**rollout_facts.of_head(rollout, planned=planned), "counts": counts}
