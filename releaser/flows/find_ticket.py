"""Find the product that a ticket key belongs to, in the caller's transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.errors import ConflictError
from releaser.store import products, tickets
from releaser.store.products import Product
from releaser.store.thread import products_naming
from releaser.store.tickets import Ticket, TicketNotFoundError


class AmbiguousTicketError(ConflictError):
    """Several products have a ticket of that key."""


def product_of(session: Session, *, key: str, product: str | None) -> Product:
    """The product asked for, or the only one that knows the key. Raises `AmbiguousTicketError`, `NotFoundError`."""
    if product is not None:
        return products.get(session, product)
    known = products_naming(session, key)
    if not known:
        raise TicketNotFoundError(
            f"No product knows a ticket '{key[:120]}'.",
            advice="Check the key; a commit that names it counts after `releaser collect`.",
            field="key",
        )
    if len(known) > 1:
        names = [row.name for row in known]
        raise AmbiguousTicketError(
            f"The key {key} exists in several products: {', '.join(names)}.",
            advice="Name the product.",
            field="product",
            products=names,
        )
    return known[0]


def request_of(session: Session, *, key: str, product: str | None) -> Ticket:
    """The request with that key. Raises as `product_of`, and `TicketNotFoundError` when only the history names it."""
    row = product_of(session, key=key, product=product)
    ticket = tickets.find(session, row.id, key)
    if ticket is None:
        raise TicketNotFoundError(
            f"Product '{row.name}' has no request {key[:120]}.", advice="Add it: `releaser ticket add`.", field="key"
        )
    return ticket
