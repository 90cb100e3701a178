"""A notice as one customer may see it: rows -> what `domain.notice_text` writes and `domain.maintnote` puts in calendars.

Nobody is told of another customer's installations. Pages and feeds of one customer use `entry`, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from types import MappingProxyType

from sqlalchemy.orm import Session

from releaser.domain.maintnote import Entry
from releaser.domain.notice import DeliveryKind, NoticeState, Outcome, impact_of
from releaser.domain.notice_text import AskedConsent, NoticeContent, TouchedWork
from releaser.domain.operation import Operation, Work, work_of
from releaser.domain.support_text import SupportEnd
from releaser.domain.target import Stop
from releaser.store import lines
from releaser.store.customers import Customer
from releaser.store.notices import Delivery, Notice, NoticeInstallation, texts
from releaser.store.plain import load


def told_of(notice: Notice, customer_id: int) -> list[NoticeInstallation]:
    """The customer's installations that the notice tells of."""
    return [
        row
        for row in notice.touched
        if row.installation.customer_id == customer_id and row.revision is not None and not row.dropped
    ]


def content(
    delivery: Delivery, *, address: str, consents: Mapping[int, AskedConsent] = MappingProxyType({})
) -> NoticeContent:
    """What a delivery says. `address` is where readers find the pages, `consents` who is asked at which installation."""
    notice = delivery.notice
    text = texts(notice).get(delivery.language)
    return NoticeContent(
        kind=delivery.kind,
        product=notice.product.title or notice.product.name,
        version=notice.version,
        starts_at=notice.starts_at,
        ends_at=notice.ends_at,
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
    organizer = parseaddr(sender)[1]
    text = texts(notice).get(language or customer.language)
    return Entry(
        notice=notice.uid,
        account=customer.name,
        provider=organizer.rpartition("@")[2],
        organizer=organizer,
        sequence=notice.revision,
        state=NoticeState.CANCELLED if cancelled else notice.state,
        starts_at=notice.started_at or notice.starts_at,
        ends_at=notice.ended_at or notice.ends_at,
        stamped_at=notice.ended_at
        or notice.started_at
        or notice.revised_at
        or notice.announced_at
        or notice.created_at,
        summary=text.subject if text else f"{notice.product.title or notice.product.name} {notice.version}",
        description=text.body if text else "",
        url=f"{address}/notices/{notice.id}",
        objects=[(row.installation.name, impact_of(row.stop)) for row in told_of(notice, customer.id)],
    )
