"""Products as they stand."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import alarms, lines, products


def show_product(ports: Ports, *, product: str) -> Facts:
    """One product with its modules, its lines, newest number first, and alarms of its tags. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        standing = lines.standing(session, row, now=ports.clock.now())
        return {
            **products.facts(row),
            "lines": [lines.facts(one) for one in standing.values()],
            "alarms": [alarms.facts(one) for one in alarms.standing(session, row.id)],
        }


def list_products(ports: Ports, *, limit: int | None = None, offset: int = 0) -> list[Facts]:
    """Products by name."""
    with ports.database.reading() as session:
        return [products.facts(row) for row in products.everything(session, limit=limit, offset=offset)]
