"""Customers as they stand."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import customers, installations


def show_customer(ports: Ports, *, customer: str) -> Facts:
    """One customer with the names of its installations. Raises `CustomerNotFoundError`."""
    with ports.database.reading() as session:
        row = customers.get(session, customer)
        names = [one.name for one in installations.everything(session, customer_id=row.id)]
        return {**customers.facts(row), "installations": names}


def list_customers(ports: Ports, *, limit: int | None = None, offset: int = 0) -> list[Facts]:
    """Customers by name."""
    with ports.database.reading() as session:
        return [customers.facts(row) for row in customers.everyone(session, limit=limit, offset=offset)]
