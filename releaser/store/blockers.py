"""Release blockers: tickets that hold the cuts of a line, of a train, or of everything, until they are fixed or a person lets go.

What does not live here: whether a ticket is fixed in what is cut (`domain.gate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.store.base import Base


class Blocker(Base):
    """One ticket that blocks: the cuts of `line`, the train of `train_on`, or, naming neither, every cut.

    Never removed: what was lifted tells when, by whom and why.
    """

    __tablename__ = "blockers"
    __table_args__ = (Index("ix_blockers_product_ticket", "product_id", "ticket"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    line: Mapped[str] = mapped_column(String(80), default="")
    train_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(String(200), default="")
    lift_reason: Mapped[str] = mapped_column(Text, default="")


def standing(session: Session, product_id: int, *, ticket: str | None = None) -> Sequence[Blocker]:
    """What blocks now, of one ticket or of all, oldest first."""
    query = select(Blocker).where(Blocker.product_id == product_id, Blocker.lifted_at.is_(None)).order_by(Blocker.id)
    return session.scalars(query if ticket is None else query.where(Blocker.ticket == ticket)).all()


def facts(blocker: Blocker) -> dict[str, Any]:
    """A blocker as plain data."""
    return {
        "ticket": blocker.ticket,
        "line": blocker.line or None,
        "train_on": blocker.train_on,
        "reason": blocker.reason,
        "by": blocker.by,
        "at": blocker.at,
        "lifted_at": blocker.lifted_at,
        "lifted_by": blocker.lifted_by,
        "lift_reason": blocker.lift_reason,
    }
