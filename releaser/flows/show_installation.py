"""Installations as they stand: what is declared, and what was last seen to run."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import customers, installations, products


def show_installation(ports: Ports, *, installation: str) -> Facts:
    """One installation with its targets. Raises `InstallationNotFoundError`."""
    with ports.database.reading() as session:
        return installations.facts(installations.get(session, installation))


def list_installations(
    ports: Ports, *, product: str | None = None, customer: str | None = None, limit: int | None = None, offset: int = 0
) -> list[Facts]:
    """Installations by name, of one product or customer where named.

    Raises `ProductNotFoundError`, `CustomerNotFoundError`.
    """
    with ports.database.reading() as session:
        found = installations.everything(
            session,
            product_id=products.get(session, product).id if product else None,
            customer_id=customers.get(session, customer).id if customer else None,
            limit=limit,
            offset=offset,
        )
        return [installations.facts(row) for row in found]
