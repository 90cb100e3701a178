"""The targets of a rollout by pages, each with the journal of its steps."""

from __future__ import annotations

from releaser.domain.rollout import UpdateState
from releaser.flows.ports import Facts, Ports
from releaser.store import rollout_facts, rollout_view, rollouts


def list_rollout_targets(
    ports: Ports,
    *,
    rollout_id: int,
    wave: int | None = None,
    state: UpdateState | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Facts]:
    """In their order, shaped as in `show_rollout`: of a wave, in a state, or all. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        rollouts.state_of(session, rollout_id)  # of what is not there, no list is empty
        found = rollouts.updates(session, rollout_id, wave=wave, state=state, limit=limit, offset=offset)
        journals = rollout_view.steps(session, [one.id for one in found], every_attempt=True)
        return [{**rollout_facts.of_update(one), "steps": _steps(journals.get(one.id, []))} for one in found]


def _steps(journal: list[Facts]) -> list[Facts]:
    return [{name: value for name, value in step.items() if name != "update_id"} for step in journal]
