"""Find the product that a ticket key belongs to, in the caller's transaction, and tell what can be no key."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from releaser.domain.ticket_patterns import MAX_KEY, TicketPatterns
from releaser.errors import ConflictError, InvalidError
from releaser.store import products, tickets
from releaser.store.products import Product
from releaser.store.thread import products_naming
from releaser.store.tickets import Ticket, TicketNotFoundError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AmbiguousTicketError(ConflictError):
    """Several products have a ticket of that key."""


class TicketKeyError(InvalidError):
    """The key can name no ticket of this product."""


def check_key(product: Product, key: str) -> None:
    """Refuse a key that the product's patterns do not find in commits: it would never meet its fix. Raises `TicketKeyError`."""
    if not key or len(key) > MAX_KEY or _CONTROL.search(key):
        raise TicketKeyError(f"{key[:MAX_KEY]!a} is no ticket key.", field="key")
    patterns = product.ticket_patterns
    if patterns and not any(found == key for _, _, found in TicketPatterns(patterns).spans(key)):
        raise TicketKeyError(
            f"{key!a} does not match the ticket keys of product '{product.name}'.",
            advice=f"They look like {' or '.join(patterns)}.",
            field="key",
        )


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
