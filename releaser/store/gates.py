"""What the gate found when a release was cut, and who cut it all the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.store.base import Base


class GateRecord(Base):
    """One release's gate: its findings, and by whom and why those that held it were overridden. Never changed."""

    __tablename__ = "gate_records"

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"), unique=True)
    at: Mapped[datetime]
    findings: Mapped[list[dict[str, Any]]]
    overridden_by: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")


def of_release(session: Session, release_id: int) -> GateRecord | None:
    """The record of a release that was cut here, or None."""
    return session.scalars(select(GateRecord).where(GateRecord.release_id == release_id)).one_or_none()


def facts(record: GateRecord) -> dict[str, Any]:
    """A record as plain data."""
    return {
        "at": record.at,
        "findings": record.findings,
        "overridden_by": record.overridden_by,
        "reason": record.reason,
    }
