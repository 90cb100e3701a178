"""Freezes of updates and who overrode them for which rollout. The freezes before release trains are in `store.freezes`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.update_freeze import FreezeScope, UpdateFreeze
from releaser.errors import NotFoundError
from releaser.store.base import Base, words


class UpdateFreezeNotFoundError(NotFoundError):
    """There is no freeze of updates of that number."""


class UpdateFreezeRow(Base):
    """A time in which nothing is cut over. `name` is that of the product, customer or installation; of all, empty."""

    __tablename__ = "update_freezes"

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[FreezeScope] = mapped_column(words(FreezeScope))
    name: Mapped[str] = mapped_column(String(80), default="")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(200))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(String(200), default="")
    lift_reason: Mapped[str] = mapped_column(Text, default="")


class FreezeOverride(Base):
    """Leave for one rollout to cut over in spite of one freeze. Never changed."""

    __tablename__ = "freeze_overrides"
    __table_args__ = (UniqueConstraint("rollout_id", "freeze_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    freeze_id: Mapped[int] = mapped_column(ForeignKey("update_freezes.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)


def get(session: Session, freeze_id: int) -> UpdateFreezeRow:
    """The freeze of that number. Raises `UpdateFreezeNotFoundError`."""
    row = session.get(UpdateFreezeRow, freeze_id)
    if row is None:
        raise UpdateFreezeNotFoundError(
            f"There is no freeze of updates {freeze_id}.", advice="See `releaser update-freeze list`.", field="freeze"
        )
    return row


def holding(session: Session, *, now: datetime) -> list[UpdateFreeze]:
    """Every freeze that holds at `now`, wherever."""
    query = select(UpdateFreezeRow).where(
        UpdateFreezeRow.starts_at <= now,
        UpdateFreezeRow.ends_at > now,
        or_(UpdateFreezeRow.lifted_at.is_(None), UpdateFreezeRow.lifted_at > now),
    )
    return [as_domain(row) for row in session.scalars(query)]


def overridden(session: Session, rollout_id: int) -> frozenset[int]:
    """The freezes that a rollout may disregard."""
    return frozenset(session.scalars(select(FreezeOverride.freeze_id).where(FreezeOverride.rollout_id == rollout_id)))


def overrides(session: Session, rollout_id: int) -> list[dict[str, Any]]:
    """Who let a rollout through which freeze and why, oldest first."""
    query = select(FreezeOverride).where(FreezeOverride.rollout_id == rollout_id).order_by(FreezeOverride.id)
    return [
        {"freeze": row.freeze_id, "at": row.at, "by": row.by, "reason": row.reason} for row in session.scalars(query)
    ]


def newest(session: Session, *, limit: int, offset: int = 0) -> Sequence[UpdateFreezeRow]:
    """Freezes, the last to end first."""
    query = select(UpdateFreezeRow).order_by(UpdateFreezeRow.ends_at.desc(), UpdateFreezeRow.id.desc())
    return session.scalars(query.limit(limit).offset(offset)).all()


def standing(session: Session, *, now: datetime, limit: int) -> Sequence[UpdateFreezeRow]:
    """Those that hold or will, the next to begin first."""
    query = select(UpdateFreezeRow).where(UpdateFreezeRow.ends_at > now, UpdateFreezeRow.lifted_at.is_(None))
    return session.scalars(query.order_by(UpdateFreezeRow.starts_at, UpdateFreezeRow.id).limit(limit)).all()


def over(session: Session, *, now: datetime, limit: int, offset: int = 0) -> Sequence[UpdateFreezeRow]:
    """Those that ended or were lifted, the last to end first."""
    query = select(UpdateFreezeRow).where(or_(UpdateFreezeRow.ends_at <= now, UpdateFreezeRow.lifted_at.is_not(None)))
    ended = func.coalesce(UpdateFreezeRow.lifted_at, UpdateFreezeRow.ends_at)
    return session.scalars(query.order_by(ended.desc(), UpdateFreezeRow.id.desc()).limit(limit).offset(offset)).all()


def overrides_of(session: Session, freeze_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Who let which rollouts through each of these freezes and why, oldest first."""
    found: dict[int, list[dict[str, Any]]] = {one: [] for one in freeze_ids}
    query = select(FreezeOverride).where(FreezeOverride.freeze_id.in_(freeze_ids)).order_by(FreezeOverride.id)
    for row in session.scalars(query):
        found[row.freeze_id].append({"rollout": row.rollout_id, "at": row.at, "by": row.by, "reason": row.reason})
    return found


def as_domain(row: UpdateFreezeRow) -> UpdateFreeze:
    """The freeze as its rule asks it."""
    return UpdateFreeze(
        id=row.id,
        scope=row.scope,
        name=row.name,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        lifted_at=row.lifted_at,
    )


def facts(row: UpdateFreezeRow, *, now: datetime) -> dict[str, Any]:
    """A freeze as plain data: the one shape that commands and the API show."""
    return {
        "id": row.id,
        "scope": row.scope.value,
        "name": row.name or None,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "reason": row.reason,
        "made_at": row.made_at,
        "made_by": row.made_by,
        "lifted_at": row.lifted_at,
        "lifted_by": row.lifted_by,
        "lift_reason": row.lift_reason,
        "holds": row.starts_at <= now < as_domain(row).ends(),
    }
