"""A notice as one customer may see it: rows -> what `domain.notice_text` writes and `domain.maintnote` puts in calendars.

Nobody is told of another customer's installations. Pages and feeds of one customer use `entry`, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from types import MappingProxyType

from sqlalchemy.orm import Session

from releaser.domain.maintnote import Entry
from releaser.domain.notice import DeliveryKind, NoticeState, Outcome, impact_of, sequence_of
from releaser.domain.notice_text import AskedConsent, NoticeContent, TouchedWork
from releaser.domain.operation import Operation, Work, work_of
from releaser.domain.support_text import SupportEnd
from releaser.domain.target import Stop
from releaser.store import lines
from releaser.store.customers import Customer
from releaser.store.notices import Delivery, Notice, NoticeInstallation, texts
from releaser.store.plain import load

# An event ends after it begins (RFC 5545, 3.8.2.2).
_LEAST = timedelta(seconds=1)


def told_of(notice: Notice, customer_id: int) -> list[NoticeInstallation]:
    """The customer's installations that the notice tells of."""
    return [
        row
        for row in notice.touched
        if row.installation.customer_id == customer_id and row.revision is not None and not row.dropped
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """How far the work is at one customer: what it feels and does not of what began and ended elsewhere."""

    state: NoticeState
    began_at: datetime | None
    ended_at: datetime | None


def _seen(notice: Notice, customer_id: int) -> _Seen:
    began = [row.started_at for row in notice.touched if row.installation.customer_id == customer_id and row.started_at]
    waits = notice.state is NoticeState.IN_PROGRESS and not began
    ended = bool(began) and notice.state in {NoticeState.COMPLETED, NoticeState.ROLLED_BACK}
    return _Seen(
        state=NoticeState.ANNOUNCED if waits else notice.state,
        began_at=min(began, default=None),
        ended_at=notice.ended_at if ended else None,
    )


def content(
    delivery: Delivery, *, address: str, consents: Mapping[int, AskedConsent] = MappingProxyType({})
) -> NoticeContent:
    """What a delivery says. `address` is where readers find the pages, `consents` who is asked at which installation."""
    notice = delivery.notice
    text = texts(notice).get(delivery.language)
    seen = _seen(notice, delivery.customer_id)
    return NoticeContent(
        kind=delivery.kind,
        product=notice.product.title or notice.product.name,
        version=notice.version,
        starts_at=notice.starts_at,
        ends_at=notice.ends_at,
        began_at=seen.began_at,
        ended_at=seen.ended_at,
        touched=[_work(row, consents.get(row.installation_id)) for row in told_of(notice, delivery.customer_id)],
        opening=text.body if text and delivery.kind in {DeliveryKind.ANNOUNCED, DeliveryKind.REVISED} else "",
        was=_was(notice) if delivery.kind is DeliveryKind.REVISED else None,
        reason=notice.reason if delivery.kind is DeliveryKind.CANCELLED else "",
        emergency_reason=notice.emergency_reason,
        notes_url=f"{address}/products/{notice.product.name}/releases/{notice.version}" if notice.version else "",
        page_url=f"{address}/notices/{notice.id}",
        work=_operation(notice),
    )


def _operation(notice: Notice) -> Work | None:
    """What the rollout is, where it is scaling and no update."""
    data = (notice.rollout.plan.get("options") or {}).get("operation") if notice.rollout is not None else None
    return work_of(load(Operation, data), stops=notice.stop is not Stop.NONE) if data else None


def support_end(session: Session, delivery: Delivery, *, address: str, now: datetime) -> SupportEnd:
    """What a delivery says of the end of a line's support."""
    notice = delivery.notice
    was = notice.told_starts_at if delivery.kind is DeliveryKind.REVISED else None
    return SupportEnd(
        kind=delivery.kind,
        product=notice.product.title or notice.product.name,
        line=notice.line,
        ends_on=notice.starts_at.astimezone(UTC).date(),
        installations=[
            row.installation.title or row.installation.name for row in told_of(notice, delivery.customer_id)
        ],
        successor=lines.successor(session, notice.product, notice.line, now=now),
        was_on=was.astimezone(UTC).date() if was else None,
        page_url=f"{address}/products/{notice.product.name}/lines",
    )


def _was(notice: Notice) -> tuple[datetime, datetime] | None:
    """The times that the revision before told of."""
    if notice.told_starts_at is None or notice.told_ends_at is None:
        return None
    return notice.told_starts_at, notice.told_ends_at


def _work(row: NoticeInstallation, consent: AskedConsent | None) -> TouchedWork:
    return TouchedWork(
        installation=row.installation.title or row.installation.name,
        stop=row.stop,
        modules=tuple(row.modules),
        planned_for=timedelta(seconds=row.planned_stop_s),
        measured_for=None if row.measured_stop_s is None else timedelta(seconds=row.measured_stop_s),
        outcome=Outcome(row.outcome) if row.outcome else None,
        consent=consent,
    )


def entry(
    notice: Notice, customer: Customer, *, address: str, sender: str, language: str = "", cancelled: bool = False
) -> Entry:
    """The notice in the calendar of one customer. `cancelled` when it is so for this customer alone."""
    organizer, seen = parseaddr(sender)[1], _seen(notice, customer.id)
    starts_at = seen.began_at or notice.starts_at
    text = texts(notice).get(language or customer.language)
    return Entry(
        notice=notice.uid,
        account=customer.name,
        provider=organizer.rpartition("@")[2],
        organizer=organizer,
        sequence=sequence_of(notice.state, revision=notice.revision, begun=seen.began_at is not None),
        state=NoticeState.CANCELLED if cancelled else seen.state,
        starts_at=starts_at,
        ends_at=max(seen.ended_at or notice.ends_at, starts_at + _LEAST),
        stamped_at=_changed_at(notice, seen),
        summary=text.subject if text else f"{notice.product.title or notice.product.name} {notice.version}",
        description=text.body if text else "",
        url=f"{address}/notices/{notice.id}",
        objects=[(row.installation.name, impact_of(row.stop)) for row in told_of(notice, customer.id)],
    )


def _changed_at(notice: Notice, seen: _Seen) -> datetime:
    """When what the entry says was changed the last time."""
    known = (notice.created_at, notice.announced_at, notice.revised_at, seen.began_at, notice.ended_at)
    return max(at for at in known if at is not None)
