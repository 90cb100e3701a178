"""Embargoes: what customers are not told of a ticket until an instant, in any language, release or line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.embargo import Veil
from releaser.store import fixes
from releaser.store.base import Base


class Embargo(Base):
    """A ticket that customers are not told of before `until`; `told_at` is when files and feeds told it afterwards.

    `try_at` is when telling it is due, or due again after it failed. An embargo that is over stays, as a fact.
    """

    __tablename__ = "embargoes"
    __table_args__ = (UniqueConstraint("product_id", "ticket"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    until: Mapped[datetime]
    try_at: Mapped[datetime | None] = mapped_column(index=True)
    told_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(200), default="")


def of_product(session: Session, product_id: int) -> dict[str, datetime]:
    """Ticket -> the instant until which it is under embargo; those that are over are among them."""
    query = select(Embargo.ticket, Embargo.until).where(Embargo.product_id == product_id)
    return {row.ticket: row.until for row in session.execute(query)}


def hidden(session: Session, product_id: int, *, now: datetime) -> frozenset[str]:
    """The tickets that customers must not be told of now."""
    query = select(Embargo.ticket).where(Embargo.product_id == product_id, Embargo.until > now)
    return frozenset(session.scalars(query))


def veil(session: Session, product_id: int, *, now: datetime) -> Veil:
    """What answers that anybody can read keep back now: the tickets, and the commits that tell of them."""
    query = select(Embargo.ticket, Embargo.until).where(Embargo.product_id == product_id, Embargo.until > now)
    tickets = {row.ticket: row.until for row in session.execute(query)}
    commits: dict[str, datetime] = {}
    for ticket, told in fixes.telling(session, product_id, tickets.keys()).items():
        for sha in told:
            commits[sha] = max(tickets[ticket], commits.get(sha, tickets[ticket]))
    return Veil(tickets=tickets, commits=commits)


def put(
    session: Session, product_id: int, ticket: str, *, until: datetime, reason: str, now: datetime, by: str
) -> Embargo:
    """Set or move a ticket's embargo. An instant that has passed lifts it."""
    row = find(session, product_id, ticket)
    if row is None:
        row = Embargo(product_id=product_id, ticket=ticket)
        session.add(row)
    row.until, row.try_at, row.told_at = until, until, None
    row.reason, row.set_at, row.set_by = reason, now, by
    session.flush()
    return row


def find(session: Session, product_id: int, ticket: str) -> Embargo | None:
    """The embargo of a ticket, over or not."""
    return session.scalars(
        select(Embargo).where(Embargo.product_id == product_id, Embargo.ticket == ticket)
    ).one_or_none()


def forget(session: Session, product_id: int, ticket: str) -> None:
    """Take an embargo back that nobody was to know of."""
    session.execute(delete(Embargo).where(Embargo.product_id == product_id, Embargo.ticket == ticket))


def listed(session: Session, product_id: int) -> Sequence[Embargo]:
    """A product's embargoes, the last to end first."""
    return session.scalars(
        select(Embargo).where(Embargo.product_id == product_id).order_by(Embargo.until.desc(), Embargo.ticket)
    ).all()


def due(session: Session, *, now: datetime, limit: int) -> Sequence[Embargo]:
    """Embargoes that are over and of which files and feeds have not told yet."""
    query = select(Embargo).where(Embargo.try_at <= now, Embargo.told_at.is_(None)).order_by(Embargo.try_at)
    return session.scalars(query.limit(limit)).all()


def facts(row: Embargo, *, now: datetime) -> dict[str, Any]:
    """An embargo as plain data."""
    return {
        "ticket": row.ticket,
        "until": row.until,
        "in_force": row.until > now,
        "reason": row.reason,
        "set_at": row.set_at,
        "set_by": row.set_by,
    }
