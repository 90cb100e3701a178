"""The exceptions to a product's freezes."""

from __future__ import annotations

from releaser.domain.embargo import Untold, untold
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.store import embargoes, freezes, products


def list_exceptions(ports: Ports, *, product: str, train: str = "", told: Untold | None = untold) -> list[Facts]:
    """Every exception, the newest first, or those for one train, each with whether it still `holds`.

    `told` stands in place of reasons under embargo (None: for internal readers).
    Raises `ProductNotFoundError`; with a train also `TrainNotFoundError`, `RefusedError` (rule `no-rhythm`).
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        slot_on = timetable_of(session, row, now=now).named(train).slot_on if train else None
        found = freezes.exceptions(session, row.id, slot_on=slot_on)
        facts = [freezes.facts(one, now=now) for one in reversed(found)]
        return embargoes.veil(session, row.id, now=now).over(facts, told)
