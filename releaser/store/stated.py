"""What people state of a ticket as a whole: the version it was found in, and the one it is planned for.

Separate facts, kept as a journal: the newest word on a fact counts, an empty one takes it back. A request that came with the
version it was seen on states that by itself, as long as nobody says otherwise. What does not live here: statuses on lines
(`store.overrides`) and in which versions a fix is (`store.fixes`).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.carry import reason_from
from releaser.domain.status import FoundIn
from releaser.i18n import DEFAULT_LANGUAGE, translator
from releaser.store.base import Base, words
from releaser.store.overrides import Stating
from releaser.store.tickets import Ticket


class Fact(StrEnum):
    """What is stated."""

    FOUND_IN = "found_in"
    PLANNED_FOR = "planned_for"


class Statement(Base):
    """One word of a person on a ticket: `version` is empty when the fact is taken back.

    Where the service itself carried a ticket over, `why` is its reason as data (`domain.carry`), and `reason` is empty.
    """

    __tablename__ = "statements"
    __table_args__ = (Index("ix_statements_place", "product_id", "ticket", "fact", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    fact: Mapped[Fact] = mapped_column(words(Fact))
    version: Mapped[str] = mapped_column(String(128))
    is_first: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(default=dict)
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


def found_in(session: Session, product_id: int, *, ticket: str | None = None) -> dict[str, FoundIn]:
    """Ticket -> the version it was found in, of every ticket (or the one asked for) of which that is known."""
    seen = select(Ticket.key, Ticket.found_in, Ticket.opened_at).where(
        Ticket.product_id == product_id, Ticket.found_in != ""
    )
    if ticket is not None:
        seen = seen.where(Ticket.key == ticket)
    found = {row[0]: FoundIn(version=row[1], is_first=False, by="", at=row[2]) for row in session.execute(seen)}
    for row in _newest(session, product_id, Fact.FOUND_IN, ticket).values():
        if row.version:
            found[row.ticket] = FoundIn(version=row.version, is_first=row.is_first, by=row.by, at=row.at)
        else:
            found.pop(row.ticket, None)
    return found


def planned_for(session: Session, product_id: int, *, ticket: str | None = None) -> dict[str, str]:
    """Ticket -> the version it is planned for, of every ticket (or the one asked for) of which that is stated."""
    newest = _newest(session, product_id, Fact.PLANNED_FOR, ticket)
    return {key: row.version for key, row in newest.items() if row.version}


def _newest(session: Session, product_id: int, fact: Fact, ticket: str | None) -> dict[str, Statement]:
    query = select(Statement).where(Statement.product_id == product_id, Statement.fact == fact)
    if ticket is not None:
        query = query.where(Statement.ticket == ticket)
    return {row.ticket: row for row in session.scalars(query.order_by(Statement.id))}


def facts(session: Session, product_id: int, ticket: str) -> dict[str, Any]:
    """What is stated of one ticket, as plain data: the one shape that commands and the API show."""
    found = found_in(session, product_id, ticket=ticket).get(ticket)
    return {
        "found_in": found.version if found else None,
        "found_in_is_first": found.is_first if found else False,
        "planned_for": planned_for(session, product_id, ticket=ticket).get(ticket),
    }


def story(session: Session, product_id: int, ticket: str) -> list[dict[str, Any]]:
    """Everything that people ever stated of a ticket, oldest first, as plain data."""
    query: Select[Statement] = select(Statement).where(Statement.product_id == product_id, Statement.ticket == ticket)
    return [
        {
            "fact": row.fact.value,
            "version": row.version or None,
            "is_first": row.is_first,
            "reason": reason_from(row.why).told(translator(DEFAULT_LANGUAGE)) if row.why else row.reason,
            "why": row.why or None,
            "by": row.by,
            "at": row.at,
        }
        for row in session.scalars(query.order_by(Statement.id))
    ]


def mark(session: Session, product_id: int) -> tuple[int | None, ...]:
    """Numbers that change with every word that is said, and every request; for who keeps what was computed from them."""
    newest = [
        select(func.max(table.id)).where(table.product_id == product_id).scalar_subquery()
        for table in (Statement, Stating, Ticket)
    ]
    return tuple(session.execute(select(*newest)).one())
