"""How far a rollout is: its state, and how many of its targets stand how. Cheap, however large it is."""

from __future__ import annotations

from collections import Counter

from releaser.flows.ports import Facts, Ports
from releaser.store import rollout_view


def count_targets(ports: Ports, *, rollout_id: int) -> Facts:
    """`id`, `state`, and `counts`: state of a target -> how many are in it. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        state = rollout_view.head(session, rollout_id)["state"]
        counts: Counter[str] = Counter()
        for wave in rollout_view.waves(session, rollout_id):
            counts.update(wave["counts"])
    return {"id": rollout_id, "state": state, "counts": dict(counts)}
