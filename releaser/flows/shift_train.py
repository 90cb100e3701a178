"""Let one train leave on another day: its number stays, and no other train moves."""

from __future__ import annotations

from datetime import date

from releaser.domain.train import Because, Decision, TrainState
from releaser.flows.find_train import decide, reason_given, timetable_of, unchanged
from releaser.flows.ports import Facts, Ports
from releaser.store import products


def shift_train(ports: Ports, *, product: str, train: str, on: date, reason: str, by: str) -> Facts:
    """Shift it; a skipped one runs again. The facts are the train, and the day it `was_on`.

    `train` is the day of its slot, the day it leaves, or `next`. The day need not be worked: a person says so.
    Raises `ProductNotFoundError`, `TrainNotFoundError`, `TrainOrderError`, `RefusedError` (rules `no-rhythm`, `train-left`,
    `train-in-past`), `TrainReasonMissingError`.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=now)
        found = table.named(train)
        if found.on == on and not found.skipped and found.because is not Because.NOT_KNOWN:
            return unchanged(row, table, found)
        decision = Decision(state=TrainState.SHIFTED, on=on, by=by, reason=why, at=now)
        facts = decide(session, row, table, found, decision)
    ports.wake()
    return facts
