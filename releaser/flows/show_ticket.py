"""A ticket's whole thread: request, commits, versions, notes, rollouts, and the installations where its fix runs since when."""

from __future__ import annotations

from releaser.domain.changelog import Audience
from releaser.domain.embargo import Untold, untold
from releaser.flows.find_ticket import product_of
from releaser.flows.list_plans import way_of
from releaser.flows.ports import Facts, Ports
from releaser.store import customers, embargoes, products, thread, tickets


def show_ticket(
    ports: Ports,
    *,
    key: str,
    product: str | None = None,
    audience: Audience = Audience.CUSTOMER,
    told: Untold = untold,
) -> Facts:
    """The thread of one ticket, with the notes that `audience` may read now, and its `way` through the trains (or None).

    Customers read `told` in place of texts under embargo. Raises `TicketNotFoundError`, `ProductNotFoundError`, `AmbiguousTicketError`.
    """
    with ports.database.reading() as session:
        row = product_of(session, key=key, product=product)
        facts = {**thread.show(session, row, key), "way": way_of(session, row, key, now=ports.clock.now())}
        if audience is Audience.CUSTOMER:
            veil = embargoes.veil(session, row.id, now=ports.clock.now())
            written = [one for one in facts["notes"] if one["audience"] == Audience.CUSTOMER and one["text"]]
            facts["notes"] = [] if key in veil.tickets else written
            facts = veil.over(facts, told)
        return facts


def list_tickets(
    ports: Ports,
    *,
    product: str | None = None,
    customer: str | None = None,
    limit: int = 50,
    offset: int = 0,
    told: Untold | None = untold,
) -> list[Facts]:
    """Requests, newest first, with `told` in place of titles under embargo (None: for internal readers). Raises `ProductNotFoundError`, `CustomerNotFoundError`."""
    with ports.database.reading() as session:
        product_id = products.get(session, product).id if product else None
        customer_id = customers.get(session, customer).id if customer else None
        found = tickets.newest(session, product_id=product_id, customer_id=customer_id, limit=limit, offset=offset)
        now = ports.clock.now()
        veils = {one: embargoes.veil(session, one, now=now) for one in {ticket.product_id for ticket in found}}
        return [veils[ticket.product_id].over(tickets.facts(ticket), told) for ticket in found]
