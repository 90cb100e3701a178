"""The outbox: deliveries are written with the change they tell of, claimed by lease, and marked after they were sent.

Order holds per recipient and notice: a delivery waits for every earlier one to the same address about the same notice. What a
newer revision makes untrue is dropped unless it may have been sent already.

What does not live here: sending, and when to give up (flows, `domain.notice`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from releaser.domain.notice import DELIVERY_MOVES, TELLS, DeliveryKind, DeliveryState
from releaser.errors import NotFoundError
from releaser.store import moves
from releaser.store.notices import Delivery, Notice

MAIL = "email"


class DeliveryNotFoundError(NotFoundError):
    """No delivery of that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where one message goes: an address at a customer, with the reader's language and zone."""

    customer_id: int
    address: str
    language: str
    zone: str
    channel: str = MAIL


def get(session: Session, delivery_id: int) -> Delivery:
    """The delivery of that number. Raises `DeliveryNotFoundError`."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        raise DeliveryNotFoundError(f"There is no delivery {delivery_id}.", advice="See `releaser notice show`.")
    return delivery


def recipients(session: Session, notice: Notice, *, of: Collection[int] | None = None) -> list[Recipient]:
    """Whom the notice was announced to (at the customers numbered in `of`, where given), as they were then.

    Those whose part was cancelled are out.
    """
    kinds = (*TELLS, DeliveryKind.CANCELLED)
    query = select(Delivery).where(Delivery.notice_id == notice.id, Delivery.kind.in_(kinds)).order_by(Delivery.id)
    rows = session.scalars(query if of is None else query.where(Delivery.customer_id.in_(of))).unique()
    newest = {(row.channel, row.customer_id, row.address): row for row in rows}
    return [_recipient(row) for row in newest.values() if row.kind in TELLS]


def _recipient(row: Delivery) -> Recipient:
    return Recipient(
        customer_id=row.customer_id, address=row.address, language=row.language, zone=row.zone, channel=row.channel
    )


def queue(
    session: Session, notice: Notice, *, kind: DeliveryKind, to: Iterable[Recipient], now: datetime, by: str = ""
) -> list[Delivery]:
    """Write deliveries of the notice's present revision, in the caller's transaction.

    What waits for the same recipient is overtaken by it, but for a reminder. To who certainly never got an earlier one, a change is an announcement, and
    a cancellation is nothing at all.
    """
    queued = []
    for recipient in to:
        told = _supersede(session, notice, recipient, kind=kind, now=now, by=by)
        if not told and kind is DeliveryKind.CANCELLED:
            continue
        as_kind = DeliveryKind.ANNOUNCED if kind is DeliveryKind.REVISED and not told else kind
        queued.append(_delivery(notice, recipient, kind=as_kind, now=now))
    session.add_all(queued)
    session.flush()
    for delivery in queued:
        moves.record(session, delivery, source="", to=DeliveryState.QUEUED.value, now=now, by=by)
    return queued


def _delivery(notice: Notice, recipient: Recipient, *, kind: DeliveryKind, now: datetime) -> Delivery:
    return Delivery(
        notice_id=notice.id,
        customer_id=recipient.customer_id,
        revision=notice.revision,
        kind=kind,
        channel=recipient.channel,
        address=recipient.address,
        language=recipient.language,
        zone=recipient.zone,
        message_id=_message_id(notice, recipient, kind=kind),
        state=DeliveryState.QUEUED,
        due_at=now,
        queued_at=now,
    )


def _message_id(notice: Notice, recipient: Recipient, *, kind: DeliveryKind) -> str:
    """The same for a repeat, another one for everything else; it tells nobody the address."""
    to = hashlib.sha256(f"{recipient.channel}:{recipient.customer_id}:{recipient.address}".encode()).hexdigest()[:16]
    return f"{notice.uid}.{notice.revision}.{kind.value}.{to}"


def _supersede(
    session: Session, notice: Notice, recipient: Recipient, *, kind: DeliveryKind, now: datetime, by: str
) -> bool:
    """Drop what waits for this recipient: it is no longer true. Returns whether they were told, or may have been."""
    earlier = (
        session.scalars(
            select(Delivery)
            .where(
                Delivery.notice_id == notice.id,
                Delivery.channel == recipient.channel,
                Delivery.customer_id == recipient.customer_id,
                Delivery.address == recipient.address,
            )
            .order_by(Delivery.id)
            .with_for_update(of=Delivery)
        )
        .unique()
        .all()
    )
    told = False
    for row in earlier:
        told = told or row.attempts > 0 or row.state is DeliveryState.SENT
        if row.state is DeliveryState.QUEUED and kind is not DeliveryKind.REMINDED:
            moves.move(session, row, DeliveryState.SUPERSEDED, moves=DELIVERY_MOVES, now=now, by=by, reason="outdated")
    return told


def overtaken(session: Session, delivery: Delivery) -> bool:
    """Whether the same recipient is, or was, told something later about the same notice."""
    later = select(Delivery.id).where(
        Delivery.notice_id == delivery.notice_id,
        Delivery.channel == delivery.channel,
        Delivery.customer_id == delivery.customer_id,
        Delivery.address == delivery.address,
        Delivery.id > delivery.id,
        Delivery.kind != DeliveryKind.REMINDED,
    )
    return session.scalars(later.limit(1)).first() is not None


def due(session: Session, *, channels: Collection[str], now: datetime, limit: int) -> Sequence[int]:
    """Ids of the deliveries that may be claimed now, oldest first, none before its turn."""
    earlier = aliased(Delivery)
    blocked = exists().where(
        earlier.notice_id == Delivery.notice_id,
        earlier.channel == Delivery.channel,
        earlier.customer_id == Delivery.customer_id,
        earlier.address == Delivery.address,
        earlier.state == DeliveryState.QUEUED,
        earlier.id < Delivery.id,
    )
    return session.scalars(
        select(Delivery.id)
        .where(
            Delivery.state == DeliveryState.QUEUED,
            Delivery.due_at <= now,
            Delivery.channel.in_(channels),
            or_(Delivery.lease_until_at.is_(None), Delivery.lease_until_at < now),
            ~blocked,
        )
        .order_by(Delivery.id)
        .limit(limit)
    ).all()


def claim(session: Session, delivery_id: int, *, owner: str, now: datetime, until: datetime) -> Delivery | None:
    """Take the lease and count the attempt; None when another one was first."""
    taken = cast(
        "CursorResult[Any]",
        session.execute(
            update(Delivery)
            .where(
                Delivery.id == delivery_id,
                Delivery.state == DeliveryState.QUEUED,
                or_(Delivery.lease_until_at.is_(None), Delivery.lease_until_at < now),
            )
            .values(lease_owner=owner, lease_until_at=until, attempts=Delivery.attempts + 1)
            .execution_options(synchronize_session=False)
        ),
    )
    if taken.rowcount != 1:
        return None
    delivery = get(session, delivery_id)
    session.refresh(delivery)
    return delivery


def claimed(session: Session, delivery_id: int, *, attempt: int) -> Delivery | None:
    """The delivery again after an attempt, locked; None when it was superseded or somebody else tried since."""
    return (
        session.scalars(
            select(Delivery)
            .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.QUEUED, Delivery.attempts == attempt)
            .with_for_update(of=Delivery)
        )
        .unique()
        .one_or_none()
    )


def first_message(session: Session, delivery: Delivery) -> str:
    """The id of the first message to this recipient about this notice that was sent; empty when there is none."""
    return (
        session.scalars(
            select(Delivery.message_id)
            .where(
                Delivery.notice_id == delivery.notice_id,
                Delivery.channel == delivery.channel,
                Delivery.customer_id == delivery.customer_id,
                Delivery.address == delivery.address,
                Delivery.id < delivery.id,
                Delivery.attempts > 0,
            )
            .order_by(Delivery.id)
            .limit(1)
        ).first()
        or ""
    )


def waiting(session: Session) -> int:
    """How many deliveries have neither been sent nor given up."""
    return session.scalars(
        select(func.count()).select_from(Delivery).where(Delivery.state == DeliveryState.QUEUED)
    ).one()


def dead_letters(session: Session, *, limit: int = 50, offset: int = 0) -> Sequence[Delivery]:
    """Deliveries that were given up, newest first."""
    query = select(Delivery).where(Delivery.state == DeliveryState.GIVEN_UP).order_by(Delivery.id.desc())
    return session.scalars(query.limit(limit).offset(offset)).unique().all()
