"""Products as they stand."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import products


def show_product(ports: Ports, *, product: str) -> Facts:
    """One product with its modules and lines. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        lines = [
            {"name": one.name, "branch": one.branch, "phase": one.phase, "supported_until_on": one.supported_until_on}
            for one in products.lines(session, row.id)
        ]
        return {**products.facts(row), "lines": lines}


def list_products(ports: Ports, *, limit: int | None = None, offset: int = 0) -> list[Facts]:
    """Products by name."""
    with ports.database.reading() as session:
        return [products.facts(row) for row in products.everything(session, limit=limit, offset=offset)]
