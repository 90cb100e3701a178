"""Take in a request: a key, a title, and where known the customer who asks and the version it was seen on."""

from __future__ import annotations

from releaser.domain.request import TicketState
from releaser.domain.version import parse
from releaser.errors import ConflictError, InvalidError
from releaser.flows.find_ticket import check_key
from releaser.flows.ports import Facts, Ports
from releaser.store import customers, moves, products, tickets
from releaser.store.tickets import Ticket

MAX_TITLE = 500


class TicketExistsError(ConflictError):
    """There is a request with this key already."""


def add_ticket(
    ports: Ports,
    *,
    product: str,
    key: str,
    title: str,
    by: str,
    customer: str | None = None,
    found_in: str | None = None,
) -> Facts:
    """Add a request. Raises `TicketKeyError`, `TicketExistsError`, `InvalidVersionError`, `InvalidError`, `NotFoundError`."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        check_key(row, key)
        if not title.strip() or len(title) > MAX_TITLE:
            raise InvalidError(f"A request needs a title of 1 to {MAX_TITLE} characters.", field="title")
        if tickets.find(session, row.id, key) is not None:
            raise TicketExistsError(
                f"Product '{product}' has a request {key} already.", advice=f"See `releaser ticket show {key}`."
            )
        ticket = Ticket(
            product_id=row.id,
            key=key,
            title=" ".join(title.split()),
            customer_id=customers.get(session, customer).id if customer else None,
            found_in=parse(found_in, scheme=row.scheme).text if found_in else "",
            state=TicketState.NEW,
            opened_at=now,
        )
        session.add(ticket)
        session.flush()
        moves.record(session, ticket, source="", to=TicketState.NEW.value, now=now, by=by)
        session.refresh(ticket)
        facts = tickets.facts(ticket)
    ports.wake()
    return facts
