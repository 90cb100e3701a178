"""Look at a product's branches when a phase of a train begins, and carry over what trains left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from releaser.domain.freeze import phases_of
from releaser.domain.train import Timetable
from releaser.flows.carry_over import carry_over
from releaser.flows.collect_commits import collect_commits
from releaser.flows.ports import Facts, Ports
from releaser.store import freezes, products, trains


def watched(ports: Ports) -> list[str]:
    """The products that have trains, by name."""
    with ports.database.reading() as session:
        return [row.name for row in products.everything(session) if row.first_train_on is not None]


def watch_trains(ports: Ports, *, product: str) -> Facts:
    """One tick over one product, idempotent: the facts tell whether branches were `looked_at`, and what was `carried`.

    A branch is looked at when a phase began and nobody has looked since: what is on it then landed in time. `next_at` is when
    the next phase begins, so that somebody looks right then. Raises `ProductNotFoundError`, and the errors of `collect_commits`.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        table = trains.timetable(session, row, now=now)
        last_look = freezes.last_look(session, row.id)
    begins = sorted(_begins(table)) if table is not None else []
    begun = [at for at in begins if at <= now]
    looks = bool(begun) and (last_look is None or last_look < begun[-1])
    if looks:
        collect_commits(ports, product=product)
    return {
        "product": product,
        "looked_at": looks,
        "carried": carry_over(ports, product=product),
        "next_at": next((at for at in begins if at > now), None),
    }


def _begins(table: Timetable) -> Iterator[datetime]:
    """When the phases of the trains around now begin."""
    if not table.rhythm.rules.phased:
        return
    for train in (*table.left(1), *table.coming(3)):
        phases = phases_of(train, table.rhythm)
        yield from (at for at in (phases.branch_point_at, phases.soft_freeze_at, phases.freeze_at) if at is not None)
