"""Where branches were seen, where a person said they were, and what may land after a freeze.

A branch's head is remembered with the time from when to when it was seen, so that what was on the branch at a freeze is known
from having looked, and not from a date in a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.freeze import FreezeException, HeadSeen, Phase, PointStated
from releaser.errors import NotFoundError
from releaser.store.base import Base, words


class ExceptionNotFoundError(NotFoundError):
    """The product has no such exception."""


class SeenHead(Base):
    """A branch's newest commit, as collects found it from the first time to the last without another in between."""

    __tablename__ = "seen_heads"
    __table_args__ = (Index("ix_seen_heads_branch", "product_id", "branch", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    branch: Mapped[str] = mapped_column(Text)
    commit: Mapped[str] = mapped_column(String(64))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class StatedPoint(Base):
    """A person's word on where a branch was when a phase of a train began; the newest counts."""

    __tablename__ = "freeze_points"
    __table_args__ = (Index("ix_freeze_points_train", "product_id", "slot_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    slot_on: Mapped[date]
    phase: Mapped[Phase] = mapped_column(words(Phase))
    commit: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)


class FreezeLeave(Base):
    """An exception: leave for one ticket to land in one train after its freeze."""

    __tablename__ = "freeze_exceptions"
    __table_args__ = (Index("ix_freeze_exceptions_train", "product_id", "slot_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    slot_on: Mapped[date]
    ticket: Mapped[str] = mapped_column(String(120))
    approver: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str] = mapped_column(String(200), default="")
    revoke_reason: Mapped[str] = mapped_column(Text, default="")


def see(session: Session, product_id: int, heads: Iterable[tuple[str, str]], *, now: datetime) -> None:
    """Remember that these branches were seen at these commits; a branch seen as before only lasts longer."""
    for branch, commit in heads:
        known = session.scalars(
            select(SeenHead)
            .where(SeenHead.product_id == product_id, SeenHead.branch == branch)
            .order_by(SeenHead.id.desc())
            .limit(1)
        ).one_or_none()
        if known is not None and known.commit == commit:
            known.last_seen_at = max(known.last_seen_at, now)
        else:
            session.add(
                SeenHead(product_id=product_id, branch=branch, commit=commit, first_seen_at=now, last_seen_at=now)
            )
            session.flush()


def see_again(session: Session, product_id: int, *, since: datetime, now: datetime) -> None:
    """Remember that every branch seen at `since`, the last look that found anything new, is still where it was."""
    session.execute(
        update(SeenHead)
        .where(SeenHead.product_id == product_id, SeenHead.last_seen_at >= since, SeenHead.last_seen_at < now)
        .values(last_seen_at=now)
    )


def last_look(session: Session, product_id: int) -> datetime | None:
    """When any of the product's branches was last looked at."""
    return session.scalar(select(func.max(SeenHead.last_seen_at)).where(SeenHead.product_id == product_id))


def seen(session: Session, product_id: int, branch: str) -> list[HeadSeen]:
    """Where a branch was seen, oldest first."""
    query = select(SeenHead).where(SeenHead.product_id == product_id, SeenHead.branch == branch).order_by(SeenHead.id)
    return [
        HeadSeen(commit=row.commit, first_at=row.first_seen_at, last_at=row.last_seen_at)
        for row in session.scalars(query)
    ]


def stated(session: Session, product_id: int, slot_on: date) -> dict[Phase, PointStated]:
    """Phase -> the newest word on where the branch was when it began."""
    query = (
        select(StatedPoint)
        .where(StatedPoint.product_id == product_id, StatedPoint.slot_on == slot_on)
        .order_by(StatedPoint.id)
    )
    return {
        row.phase: PointStated(commit=row.commit, by=row.by, reason=row.reason, at=row.at)
        for row in session.scalars(query)
    }


def exceptions(session: Session, product_id: int, *, slot_on: date | None = None) -> Sequence[FreezeLeave]:
    """The exceptions of one train or of all, oldest first."""
    query = select(FreezeLeave).where(FreezeLeave.product_id == product_id).order_by(FreezeLeave.id)
    return session.scalars(query if slot_on is None else query.where(FreezeLeave.slot_on == slot_on)).all()


def exception(session: Session, product_id: int, number: int) -> FreezeLeave:
    """One exception by its number. Raises `ExceptionNotFoundError`."""
    row = session.get(FreezeLeave, number)
    if row is None or row.product_id != product_id:
        raise ExceptionNotFoundError(
            f"There is no exception {number}.", advice="See `releaser freeze show`.", field="exception"
        )
    return row


def as_domain(row: FreezeLeave) -> FreezeException:
    """The exception as the gate's rule asks it."""
    return FreezeException(
        ticket=row.ticket,
        approver=row.approver,
        reason=row.reason,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def facts(row: FreezeLeave, *, now: datetime) -> dict[str, Any]:
    """An exception as plain data: the one shape that commands and the API show."""
    return {
        "id": row.id,
        "train": row.slot_on,
        "ticket": row.ticket,
        "approver": row.approver,
        "reason": row.reason,
        "made_at": row.made_at,
        "made_by": row.made_by,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "revoked_by": row.revoked_by,
        "revoke_reason": row.revoke_reason,
        "holds": as_domain(row).holds(now),
    }
