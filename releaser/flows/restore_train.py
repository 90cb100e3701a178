"""Take back what was decided of a train: it leaves by the rhythm and the calendar again."""

from __future__ import annotations

from releaser.domain.train import Because, Decision, TrainState
from releaser.flows.find_train import decide, reason_given, timetable_of, unchanged
from releaser.flows.ports import Facts, Ports
from releaser.store import products


def restore_train(ports: Ports, *, product: str, train: str, reason: str, by: str) -> Facts:
    """Restore it. Tickets that were carried over from it stay where they are. Raises as `shift_train`."""
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=now)
        found = table.named(train)
        if found.because is not Because.PERSON:
            return unchanged(row, table, found)
        decision = Decision(state=TrainState.SCHEDULED, by=by, reason=why, at=now)
        facts = decide(session, row, table, found, decision)
    ports.wake()
    return facts
