"""Let one train not leave at all: it gives no number, no other train moves, and what was planned for it is carried over."""

from __future__ import annotations

from releaser.domain.train import Decision, TrainState
from releaser.errors import RefusedError
from releaser.flows.carry_tickets import carry_tickets
from releaser.flows.find_train import decide, reason_given, timetable_of, unchanged
from releaser.flows.ports import Facts, Ports
from releaser.store import products


def skip_train(ports: Ports, *, product: str, train: str, reason: str, by: str) -> Facts:
    """Skip it; the facts are the train, and the tickets `carried` to the next one.

    Raises `ProductNotFoundError`, `TrainNotFoundError`, `RefusedError` (rules `no-rhythm`, `train-left`, `train-has-stable`),
    `TrainReasonMissingError`.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=now)
        found = table.named(train)
        if found.skipped:
            return {**unchanged(row, table, found), "carried": []}
        if version := table.given.get(found.slot_on):
            raise RefusedError(
                f"{version} was cut for the train of {found.slot_on}.",
                rule="train-has-stable",
                advice=f"Abandon {version} first, or shift the train.",
                field="train",
            )
        facts = decide(session, row, table, found, Decision(state=TrainState.SKIPPED, by=by, reason=why, at=now))
        carried = carry_tickets(session, row, timetable_of(session, row, now=now))
    ports.wake()
    return {**facts, "carried": carried}
