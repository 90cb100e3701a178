"""Deliver what the outbox holds: lease, send, then mark. At least once, in order per recipient and notice.

A crash between sending and marking sends the same message again once the lease has run out, with the same id, so that the receiver
can drop the repeat. What it says is what is true when it is sent. A fault that may pass is tried again ever more slowly; one that cannot, or lasted too long, ends as a dead
letter with the error, which a person can replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.channels.channel import Attachment, Message
from releaser.domain.consent import Agreement
from releaser.domain.maintnote import as_ics
from releaser.domain.notice import (
    DELIVERY_MOVES,
    TELLS,
    DeliveryKind,
    DeliveryState,
    NoticeState,
    NoticeTopic,
    retry_after,
)
from releaser.domain.notice_text import AskedConsent, Written, write
from releaser.domain.support_text import write_support_end
from releaser.errors import OutsideError
from releaser.flows.find_consents import find_consents
from releaser.flows.ports import Ports
from releaser.store import moves, notice_views, outbox
from releaser.store.notices import Delivery

# Longer than any channel may take for one message; after a crash it is how long the repeat waits.
LEASE_FOR = timedelta(minutes=2)
BATCH = 50
_OVER = "the announced time is over, and nothing began"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """One attempt: what to send where, and which attempt it is."""

    delivery_id: int
    attempt: int
    channel: str
    message: Message


def deliver_notices(ports: Ports) -> int:
    """One tick: try everything that is due once. Returns how many were tried."""
    with ports.database.reading() as session:
        due = outbox.due(session, channels=list(ports.channels), now=ports.clock.now(), limit=BATCH)
    return sum(_deliver(ports, delivery_id) for delivery_id in due)


def _deliver(ports: Ports, delivery_id: int) -> bool:
    """Try one delivery; False when another worker has it."""
    claimed = _claim(ports, delivery_id)
    if claimed is None:
        return False
    try:
        ports.channels[claimed.channel].send(claimed.message)
    except OutsideError as error:
        _failed(ports, claimed, error)
    else:
        _sent(ports, claimed)
    return True


def _claim(ports: Ports, delivery_id: int) -> _Claimed | None:
    now = ports.clock.now()
    with ports.database.transaction() as session:
        if _is_over(waiting := outbox.get(session, delivery_id), now=now):
            _give_up(
                session, waiting, _OVER if not waiting.error else f"{_OVER}; before that: {waiting.error}", now=now
            )
            return None
        delivery = outbox.claim(session, delivery_id, owner=ports.owner, now=now, until=now + LEASE_FOR)
        if delivery is None:
            return None
        reply_to = outbox.first_message(session, delivery)
        if delivery.notice.topic is NoticeTopic.SUPPORT_END:
            told = notice_views.support_end(session, delivery, address=ports.address, now=now)
            message = _on_support(delivery, write_support_end(told, language=delivery.language), in_reply_to=reply_to)
        else:
            message = _message(ports, delivery, _consents(session, delivery), in_reply_to=reply_to)
        return _Claimed(delivery_id=delivery.id, attempt=delivery.attempts, channel=delivery.channel, message=message)


def _is_over(delivery: Delivery, *, now: datetime) -> bool:
    """Whether it would tell of work to come whose announced time is over: whoever moves that announces it anew."""
    notice = delivery.notice
    return (
        notice.topic is NoticeTopic.WORK
        and delivery.state is DeliveryState.QUEUED
        and delivery.kind in TELLS
        and notice.state is NoticeState.ANNOUNCED
        and notice.ends_at <= now
    )


def _on_support(delivery: Delivery, written: Written, *, in_reply_to: str) -> Message:
    """The end of a line's support is no work at an hour: it goes into no calendar."""
    return Message(
        message_id=delivery.message_id,
        to=delivery.address,
        subject=written.subject,
        text=written.text,
        html=written.html,
        language=delivery.language,
        written_at=delivery.queued_at,
        in_reply_to=in_reply_to,
    )


def _consents(session: Session, delivery: Delivery) -> dict[int, AskedConsent]:
    """Whom of the customer the work of the notice is agreed with, by the installation's number."""
    rollout_id = delivery.notice.rollout_id
    asked = find_consents(session, rollout_id=rollout_id) if rollout_id is not None else []
    return {
        one["installation_id"]: AskedConsent(by=one["by"], stands=Agreement(one["stands"]), who=one["who"] or "")
        for one in asked
        if one["customer"] == delivery.customer.name
    }


def _message(ports: Ports, delivery: Delivery, consents: Mapping[int, AskedConsent], *, in_reply_to: str) -> Message:
    content = notice_views.content(delivery, address=ports.address, consents=consents)
    written = write(content, language=delivery.language, zone=delivery.zone)
    entry = notice_views.entry(
        delivery.notice,
        delivery.customer,
        address=ports.address,
        sender=ports.sender,
        language=delivery.language,
        cancelled=delivery.kind is DeliveryKind.CANCELLED,
    )
    return Message(
        message_id=delivery.message_id,
        to=delivery.address,
        subject=written.subject,
        text=written.text,
        html=written.html,
        language=delivery.language,
        written_at=delivery.queued_at,
        attachments=(Attachment(filename="notice.ics", media_type="text/calendar", content=as_ics([entry])),),
        in_reply_to=in_reply_to,
    )


def _sent(ports: Ports, claimed: _Claimed) -> None:
    now = ports.clock.now()
    with ports.database.transaction() as session:
        delivery = outbox.claimed(session, claimed.delivery_id, attempt=claimed.attempt)
        if delivery is not None:
            moves.move(
                session,
                delivery,
                DeliveryState.SENT,
                moves=DELIVERY_MOVES,
                now=now,
                by="releaser",
                sent_at=now,
                error="",
                lease_until_at=None,
            )


def _failed(ports: Ports, claimed: _Claimed, error: OutsideError) -> None:
    """Rest and try again, or give up and keep the error."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        delivery = outbox.claimed(session, claimed.delivery_id, attempt=claimed.attempt)
        if delivery is None:
            return
        text, rest_for = (
            str(error)[:2000],
            None if error.permanent else retry_after(claimed.attempt - delivery.attempts_before),
        )
        if rest_for is not None:
            delivery.error, delivery.due_at, delivery.lease_until_at = text, now + rest_for, None
            return
        _give_up(session, delivery, text, now=now)


def _give_up(session: Session, delivery: Delivery, why: str, *, now: datetime) -> None:
    """A dead letter: somebody was not told."""
    moves.move(
        session,
        delivery,
        DeliveryState.GIVEN_UP,
        moves=DELIVERY_MOVES,
        now=now,
        by="releaser",
        reason=why[:2000],
        error=why[:2000],
        lease_until_at=None,
    )
