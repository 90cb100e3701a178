"""State in which version a fault was found, and whether that is the first that has it; or that nobody knows any more."""

from __future__ import annotations

from releaser.flows.find_ticket import check_key, product_of
from releaser.flows.override_status import reason_given
from releaser.flows.ports import Facts, Ports
from releaser.store import releases, stated, tickets
from releaser.store.stated import Fact, Statement


def state_found_in(
    ports: Ports,
    *,
    key: str,
    version: str | None,
    by: str,
    is_first: bool = False,
    reason: str = "",
    product: str | None = None,
) -> Facts:
    """State it; None takes back what was stated. What follows for the lines: `domain.status`.

    Raises `ReleaseNotFoundError`, `InvalidVersionError`, `TicketKeyError`, and as `product_of`.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = product_of(session, key=key, product=product)
        check_key(row, key)
        found = releases.get(session, row, version).version if version else ""
        session.add(
            Statement(
                product_id=row.id,
                ticket=key,
                fact=Fact.FOUND_IN,
                version=found,
                is_first=is_first and bool(found),
                reason=reason_given(reason) if reason.strip() else "",
                by=by,
                at=now,
            )
        )
        request = tickets.find(session, row.id, key)
        if request is not None:
            # One fact, told alike wherever the request is shown.
            request.found_in = found
        session.flush()
        return {"product": row.name, "ticket": key, **stated.facts(session, row.id, key)}
