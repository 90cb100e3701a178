"""What people say a ticket is about: a security fault, a fix, a feature. The policies of lines ask it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.line import TicketKind
from releaser.store.base import Base, words


class TicketMark(Base):
    """The kind of one ticket, requested here or known from the history only."""

    __tablename__ = "ticket_marks"
    __table_args__ = (UniqueConstraint("product_id", "ticket"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    kind: Mapped[TicketKind] = mapped_column(words(TicketKind))
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


def of_product(session: Session, product_id: int) -> dict[str, TicketKind]:
    """Ticket -> what people say it is about."""
    rows = session.scalars(select(TicketMark).where(TicketMark.product_id == product_id))
    return {row.ticket: row.kind for row in rows}


def find(session: Session, product_id: int, ticket: str) -> TicketMark | None:
    """The mark of one ticket."""
    query = select(TicketMark).where(TicketMark.product_id == product_id, TicketMark.ticket == ticket)
    return session.scalars(query).one_or_none()
