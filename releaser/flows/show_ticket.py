"""A ticket's whole thread: request, commits, versions, notes, rollouts, and the installations where its fix runs since when."""

from __future__ import annotations

from releaser.domain.changelog import Audience
from releaser.flows.find_ticket import product_of
from releaser.flows.list_plans import way_of
from releaser.flows.ports import Facts, Ports
from releaser.store import customers, embargoes, products, thread, tickets


def show_ticket(ports: Ports, *, key: str, product: str | None = None, audience: Audience = Audience.CUSTOMER) -> Facts:
    """The thread of one ticket, with the notes that `audience` may read now, and its `way` through the trains (or None).

    Raises `TicketNotFoundError`, `ProductNotFoundError`, `AmbiguousTicketError`.
    """
    with ports.database.reading() as session:
        row = product_of(session, key=key, product=product)
        facts = {**thread.show(session, row, key), "way": way_of(session, row, key, now=ports.clock.now())}
        if audience is Audience.CUSTOMER:
            is_hidden = key in embargoes.hidden(session, row.id, now=ports.clock.now())
            told = [one for one in facts["notes"] if one["audience"] == Audience.CUSTOMER and one["text"]]
            facts["notes"] = [] if is_hidden else told
        return facts


def list_tickets(
    ports: Ports, *, product: str | None = None, customer: str | None = None, limit: int = 50, offset: int = 0
) -> list[Facts]:
    """Requests, newest first. Raises `ProductNotFoundError`, `CustomerNotFoundError`."""
    with ports.database.reading() as session:
        product_id = products.get(session, product).id if product else None
        customer_id = customers.get(session, customer).id if customer else None
        found = tickets.newest(session, product_id=product_id, customer_id=customer_id, limit=limit, offset=offset)
        return [tickets.facts(ticket) for ticket in found]
