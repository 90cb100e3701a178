"""Which processes look at the rows: each says so every few seconds, and takes its row away when it ends in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.store.base import Base

FORGOTTEN_AFTER = timedelta(days=1)
SILENT_AFTER = timedelta(seconds=20)
"""Who says every five seconds that it looks, and did not for so long, does not look."""


class WorkerRow(Base):
    """A process that works. `owner` is its name in leases, `numbers` what the queue calls it (empty without one)."""

    __tablename__ = "workers"

    owner: Mapped[str] = mapped_column(String(120), primary_key=True)
    engine: Mapped[str] = mapped_column(String(40))
    numbers: Mapped[list[int]]
    started_at: Mapped[datetime]
    looked_at: Mapped[datetime]


def note(session: Session, owner: str, *, engine: str, numbers: Sequence[int], now: datetime) -> None:
    """This process looks now; who has been silent for a day is forgotten."""
    session.execute(delete(WorkerRow).where(WorkerRow.looked_at < now - FORGOTTEN_AFTER, WorkerRow.owner != owner))
    row = session.get(WorkerRow, owner)
    if row is None:
        row = WorkerRow(owner=owner, started_at=now)
        session.add(row)
    row.engine, row.numbers, row.looked_at = engine, list(numbers), now


def leave(session: Session, owner: str) -> None:
    """This process, or a dead one, looks no more."""
    session.execute(delete(WorkerRow).where(WorkerRow.owner == owner))


def everyone(session: Session) -> Sequence[WorkerRow]:
    """Who said that they look, the last first."""
    return session.scalars(select(WorkerRow).order_by(WorkerRow.looked_at.desc())).all()


def numbers(session: Session, owners: Sequence[str]) -> list[int]:
    """What the queue calls these processes."""
    return [n for told in session.scalars(select(WorkerRow.numbers).where(WorkerRow.owner.in_(owners))) for n in told]


def facts(session: Session, *, now: datetime) -> dict[str, Any]:
    """Who looks as plain data: `working` (how many), `engine` (theirs, or that of the last), `looked_s` since the last look.

    `engine` and `looked_s` are None when nobody ever looked, or everybody ended in order.
    """
    rows = everyone(session)
    if not rows:
        return {"working": 0, "engine": None, "looked_s": None}
    silent_for = max(0.0, (now - rows[0].looked_at).total_seconds())
    working = sum(row.looked_at > now - SILENT_AFTER for row in rows)
    return {"working": working, "engine": rows[0].engine, "looked_s": round(silent_for, 1)}
