"""What blocks the cuts of a product."""

from __future__ import annotations

from releaser.domain.embargo import Untold, untold
from releaser.flows.ports import Facts, Ports
from releaser.store import blockers, embargoes, products


def list_blockers(ports: Ports, *, product: str, told: Untold | None = untold) -> list[Facts]:
    """Every blocker that stands, oldest first, with `told` in place of reasons under embargo (None: for internal readers).

    Raises `ProductNotFoundError`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        found = [{"product": row.name, **blockers.facts(one)} for one in blockers.standing(session, row.id)]
        return embargoes.veil(session, row.id, now=ports.clock.now()).over(found, told)
