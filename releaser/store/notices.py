"""Notices, their revisions, whom they touch, and the outbox of deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.domain.notice import STANDING, DeliveryKind, DeliveryState, NoticeImpact, NoticeState, NoticeTopic
from releaser.domain.target import Stop
from releaser.errors import NotFoundError
from releaser.store.base import Base, words
from releaser.store.customers import Customer
from releaser.store.installations import Installation
from releaser.store.products import Product
from releaser.store.rollouts import Rollout


class NoticeNotFoundError(NotFoundError):
    """No notice of that number."""


class Notice(Base):
    """An announcement of planned work. `uid` never changes; `revision` counts published contents from 0.

    `starts_at`/`ends_at` are planned, `started_at`/`ended_at` come from the rollout; `told_starts_at`/`told_ends_at` are what
    the revision before said, `revised_at` is when the newest was published. `reason` is why it was cancelled. `line` is the one
    whose support ends, where that is the topic.
    """

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    rollout_id: Mapped[int | None] = mapped_column(ForeignKey("rollouts.id"), index=True)
    topic: Mapped[NoticeTopic] = mapped_column(words(NoticeTopic), default=NoticeTopic.WORK)
    version: Mapped[str] = mapped_column(String(80), default="")
    line: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[NoticeState] = mapped_column(words(NoticeState), default=NoticeState.DRAFT)
    revision: Mapped[int] = mapped_column(default=0)
    impact: Mapped[NoticeImpact] = mapped_column(words(NoticeImpact))
    stop: Mapped[Stop] = mapped_column(words(Stop))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    told_starts_at: Mapped[datetime | None]
    told_ends_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    emergency_reason: Mapped[str] = mapped_column(Text, default="")
    announced_by: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    announced_at: Mapped[datetime | None]
    revised_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    rollout: Mapped[Rollout | None] = relationship(lazy="select")
    touched: Mapped[list[NoticeInstallation]] = relationship(
        back_populates="notice", order_by="NoticeInstallation.id", cascade="all, delete-orphan"
    )
    texts: Mapped[list[NoticeText]] = relationship(
        back_populates="notice", order_by="NoticeText.id", cascade="all, delete-orphan"
    )


class NoticeInstallation(Base):
    """One installation a notice is about: what stops there, for how long as planned, and as measured.

    `revision` is the one that told of it as it stands here, None while none has; `dropped` is no longer touched. `started_at` is when
    the work began there.
    """

    __tablename__ = "notice_installations"
    __table_args__ = (UniqueConstraint("notice_id", "installation_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    stop: Mapped[Stop] = mapped_column(words(Stop))
    modules: Mapped[list[str]]
    planned_stop_s: Mapped[float]
    revision: Mapped[int | None]
    dropped: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime | None]
    measured_stop_s: Mapped[float | None]
    outcome: Mapped[str] = mapped_column(String(40), default="")

    notice: Mapped[Notice] = relationship(back_populates="touched")
    installation: Mapped[Installation] = relationship(lazy="joined", innerjoin=True)


class NoticeText(Base):
    """What a revision says, in one language."""

    __tablename__ = "notice_texts"
    __table_args__ = (UniqueConstraint("notice_id", "revision", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    revision: Mapped[int]
    language: Mapped[str] = mapped_column(String(8))
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)

    notice: Mapped[Notice] = relationship(back_populates="texts")


class Delivery(Base):
    """One recipient, one channel, one revision, one kind: a row of the outbox, written with the change it tells of.

    Recipients are a snapshot of the contacts at announcement. `message_id` is the id by which a receiver can drop repeats.
    `attempts_before` were made before the last replay.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("notice_id", "revision", "kind", "channel", "customer_id", "address"),
        Index("ix_deliveries_state_due", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    revision: Mapped[int]
    kind: Mapped[DeliveryKind] = mapped_column(words(DeliveryKind))
    channel: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(8))
    zone: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[DeliveryState] = mapped_column(words(DeliveryState), default=DeliveryState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    attempts_before: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_owner: Mapped[str] = mapped_column(String(120), default="")
    lease_until_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    queued_at: Mapped[datetime]
    error: Mapped[str] = mapped_column(Text, default="")

    notice: Mapped[Notice] = relationship(lazy="joined", innerjoin=True)
    customer: Mapped[Customer] = relationship(lazy="joined", innerjoin=True)


def get(session: Session, notice_id: int) -> Notice:
    """The notice of that number. Raises `NoticeNotFoundError`."""
    notice = session.get(Notice, notice_id)
    if notice is None:
        raise NoticeNotFoundError(f"There is no notice {notice_id}.", advice="See `releaser notice list`.")
    return notice


def newest(session: Session, *, limit: int = 50, offset: int = 0) -> Sequence[Notice]:
    """Notices by planned start, latest first."""
    query = select(Notice).order_by(Notice.starts_at.desc(), Notice.id.desc()).limit(limit).offset(offset)
    return session.scalars(query).unique().all()


def of_rollout(session: Session, rollout_id: int) -> Sequence[Notice]:
    """The notices drafted for a rollout, oldest first."""
    return session.scalars(select(Notice).where(Notice.rollout_id == rollout_id).order_by(Notice.id)).unique().all()


def of_line(session: Session, product_id: int, line: str) -> Notice | None:
    """The notice that tells of the end of a line's support and stands, or None."""
    query = select(Notice).where(
        Notice.product_id == product_id,
        Notice.topic == NoticeTopic.SUPPORT_END,
        Notice.line == line,
        Notice.state.in_(STANDING),
    )
    return session.scalars(query).unique().one_or_none()


def not_begun(session: Session, notice_id: int, installation_ids: Collection[int]) -> Sequence[NoticeInstallation]:
    """What a notice says of those installations, where the work has not begun yet."""
    query = (
        select(NoticeInstallation)
        .where(
            NoticeInstallation.notice_id == notice_id,
            NoticeInstallation.installation_id.in_(installation_ids),
            NoticeInstallation.started_at.is_(None),
            NoticeInstallation.dropped.is_(False),
        )
        .order_by(NoticeInstallation.id)
    )
    return session.scalars(query).unique().all()


def begun_at(session: Session, notice_id: int, customer_ids: Collection[int]) -> set[int]:
    """Those of the customers where the work has begun somewhere."""
    query = (
        select(Installation.customer_id)
        .join(NoticeInstallation, NoticeInstallation.installation_id == Installation.id)
        .where(
            NoticeInstallation.notice_id == notice_id,
            NoticeInstallation.started_at.is_not(None),
            Installation.customer_id.in_(customer_ids),
        )
    )
    return set(session.scalars(query))


def deliveries(session: Session, notice_id: int) -> Sequence[Delivery]:
    """The ledger of a notice: every delivery, in the order of writing."""
    return session.scalars(select(Delivery).where(Delivery.notice_id == notice_id).order_by(Delivery.id)).unique().all()


def texts(notice: Notice) -> dict[str, NoticeText]:
    """Language -> the text in force: of the newest revision that wrote one."""
    return {text.language: text for text in sorted(notice.texts, key=lambda text: text.revision)}


def facts(notice: Notice) -> dict[str, Any]:
    """A notice as plain data: the one shape that commands and the API show."""
    return {
        "id": notice.id,
        "uid": notice.uid,
        "product": notice.product.name,
        "topic": notice.topic.value,
        "version": notice.version or None,
        "line": notice.line or None,
        "rollout": notice.rollout_id,
        "state": notice.state.value,
        "revision": notice.revision,
        "impact": notice.impact.value,
        "stop": notice.stop.value,
        "starts_at": notice.starts_at,
        "ends_at": notice.ends_at,
        "announced_at": notice.announced_at,
        "revised_at": notice.revised_at,
        "started_at": notice.started_at,
        "ended_at": notice.ended_at,
        "reason": notice.reason,
        "emergency_reason": notice.emergency_reason,
        "installations": [
            {
                "installation": t.installation.name,
                "customer": t.installation.customer.name,
                "stop": t.stop.value,
                "modules": t.modules,
                "planned_stop_s": t.planned_stop_s,
                "measured_stop_s": t.measured_stop_s,
                "outcome": t.outcome,
                "told": t.revision is not None,
            }
            for t in notice.touched
            if not t.dropped
        ],
        "texts": [{"language": t.language, "subject": t.subject, "body": t.body} for t in texts(notice).values()],
    }
