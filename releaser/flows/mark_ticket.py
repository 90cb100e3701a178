"""Say what a ticket is about: security, a fix, a feature. The policies and phases of lines ask it."""

from __future__ import annotations

from releaser.domain.line import TicketKind
from releaser.domain.ticket_patterns import MAX_KEY
from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.store import marks, products
from releaser.store.marks import TicketMark


class NoTicketKeyError(InvalidError):
    """The text is no key of a ticket."""


def mark_ticket(ports: Ports, *, product: str, ticket: str, kind: TicketKind | None, by: str) -> Facts:
    """Mark it, or without a kind take the mark away. The ticket need not be known yet.

    Raises `ProductNotFoundError`, `NoTicketKeyError`.
    """
    key = ticket.strip()
    if not key or len(key) > MAX_KEY:
        raise NoTicketKeyError("This is no key of a ticket.", advice="Give one such as SHOP-12.", field="ticket")
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        found = marks.find(session, row.id, key)
        unchanged = (found.kind if found else None) is kind
        if kind is None and found is not None:
            session.delete(found)
        elif kind is not None and found is None:
            session.add(TicketMark(product_id=row.id, ticket=key, kind=kind, by=by, at=now))
        elif kind is not None and found is not None and not unchanged:
            found.kind, found.by, found.at = kind, by, now
        return {
            "product": row.name,
            "ticket": key,
            "kind": kind.value if kind else None,
            "by": by,
            "at": now,
            "unchanged": unchanged,
        }
