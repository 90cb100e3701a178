"""Say by a person's word what a ticket's status on a line is; the word stands above the evidence, beside it, with its reason."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.history import LineStatus
from releaser.domain.release import CutKind
from releaser.domain.version import line_named
from releaser.errors import InvalidError, NotFoundError
from releaser.flows.find_ticket import check_key, product_of
from releaser.flows.number_cut import number_cut
from releaser.flows.ports import Facts, Ports
from releaser.store import overrides, products
from releaser.store.overrides import Stating
from releaser.store.products import Product

MAX_REASON = 2_000


class OverrideReasonMissingError(InvalidError):
    """An override, or its withdrawal, comes without a reason or with an endless one."""


class LineNotFoundError(NotFoundError):
    """The product has no such line."""


def override_status(
    ports: Ports, *, key: str, line: str, status: LineStatus, reason: str, by: str, product: str | None = None
) -> Facts:
    """Override it; the facts tell what stands now and what was `replaced`. A collect never changes it.

    The ticket need not be known yet, where `product` is named. Raises `TicketKeyError`, `LineNotFoundError`,
    `InvalidVersionError`, `OverrideReasonMissingError`, and as `product_of`.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = product_of(session, key=key, product=product)
        check_key(row, key)
        name = line_of(session, row, line)
        before = overrides.of_ticket(session, row.id, key).get(name)
        session.add(Stating(product_id=row.id, ticket=key, line=name, status=status, reason=why, by=by, at=now))
        session.flush()
        return {
            "product": row.name,
            "ticket": key,
            "line": name,
            "status": status.value,
            "reason": why,
            "by": by,
            "at": now,
            "replaced": overrides.facts(before) if before else None,
        }


def reason_given(reason: str) -> str:
    """The reason as it is kept. Raises `OverrideReasonMissingError`."""
    why = reason.strip()
    if not why or len(why) > MAX_REASON:
        raise OverrideReasonMissingError(
            f"A word against the evidence needs a reason of 1 to {MAX_REASON} characters.",
            advice="Say how you know.",
            field="reason",
        )
    return why


def line_of(session: Session, product: Product, line: str) -> str:
    """The line's name in any accepted spelling; the one that the next stable makes is spoken of before it is there.

    Raises `InvalidVersionError`, `LineNotFoundError`.
    """
    name = line_named(line, scheme=product.scheme)
    coming = number_cut(session, product, kind=CutKind.STABLE, line=None).line
    if name != coming and products.line(session, product.id, name) is None:
        known = [one.name for one in products.lines(session, product.id)[:3]]
        raise LineNotFoundError(
            f"Product '{product.name}' has no line {name}.",
            advice=f"Its newest: {', '.join(known)}." if known else f"Run `releaser collect {product.name}` first.",
            field="line",
        )
    return name
