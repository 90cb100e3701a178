"""What blocks the cuts of a product."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import blockers, products


def list_blockers(ports: Ports, *, product: str) -> list[Facts]:
    """Every blocker that stands, oldest first. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        return [{"product": row.name, **blockers.facts(one)} for one in blockers.standing(session, row.id)]
