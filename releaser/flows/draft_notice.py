"""Draft the notice of a rollout from its plan, in the caller's transaction; planned again, the draft is revised.

A draft says nothing to anybody. One that is announced already keeps what was told: what the plan changed is marked as not told
yet, and announcing it again makes a revision of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.notice import MOVES, STANDING, NoticeState, impact_of, planned_end, worst
from releaser.domain.notice_text import opening
from releaser.domain.operation import Operation, Work, work_of
from releaser.domain.regulation import Regulation, common_opening, from_mapping
from releaser.domain.target import Stop
from releaser.i18n import LANGUAGES
from releaser.store import moves, notices
from releaser.store.installations import Installation
from releaser.store.notices import Notice, NoticeInstallation, NoticeText
from releaser.store.rollouts import Rollout

# Nobody minds to begin together so much later than alone.
_SAME_TIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a plan stops at one installation, and for how long by its estimate."""

    installation_id: int
    stop: Stop
    modules: tuple[str, ...]
    stop_for: timedelta


def draft_notice(
    session: Session,
    *,
    rollout: Rollout,
    touched: Sequence[Touched],
    starts_at: datetime | None,
    now: datetime,
    operation: Operation | None = None,
) -> Notice | None:
    """The rollout's notice, drafted or brought up to date; None when nothing stops (an unneeded draft is cancelled).

    An `operation` is told of whether it stops something or not.
    Without `starts_at` an earlier draft keeps its start while every touched contract allows it; else it is the earliest one that
    they all allow.
    """
    wanted = {one.installation_id: one for one in touched if one.stop is not Stop.NONE or operation}
    notice = open_notice(session, rollout.id)
    if notice is None and not wanted:
        return None
    if notice is None:
        stops = any(one.stop is not Stop.NONE for one in touched)
        notice = _new(session, rollout, work=work_of(operation, stops=stops), now=now)
    elif not wanted and notice.state is NoticeState.DRAFT:
        moves.move(session, notice, NoticeState.CANCELLED, moves=MOVES, now=now, by="releaser", reason="nothing stops")
        return None
    _keep_touched(session, notice, wanted)
    if notice.state is NoticeState.DRAFT:
        notice.starts_at, notice.ends_at = planned_times(
            session, wanted.values(), starts_at=starts_at, earlier=notice.starts_at, now=now
        )
    session.flush()
    session.refresh(notice)
    return notice


def open_notice(session: Session, rollout_id: int) -> Notice | None:
    """The rollout's notice that is a draft or stands, the newest of several; None without one."""
    unended = [
        n for n in notices.of_rollout(session, rollout_id) if n.state is NoticeState.DRAFT or n.state in STANDING
    ]
    return unended[-1] if unended else None


def _new(session: Session, rollout: Rollout, *, work: Work | None, now: datetime) -> Notice:
    product, version = rollout.product, rollout.release.version
    notice = Notice(
        uid=uuid4().hex,
        product_id=product.id,
        rollout_id=rollout.id,
        version=version,
        state=NoticeState.DRAFT,
        impact=impact_of(Stop.NONE),
        stop=Stop.NONE,
        starts_at=now,
        ends_at=now,
        created_at=now,
    )
    session.add(notice)
    session.flush()
    moves.record(session, notice, source="", to=NoticeState.DRAFT.value, now=now, by="releaser")
    for language in LANGUAGES:
        subject, body = opening(language, product=product.title or product.name, version=version, work=work)
        session.add(NoticeText(notice_id=notice.id, revision=0, language=language, subject=subject, body=body))
    session.flush()
    session.refresh(notice)
    return notice


def _keep_touched(session: Session, notice: Notice, wanted: Mapping[int, Touched]) -> None:
    """Make the rows what the plan says; a row that says more than was told counts as not told."""
    rows = {row.installation_id: row for row in notice.touched}
    for installation_id, row in rows.items():
        if installation_id not in wanted:
            if row.revision is None:
                notice.touched.remove(row)
            else:
                row.dropped = True
    for installation_id, one in wanted.items():
        if installation_id not in rows:
            rows[installation_id] = NoticeInstallation(
                notice_id=notice.id, installation_id=installation_id, revision=None
            )
            notice.touched.append(rows[installation_id])
        _keep_row(rows[installation_id], one)
    if wanted:
        notice.stop = worst(one.stop for one in wanted.values())
        notice.impact = impact_of(notice.stop)
    session.flush()


def _keep_row(row: NoticeInstallation, one: Touched) -> None:
    if row.dropped or (row.stop, row.modules) != (one.stop, list(one.modules)):
        row.revision, row.dropped = None, False
    row.stop, row.modules, row.planned_stop_s = one.stop, list(one.modules), one.stop_for.total_seconds()


def planned_times(
    session: Session, touched: Iterable[Touched], *, starts_at: datetime | None, earlier: datetime, now: datetime
) -> tuple[datetime, datetime]:
    """When the work begins and ends as a draft says: at `starts_at`, else when all contracts allow it and not before `earlier`.

    Of a rollout that is tried again the start that it was asked for has passed, and says nothing any more.
    """
    contracts = _contracts(session, touched)
    asked = starts_at if starts_at is not None and starts_at >= now else None
    begins_at = asked or max(earlier, _earliest(contracts, now=now))
    return begins_at, planned_end(begins_at, [one.stop_for for _, one in contracts])


def set_by(session: Session, touched: Iterable[Touched], *, now: datetime) -> list[str]:
    """The customers whose contracts make a joint start later than somebody else's would be alone; none where that is all the same."""
    by_id = {one.installation_id: one for one in touched}
    rows = session.scalars(select(Installation).where(Installation.id.in_(by_id))).unique()
    rules: dict[str, Regulation] = {}
    stops: dict[str, list[Stop]] = {}
    for row in rows:
        rules[row.customer.name] = from_mapping(row.customer.regulation, zone=row.customer.zone)
        stops.setdefault(row.customer.name, []).append(by_id[row.id].stop)
    leads = {name: rule.earliest_start(now, stop=worst(stops[name])) for name, rule in rules.items()}
    alone = {name: common_opening([rule], leads[name]) or leads[name] for name, rule in rules.items()}
    latest = max(alone.values(), default=now)
    joint = common_opening(rules.values(), max(leads.values(), default=now)) or latest
    if joint - min(alone.values(), default=now) <= _SAME_TIME:
        return []
    if joint > latest:
        return sorted(name for name, rule in rules.items() if rule.windows)
    return sorted(name for name, at in alone.items() if at == latest)


def set_by_told(names: Sequence[str]) -> str:
    """That in a sentence, empty where the time is nobody's."""
    if not names:
        return ""
    whose = f"contract of {names[0]} sets" if len(names) == 1 else f"contracts of {', '.join(names)} set"
    return f"The {whose} its time for everybody; with --to customer=NAME each has its own."


def _contracts(session: Session, touched: Iterable[Touched]) -> list[tuple[Regulation, Touched]]:
    by_id = {one.installation_id: one for one in touched}
    found = session.scalars(select(Installation).where(Installation.id.in_(by_id))).unique()
    return [(from_mapping(row.customer.regulation, zone=row.customer.zone), by_id[row.id]) for row in found]


def _earliest(contracts: Sequence[tuple[Regulation, Touched]], *, now: datetime) -> datetime:
    """The first start that every lead allows and at which, as far as there is one within a month, every window is open."""
    start = max((rule.earliest_start(now, stop=one.stop) for rule, one in contracts), default=now)
    return common_opening([rule for rule, _ in contracts], start) or start
