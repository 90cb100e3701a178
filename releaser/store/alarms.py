"""Alarms of tags that moved or vanished on the remote: seen by a collect, standing until a person accepts them.

Rules: a tag has at most one standing alarm. One whose tag came back to what it was stands all the same, and says so: somebody
moved it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.errors import NotFoundError
from releaser.store.base import Base
from releaser.store.products import Product
from releaser.store.releases import Release


class AlarmNotFoundError(NotFoundError):
    """No alarm of that tag stands."""


class Alarm(Base):
    """A tag is no longer what was read before: `was` and `now` are object ids, `now` is empty when it vanished.

    `version` is the release that the tag carries, empty when it carries none. `seen_at` is when a collect last looked,
    `applied_at` when the first one after the acceptance had read the tag's new meaning.
    """

    __tablename__ = "tag_alarms"
    __table_args__ = (Index("ix_tag_alarms_standing", "product_id", "accepted_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    tag: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(String(80), default="")
    was: Mapped[str] = mapped_column(String(64))
    now: Mapped[str] = mapped_column(String(64), default="")
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    applied_at: Mapped[datetime | None]


def standing(session: Session, product_id: int) -> Sequence[Alarm]:
    """The alarms nobody accepted yet, oldest first."""
    query = select(Alarm).where(Alarm.product_id == product_id, Alarm.accepted_at.is_(None)).order_by(Alarm.id)
    return session.scalars(query).all()


def everything(session: Session, product_id: int) -> Sequence[Alarm]:
    """Every alarm there ever was, oldest first."""
    return session.scalars(select(Alarm).where(Alarm.product_id == product_id).order_by(Alarm.id)).all()


def get(session: Session, product: Product, tag: str) -> Alarm:
    """The alarm of that tag that stands. Raises `AlarmNotFoundError`."""
    known = standing(session, product.id)
    found = next((alarm for alarm in known if alarm.tag == tag), None)
    if found is None:
        tags = ", ".join(alarm.tag for alarm in known[:5])
        raise AlarmNotFoundError(
            f"No alarm stands of a tag '{tag[:120]}' of product '{product.name}'.",
            advice=f"There are alarms of: {tags}."
            if tags
            else "There is none of any tag; `releaser collect` looks again.",
            field="tag",
        )
    return found


def accepted(session: Session, product_id: int) -> Sequence[Alarm]:
    """What a person accepted and no collect has applied yet."""
    unapplied = (Alarm.product_id == product_id, Alarm.accepted_at.is_not(None), Alarm.applied_at.is_(None))
    return session.scalars(select(Alarm).where(*unapplied).order_by(Alarm.id)).all()


def by_id(session: Session, alarm_id: int) -> Alarm:
    """The alarm with that id, which is known to be there."""
    return session.scalars(select(Alarm).where(Alarm.id == alarm_id)).one()


def keep(session: Session, product_id: int, found: Iterable[tuple[str, str, str]], *, now: datetime) -> None:
    """Keep what a fetch found as `(tag, was, now)`. Idempotent."""
    known = {alarm.tag: alarm for alarm in standing(session, product_id)}
    seen = {tag: (was, is_now) for tag, was, is_now in found}
    versions = _versions(session, product_id, seen.keys() - known.keys())
    for tag, (was, is_now) in seen.items():
        alarm = known.get(tag)
        if alarm is None:
            alarm = Alarm(
                product_id=product_id, tag=tag, was=was, version=versions.get(tag, ""), found_at=now, seen_at=now
            )
            session.add(alarm)
        alarm.now, alarm.seen_at = is_now, now
    for tag, alarm in known.items():
        if tag not in seen:
            alarm.now, alarm.seen_at = alarm.was, now
    session.flush()


def _versions(session: Session, product_id: int, tags: Iterable[str]) -> dict[str, str]:
    rows = session.execute(
        select(Release.tag, Release.version).where(Release.product_id == product_id, Release.tag.in_(list(tags)))
    )
    return {row.tag: row.version for row in rows}


def facts(alarm: Alarm) -> dict[str, Any]:
    """An alarm as plain data. `now` is None when the tag is gone, and equals `was` when it is back."""
    return {
        "tag": alarm.tag,
        "version": alarm.version or None,
        "was": alarm.was,
        "now": alarm.now or None,
        "found_at": alarm.found_at,
        "seen_at": alarm.seen_at,
        "accepted_at": alarm.accepted_at,
        "accepted_by": alarm.accepted_by,
        "reason": alarm.reason,
    }
