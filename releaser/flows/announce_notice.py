"""Announce a notice, or publish a revision of one that was: the rules of every contract, the snapshot of recipients, the outbox.

All of it is one transaction: either everybody's message is in the outbox and the notice is announced, or nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.notice import ENDED, MOVES, DeliveryKind, NoticeState, NoticeTopic, worst
from releaser.domain.regulation import COMMON_WITHIN, Regulation, Urgency, common_opening, from_mapping
from releaser.domain.target import Stop
from releaser.errors import InvalidError, MoveConflictError, RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, notices, outbox
from releaser.store.customers import Customer
from releaser.store.notices import Notice, NoticeInstallation
from releaser.store.outbox import Recipient

# A start this long ago is a slip of somebody's clock or patience, not of the plan.
SLACK_FOR = timedelta(minutes=5)
_SHOWN = 5


class NoticeTimesError(InvalidError):
    """The planned times cannot be: in the past, or the end before the start."""


class LeadTimeError(RefusedError):
    """A contract asks for more time between telling and starting; names the earliest start."""


class WindowClosedError(RefusedError):
    """A contract allows no work at the planned start; names when it does next."""


class NoCommonWindowError(RefusedError):
    """The windows of the customers have no time in common; names who has windows."""


class NobodyToTellError(RefusedError):
    """A customer whose service would be stopped has no contact."""


class NotWorkError(RefusedError):
    """The notice is not about planned work, so it has no start that a person could announce."""


class NoTextError(RefusedError):
    """A recipient's language has no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Affected:
    """One customer whom this announcement is news for; `again` when the lead time has to be kept (again)."""

    customer: Customer
    stop: Stop
    again: bool


def announce_notice(
    ports: Ports,
    *,
    notice_id: int,
    by: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    emergency_reason: str = "",
) -> Facts:
    """Announce, or revise when times or installations changed since; nothing changed is no revision.

    Without `starts_at` the planned start holds; one that has passed while it was a draft becomes now. Of work in progress only the
    end can move. `emergency_reason` allows the contract's shorter lead. Raises `NoticeNotFoundError`,
    `MoveConflictError`, `NoticeTimesError`, and `RefusedError` with rule lead-time, window, no-common-window, no-contact or no-text.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        notice = notices.get(session, notice_id)
        if notice.topic is not NoticeTopic.WORK:
            raise NotWorkError(
                f"Notice {notice_id} tells of the end of line {notice.line}, which follows the line's dates.",
                rule="not-work",
                advice=f"Move it with `releaser line set {notice.product.name} {notice.line} --supported-until DAY`.",
            )
        if notice.state in ENDED:
            raise MoveConflictError(f"notice {notice_id}", source=notice.state.value, to=NoticeState.ANNOUNCED.value)
        start, end = _times(notice, starts_at, ends_at, now=now)
        affected = _affected(notice, start, end)
        dropped = _dropped(notice) & {one.customer_id for one in outbox.recipients(session, notice)}
        queued = 0
        if affected or dropped:
            urgency = Urgency.EMERGENCY if emergency_reason.strip() else Urgency.ORDINARY
            possible_at = _possible_at(notice, affected, start=start, now=now, urgency=urgency)
            for one in affected:
                _check(one, start=start, possible_at=possible_at, now=now, urgency=urgency)
            told = [recipient for one in affected for recipient in _recipients(notice, one)]
            _publish(session, notice, start, end, by=by, emergency_reason=emergency_reason.strip(), now=now)
            queued = _queue(session, notice, told, dropped, by=by, now=now)
        session.flush()
        session.refresh(notice)
        facts = {**notices.facts(notice), "queued": queued, "unchanged": not queued}
    ports.wake()
    return facts


def _times(
    notice: Notice, starts_at: datetime | None, ends_at: datetime | None, *, now: datetime
) -> tuple[datetime, datetime]:
    if any(at is not None and at.tzinfo is None for at in (starts_at, ends_at)):
        raise NoticeTimesError("A planned time has no time zone.", advice="Write it like 2026-11-21T10:00+03:00.")
    if starts_at is not None and starts_at < now - SLACK_FOR and starts_at != notice.starts_at:
        raise NoticeTimesError(f"The start {starts_at:%Y-%m-%d %H:%M %Z} has passed.", field="starts_at")
    start = starts_at or notice.starts_at
    if notice.state is NoticeState.IN_PROGRESS and start != notice.starts_at:
        raise NoticeTimesError(
            "The work has begun; only its end can be moved.", advice="Give another end.", field="starts_at"
        )
    if notice.state is NoticeState.DRAFT:
        start = max(start, now)
    end = ends_at or start + (notice.ends_at - notice.starts_at)
    if end <= max(start, now):
        raise NoticeTimesError(
            f"The work would end at {end:%Y-%m-%d %H:%M %Z}, before it starts or before now.",
            advice="Give a later start or end.",
            field="ends_at",
        )
    return start, end


def _affected(notice: Notice, start: datetime, end: datetime) -> list[_Affected]:
    """Whom it is news for: everybody when times changed, else the customers of rows not told yet."""
    moved = (start, end) != (notice.starts_at, notice.ends_at)
    earlier = notice.state is NoticeState.ANNOUNCED and start < notice.starts_at
    found = []
    for customer, rows in _by_customer(notice).items():
        fresh = any(row.revision is None for row in rows)
        if fresh or moved:
            found.append(_Affected(customer=customer, stop=worst(r.stop for r in rows), again=fresh or earlier))
    return found


def _by_customer(notice: Notice) -> dict[Customer, list[NoticeInstallation]]:
    found: dict[Customer, list[NoticeInstallation]] = {}
    for row in notice.touched:
        if not row.dropped:
            found.setdefault(row.installation.customer, []).append(row)
    return found


def _dropped(notice: Notice) -> set[int]:
    """Customers none of whose installations is touched any more."""
    kept = {customer.id for customer in _by_customer(notice)}
    told = {row.installation.customer_id for row in notice.touched if row.dropped and row.revision is not None}
    return told - kept


def _possible_at(
    notice: Notice, affected: Sequence[_Affected], *, start: datetime, now: datetime, urgency: Urgency
) -> datetime:
    """The first start from the wanted one on that suits all of them at once. Raises `NoCommonWindowError`."""
    rules = {one.customer.name: _rules(one.customer) for one in affected}
    leads = [
        rules[one.customer.name].earliest_start(now, stop=one.stop, urgency=urgency) for one in affected if one.again
    ]
    possible_at = common_opening(rules.values(), max(start, *leads, now))
    if possible_at is not None:
        return possible_at
    names = sorted(name for name, rule in rules.items() if rule.windows)
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    )
    alone = f"releaser plan {notice.product.name} {notice.version} --to customer={names[0]}"
    raise NoCommonWindowError(
        f"The windows that the contracts of {shown} allow have no time in common in {COMMON_WITHIN.days} days.",
        rule="no-common-window",
        advice=f"Roll it out to each of them by itself, at its own time: {alone}, and so on.",
        field="starts_at",
        customers=names,
    )


def _rules(customer: Customer) -> Regulation:
    return from_mapping(customer.regulation, zone=customer.zone)


def _check(one: _Affected, *, start: datetime, possible_at: datetime, now: datetime, urgency: Urgency) -> None:
    """The contract's rules, and somebody to tell."""
    name = one.customer.name
    if not one.customer.contacts:
        raise NobodyToTellError(
            f"Customer '{name}' has no contact, so nobody would be told.",
            rule="no-contact",
            advice=f"Declare one under contacts of customer '{name}' and apply it.",
            customer=name,
        )
    regulation = _rules(one.customer)
    if one.again:
        _check_lead(one, regulation, start=start, possible_at=possible_at, now=now, urgency=urgency)
    if not regulation.open_at(start):
        raise WindowClosedError(
            f"The contract of '{name}' allows no work at {start:%Y-%m-%d %H:%M %Z}.",
            rule="window",
            advice=f"Start when everybody's windows are open: {possible_at:%Y-%m-%dT%H:%MZ}.",
            customer=name,
            opens_at=possible_at,
        )


def _check_lead(
    one: _Affected,
    regulation: Regulation,
    *,
    start: datetime,
    possible_at: datetime,
    now: datetime,
    urgency: Urgency,
) -> None:
    earliest = regulation.earliest_start(now, stop=one.stop, urgency=urgency)
    if start >= earliest:
        return
    ordinary = f"{regulation.lead(one.stop)} working days before a stop ({one.stop.value})"
    asked = f"{regulation.emergency_hours} hours, even in an emergency" if urgency is Urgency.EMERGENCY else ordinary
    advice = f"The earliest start is {possible_at:%Y-%m-%dT%H:%MZ}."
    if urgency is Urgency.ORDINARY:
        advice += f" An emergency needs a reason and {regulation.emergency_hours} hours."
    raise LeadTimeError(
        f"The contract of '{one.customer.name}' asks to be told {asked}.",
        rule="lead-time",
        advice=advice,
        field="starts_at",
        customer=one.customer.name,
        earliest_at=possible_at,
    )


def _recipients(notice: Notice, one: _Affected) -> list[Recipient]:
    """The customer's contacts as they are now. Raises `NoTextError` for a language without a text."""
    texts = notices.texts(notice)
    found = []
    for contact in one.customer.contacts:
        language = (contact.language or one.customer.language).partition("-")[0].lower()
        if language not in texts:
            raise NoTextError(
                f"Contact {contact.email} of '{one.customer.name}' reads '{language}', and the notice has no such text.",
                rule="no-text",
                advice=f"It has: {', '.join(sorted(texts))}. Change the contact's language, or add a text.",
                customer=one.customer.name,
                language=language,
            )
        zone = contact.zone or one.customer.zone
        found.append(Recipient(customer_id=one.customer.id, address=contact.email, language=language, zone=zone))
    return found


def _publish(
    session: Session, notice: Notice, start: datetime, end: datetime, *, by: str, emergency_reason: str, now: datetime
) -> None:
    """Make it the present revision: the first one of a draft, the next one of what was announced."""
    notice.emergency_reason = emergency_reason or notice.emergency_reason
    if notice.state is NoticeState.DRAFT:
        notice.starts_at, notice.ends_at = start, end
        moves.move(
            session,
            notice,
            NoticeState.ANNOUNCED,
            moves=MOVES,
            now=now,
            by=by,
            reason=emergency_reason,
            announced_at=now,
            revised_at=now,
            announced_by=by,
        )
    else:
        notice.told_starts_at, notice.told_ends_at = notice.starts_at, notice.ends_at
        notice.starts_at, notice.ends_at = start, end
        notice.revision, notice.revised_at = notice.revision + 1, now
        state = notice.state.value
        moves.record(session, notice, source=state, to=state, now=now, by=by, reason=f"revision {notice.revision}")
    for row in notice.touched:
        if not row.dropped and (row.revision is None or row.revision < notice.revision):
            row.revision = notice.revision
    session.flush()


def _queue(
    session: Session, notice: Notice, told: Sequence[Recipient], dropped: set[int], *, by: str, now: datetime
) -> int:
    """Write the outbox: an announcement to who is new, a revision to who knows, a cancellation to who is out."""
    before = outbox.recipients(session, notice)
    known = {(one.customer_id, one.address) for one in before}
    new = [one for one in told if (one.customer_id, one.address) not in known]
    changed = [one for one in told if (one.customer_id, one.address) in known]
    out = [one for one in before if one.customer_id in dropped]
    queued = [
        *outbox.queue(session, notice, kind=DeliveryKind.ANNOUNCED, to=new, now=now, by=by),
        *outbox.queue(session, notice, kind=DeliveryKind.REVISED, to=changed, now=now, by=by),
        *outbox.queue(session, notice, kind=DeliveryKind.CANCELLED, to=out, now=now, by=by),
    ]
    return len(queued)
