"""Tell the customers of a line that its support ends: so many days before, each once, by one notice per line.

A tick looks at the lines as they stand. What was told and is no longer so is told as well: a day that was moved is a revision, an
end that was taken back a cancellation. Nobody is told of a line that he does not run, and nothing once the end has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

from sqlalchemy.orm import Session

from releaser.domain.line import notices_due
from releaser.domain.notice import MOVES, DeliveryKind, NoticeImpact, NoticeState, NoticeTopic
from releaser.domain.support_text import heading
from releaser.domain.target import Stop
from releaser.flows.finish_work import withdraw
from releaser.flows.ports import Ports
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES
from releaser.store import lines, moves, notices, outbox, products
from releaser.store.installations import Installation
from releaser.store.lines import Standing
from releaser.store.notices import Notice, NoticeInstallation, NoticeText
from releaser.store.outbox import Recipient
from releaser.store.products import Product

_BY = "releaser"
_ONE_DAY = timedelta(days=1)


def announce_support_end(ports: Ports) -> int:
    """One tick over every line; returns for how many something had to be done. Repeatable."""
    now = ports.clock.now()
    with ports.database.reading() as session:
        wanted = [
            (row.name, one.name)
            for row in lines.products_with_ends(session)
            for one in lines.standing(session, row, now=now).values()
            if _is_due(session, row, one, now)
        ]
    for product, line in wanted:
        with ports.database.transaction() as session:
            row = products.get(session, product)
            one = lines.of(session, row, line, now=now)
            if _is_due(session, row, one, now):
                _tell(session, row, one, now)
    if wanted:
        ports.wake()
    return len(wanted)


def _is_due(session: Session, product: Product, line: Standing, now: datetime) -> bool:
    ends_on, today = line.support.supported_until_on, lines.today(product, now)
    notice = notices.of_line(session, product.id, line.name)
    if notice is not None and (ends_on != _day(notice) or today > ends_on):
        return True
    return ends_on is not None and bool(_due(session, product, line, ends_on, today))


def _due(session: Session, product: Product, line: Standing, ends_on: date, today: date) -> tuple[int, ...]:
    kept = products.line(session, product.id, line.name)
    told = lines.told(session, kept.id, ends_on) if kept else frozenset()
    return notices_due(ends_on=ends_on, days_before=product.support_notice_days, told=told, today=today)


def _day(notice: Notice) -> date:
    """The last day of support that a notice tells. It is a day, not a moment: kept as one of UTC, whatever the zone."""
    return notice.starts_at.astimezone(UTC).date()


def _tell(session: Session, product: Product, line: Standing, now: datetime) -> None:
    ends_on, today = line.support.supported_until_on, lines.today(product, now)
    notice = notices.of_line(session, product.id, line.name)
    if notice is not None and ends_on is None:
        withdraw(session, notice, reason="", by=_BY, now=now)
        return
    if ends_on is None:
        return
    row = lines.row(session, product, line.name)
    due = _due(session, product, line, ends_on, today)
    if notice is not None and _day(notice) != ends_on:
        _revise(session, notice, ends_on, now)
        # Who reads of the new day needs no reminder of it in the same minute.
        lines.keep_told(session, row.id, ends_on, due, notice_id=notice.id, now=now)
        due = ()
    if due:
        notice = _remind(session, product, line, ends_on, notice, now)
        lines.keep_told(session, row.id, ends_on, due, notice_id=notice.id if notice else None, now=now)
    if notice is not None and today > ends_on:
        _end(session, notice, now)


def _remind(
    session: Session, product: Product, line: Standing, ends_on: date, notice: Notice | None, now: datetime
) -> Notice | None:
    """Announce it to who does not know it yet, remind the others; None when nobody runs the line."""
    found = lines.installations_on(session, product.id, line.name)
    told = _recipients(found)
    if not told:
        return notice
    known: set[tuple[int, str]] = set()
    if notice is None:
        notice = _new(session, product, line.name, ends_on, now)
    else:
        notice.revision, notice.revised_at = notice.revision + 1, now
        known = {(one.customer_id, one.address) for one in outbox.recipients(session, notice)}
    _touch(session, notice, found)
    reminded = [one for one in told if (one.customer_id, one.address) in known]
    new = [one for one in told if (one.customer_id, one.address) not in known]
    outbox.queue(session, notice, kind=DeliveryKind.ANNOUNCED, to=new, now=now, by=_BY)
    outbox.queue(session, notice, kind=DeliveryKind.REMINDED, to=reminded, now=now, by=_BY)
    return notice


def _recipients(found: Sequence[Installation]) -> list[Recipient]:
    """The contacts of everybody who runs the line, each once; who reads a language we have no text in gets the English one."""
    customers = {one.customer_id: one.customer for one in found}
    told: list[Recipient] = []
    for customer in customers.values():
        for contact in customer.contacts:
            wanted = (contact.language or customer.language).partition("-")[0].lower()
            language = wanted if wanted in LANGUAGES else DEFAULT_LANGUAGE
            zone = contact.zone or customer.zone
            told.append(Recipient(customer_id=customer.id, address=contact.email, language=language, zone=zone))
    return told


def _new(session: Session, product: Product, line: str, ends_on: date, now: datetime) -> Notice:
    starts_at = datetime.combine(ends_on, time(), UTC)
    notice = Notice(
        uid=uuid4().hex,
        product_id=product.id,
        topic=NoticeTopic.SUPPORT_END,
        line=line,
        state=NoticeState.DRAFT,
        impact=NoticeImpact.NO_IMPACT,
        stop=Stop.NONE,
        starts_at=starts_at,
        ends_at=starts_at + _ONE_DAY,
        created_at=now,
    )
    session.add(notice)
    session.flush()
    moves.record(session, notice, source="", to=NoticeState.DRAFT.value, now=now, by=_BY)
    _write(session, notice, product, ends_on)
    moves.move(
        session,
        notice,
        NoticeState.ANNOUNCED,
        moves=MOVES,
        now=now,
        by=_BY,
        announced_at=now,
        revised_at=now,
        announced_by=_BY,
    )
    return notice


def _write(session: Session, notice: Notice, product: Product, ends_on: date) -> None:
    """Its heading in every language, for lists; what a customer reads is written when it is sent."""
    title = product.title or product.name
    for language in LANGUAGES:
        subject, body = heading(language, product=title, line=notice.line, ends_on=ends_on)
        session.add(
            NoticeText(notice_id=notice.id, revision=notice.revision, language=language, subject=subject, body=body)
        )
    session.flush()


def _touch(session: Session, notice: Notice, found: Sequence[Installation]) -> None:
    """Make the notice's installations those that run the line now."""
    rows = {row.installation_id: row for row in notice.touched}
    on_line = {one.id for one in found}
    for one in found:
        if one.id not in rows:
            notice.touched.append(
                NoticeInstallation(installation_id=one.id, stop=Stop.NONE, modules=[], planned_stop_s=0.0)
            )
    for row in notice.touched:
        row.dropped = row.installation_id not in on_line
        row.revision = notice.revision
    session.flush()


def _revise(session: Session, notice: Notice, ends_on: date, now: datetime) -> None:
    """Tell everybody who was told another day."""
    starts_at = datetime.combine(ends_on, time(), UTC)
    notice.told_starts_at, notice.told_ends_at = notice.starts_at, notice.ends_at
    notice.starts_at, notice.ends_at = starts_at, starts_at + _ONE_DAY
    notice.revision, notice.revised_at = notice.revision + 1, now
    state = notice.state.value
    moves.record(session, notice, source=state, to=state, now=now, by=_BY, reason=f"revision {notice.revision}")
    _write(session, notice, notice.product, ends_on)
    outbox.queue(session, notice, kind=DeliveryKind.REVISED, to=outbox.recipients(session, notice), now=now, by=_BY)


def _end(session: Session, notice: Notice, now: datetime) -> None:
    """The day has passed; there is nothing more to tell."""
    for state in (NoticeState.IN_PROGRESS, NoticeState.COMPLETED):
        moves.move(session, notice, state, moves=MOVES, now=now, by=_BY)
    notice.ended_at = now
