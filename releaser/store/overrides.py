"""What people say of a ticket on a line: its status, with a reason. Kept apart from what the history says.

The table is a journal: a new word stands above the older one, a withdrawal is a word without a status. Nothing in it is ever
changed, and no collect touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.history import LineStatus
from releaser.domain.status import Override
from releaser.store.base import Base, words


class Stating(Base):
    """One word of a person on a ticket on a line; without a `status` it withdraws the one before it."""

    __tablename__ = "overrides"
    __table_args__ = (Index("ix_overrides_place", "product_id", "ticket", "line", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    line: Mapped[str] = mapped_column(String(80))
    status: Mapped[LineStatus | None] = mapped_column(words(LineStatus))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


def by_product(session: Session, product_id: int) -> dict[tuple[str, str], Override]:
    """(ticket, line) -> the override that stands there."""
    return _standing(session, select(Stating).where(Stating.product_id == product_id))


def of_ticket(session: Session, product_id: int, ticket: str) -> dict[str, Override]:
    """Line -> the override of one ticket that stands there."""
    found = _standing(session, select(Stating).where(Stating.product_id == product_id, Stating.ticket == ticket))
    return {line: override for (_, line), override in found.items()}


def _standing(session: Session, query: Select[Stating]) -> dict[tuple[str, str], Override]:
    newest = {(row.ticket, row.line): row for row in session.scalars(query.order_by(Stating.id))}
    return {
        place: Override(ticket=row.ticket, line=row.line, status=row.status, reason=row.reason, by=row.by, at=row.at)
        for place, row in newest.items()
        if row.status is not None
    }


def facts(override: Override) -> dict[str, Any]:
    """An override as plain data: the one shape that commands and the API show."""
    return {"status": override.status.value, "reason": override.reason, "by": override.by, "at": override.at}


def story(session: Session, product_id: int, ticket: str) -> list[dict[str, Any]]:
    """Everything that people ever said of a ticket on its lines, oldest first, as plain data."""
    query = select(Stating).where(Stating.product_id == product_id, Stating.ticket == ticket).order_by(Stating.id)
    rows: Sequence[Stating] = session.scalars(query).all()
    return [
        {
            "line": row.line,
            "status": row.status.value if row.status else None,
            "reason": row.reason,
            "by": row.by,
            "at": row.at,
        }
        for row in rows
    ]
