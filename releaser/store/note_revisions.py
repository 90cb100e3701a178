"""Every text that a note ever had, with who wrote it, when and why; never changed, and for internal readers only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.store.base import Base
from releaser.store.releases import Note


class NoteRevision(Base):
    """One text of a note. `number` counts from 1 within release, ticket, audience and language; the last one holds.

    An empty `text` kept the ticket out of the notes. `written_by` is empty for a draft made from the history.
    """

    __tablename__ = "note_revisions"
    __table_args__ = (UniqueConstraint("release_id", "ticket", "audience", "language", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    audience: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(8))
    number: Mapped[int]
    section: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    needs_action: Mapped[bool]
    written_at: Mapped[datetime]
    written_by: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")


def of_note(session: Session, note: Note) -> Sequence[NoteRevision]:
    """The revisions of one note, oldest first."""
    return session.scalars(
        select(NoteRevision)
        .where(
            NoteRevision.release_id == note.release_id,
            NoteRevision.ticket == note.ticket,
            NoteRevision.audience == note.audience,
            NoteRevision.language == note.language,
        )
        .order_by(NoteRevision.number)
    ).all()


def of_ticket(session: Session, release_id: int, ticket: str) -> Sequence[NoteRevision]:
    """Every revision of a ticket's notes in a release, by audience and language, oldest first."""
    return session.scalars(
        select(NoteRevision)
        .where(NoteRevision.release_id == release_id, NoteRevision.ticket == ticket)
        .order_by(NoteRevision.audience, NoteRevision.language, NoteRevision.number)
    ).all()


def record(session: Session, note: Note, *, number: int, reason: str) -> None:
    """Keep the note as it is now."""
    session.add(
        NoteRevision(
            release_id=note.release_id,
            ticket=note.ticket,
            audience=note.audience,
            language=note.language,
            number=number,
            section=note.section,
            text=note.text,
            needs_action=note.needs_action,
            written_at=note.written_at,
            written_by=note.written_by,
            reason=reason,
        )
    )
    session.flush()


def facts(row: NoteRevision) -> dict[str, Any]:
    """A revision as plain data."""
    return {
        "ticket": row.ticket,
        "audience": row.audience,
        "language": row.language,
        "number": row.number,
        "section": row.section,
        "text": row.text,
        "needs_action": row.needs_action,
        "written_at": row.written_at,
        "written_by": row.written_by,
        "reason": row.reason,
    }
