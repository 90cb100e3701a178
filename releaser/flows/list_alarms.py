"""Tags that moved or vanished on the remote, until a person accepts them."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import alarms, products


def list_alarms(ports: Ports, *, product: str | None, accepted: bool) -> list[Facts]:
    """Alarms of one product or of all, oldest first; with those that were accepted where asked for.

    Raises `ProductNotFoundError`.
    """
    with ports.database.reading() as session:
        rows = products.everything(session) if product is None else [products.get(session, product)]
        found = alarms.everything if accepted else alarms.standing
        return [{"product": row.name, **alarms.facts(one)} for row in rows for one in found(session, row.id)]
