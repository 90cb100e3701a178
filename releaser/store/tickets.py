"""Tickets: what customers request, by key. A key that only the history names is a ticket without a title."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.domain.request import WAITS_FOR_FIX, CloseReason, TicketState
from releaser.errors import NotFoundError
from releaser.store.base import Base, words
from releaser.store.customers import Customer
from releaser.store.products import Product


class TicketNotFoundError(NotFoundError):
    """Neither a request nor the history knows the key."""


class Ticket(Base):
    """A request of `customer` (or the vendor's own, without one), seen on version `found_in`."""

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("product_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    key: Mapped[str] = mapped_column(String(120), index=True)
    title: Mapped[str] = mapped_column(Text, default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    found_in: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[TicketState] = mapped_column(words(TicketState), default=TicketState.NEW)
    close_reason: Mapped[CloseReason | None] = mapped_column(words(CloseReason))
    opened_at: Mapped[datetime]
    solved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    customer: Mapped[Customer | None] = relationship(lazy="joined")


def find(session: Session, product_id: int, key: str) -> Ticket | None:
    """The request with that key, or None."""
    return session.scalars(select(Ticket).where(Ticket.product_id == product_id, Ticket.key == key)).one_or_none()


def by_key(session: Session, key: str) -> Sequence[Ticket]:
    """Every request with that key (keys are unique in a product, not across products)."""
    return session.scalars(select(Ticket).where(Ticket.key == key)).all()


def keys(session: Session, product_id: int) -> Sequence[str]:
    """The keys of a product's requests, oldest first."""
    return session.scalars(select(Ticket.key).where(Ticket.product_id == product_id).order_by(Ticket.id)).all()


def own_titles(session: Session, product_id: int) -> dict[str, str]:
    """Key -> title of the vendor's own requests; the title of a customer's request is that customer's alone."""
    query = select(Ticket.key, Ticket.title).where(Ticket.product_id == product_id, Ticket.customer_id.is_(None))
    return {row[0]: row[1] for row in session.execute(query)}


def waiting(session: Session) -> Sequence[Ticket]:
    """Requests of customers that wait for a fix, or were told that theirs runs; by product."""
    query = (
        select(Ticket)
        .where(Ticket.customer_id.is_not(None), Ticket.state.in_(WAITS_FOR_FIX | {TicketState.SOLUTION_PROVIDED}))
        .order_by(Ticket.product_id, Ticket.id)
    )
    return session.scalars(query).unique().all()


def closed_before(session: Session, *, product_id: int, customer_id: int, at: datetime) -> Sequence[Ticket]:
    """Requests of a customer that were closed by then since their fix ran; those withdrawn, or the same as another, do not count."""
    query = (
        select(Ticket)
        .where(
            Ticket.product_id == product_id,
            Ticket.customer_id == customer_id,
            Ticket.state == TicketState.CLOSED,
            Ticket.close_reason.in_([CloseReason.CONFIRMED, CloseReason.BY_RULE]),
            Ticket.closed_at < at,
        )
        .order_by(Ticket.id)
    )
    return session.scalars(query).unique().all()


def newest(
    session: Session,
    *,
    product_id: int | None = None,
    customer_id: int | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Sequence[Ticket]:
    """Requests, newest first, of one product or one customer where given."""
    query = select(Ticket).order_by(Ticket.id.desc()).limit(limit).offset(offset)
    if product_id is not None:
        query = query.where(Ticket.product_id == product_id)
    if customer_id is not None:
        query = query.where(Ticket.customer_id == customer_id)
    return session.scalars(query).unique().all()


def facts(ticket: Ticket) -> dict[str, Any]:
    """A request as plain data: the one shape that commands and the API show."""
    return {
        "key": ticket.key,
        "product": ticket.product.name,
        "title": ticket.title,
        "customer": ticket.customer.name if ticket.customer else None,
        "found_in": ticket.found_in or None,
        "state": ticket.state.value,
        "close_reason": ticket.close_reason.value if ticket.close_reason else None,
        "opened_at": ticket.opened_at,
        "solved_at": ticket.solved_at,
        "closed_at": ticket.closed_at,
    }
