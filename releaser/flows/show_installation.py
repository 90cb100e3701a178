"""Installations as they stand: what is declared, and what was last seen to run."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import customers, drifts, installations, products


def show_installation(ports: Ports, *, installation: str) -> Facts:
    """One installation with its targets and the story of its drifts and pins. Raises `InstallationNotFoundError`."""
    with ports.database.reading() as session:
        row = installations.get(session, installation)
        return {**installations.facts(row), "story": drifts.story(session, row)}


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
