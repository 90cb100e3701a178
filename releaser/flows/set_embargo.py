"""Keep customers from being told of a ticket until an instant, on every line and in every language; or let it go."""

from __future__ import annotations

from datetime import datetime

from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.flows.retell_ticket import retell_ticket
from releaser.flows.write_note import MAX_TICKET, check_reason
from releaser.store import embargoes, products


class InvalidEmbargoError(InvalidError):
    """The embargo cannot be kept."""


def set_embargo(ports: Ports, *, product: str, ticket: str, until: datetime | None, by: str, reason: str = "") -> Facts:
    """Set or move the embargo of a ticket; None, or an instant that has passed, ends it now.

    Files and feeds of releases that are published already are written again at once. When the time comes, that
    happens by itself. Raises `ProductNotFoundError`, `InvalidEmbargoError`, and what `retell_ticket` raises.
    """
    if not 0 < len(ticket) <= MAX_TICKET:
        raise InvalidEmbargoError("An embargo is for a ticket.", advice="Name its key.", field="ticket")
    check_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        held = embargoes.find(session, row.id, ticket)
        ends = now if until is None else until
        if until is None and (held is None or held.until <= now):
            raise InvalidEmbargoError(
                f"Ticket {ticket[:80]} is under no embargo.",
                advice=f"See `releaser note embargoes {product}`.",
                field="ticket",
            )
        is_same = held is not None and held.until == ends
        if not is_same:
            held = embargoes.put(session, row.id, ticket, until=ends, reason=reason.strip(), now=now, by=by)
        assert held is not None  # noqa: S101 -- put makes one
        facts = {"product": row.name, **embargoes.facts(held, now=now), "unchanged": is_same}
    retell_ticket(ports, product=product, ticket=ticket, by=by)
    ports.wake()
    return facts


def list_embargoes(ports: Ports, *, product: str) -> list[Facts]:
    """A product's embargoes, those that are over among them, the last to end first. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        now = ports.clock.now()
        return [embargoes.facts(one, now=now) for one in embargoes.listed(session, row.id)]
