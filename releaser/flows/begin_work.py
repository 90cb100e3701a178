"""Announced work begins: the notice is in progress, and each customer is told when it begins there, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import MOVES, STANDING, DeliveryKind, NoticeState
from releaser.domain.target import Stop
from releaser.flows.notice_gate import covering, stops
from releaser.store import moves, notices, outbox
from releaser.store.notices import Notice, NoticeInstallation
from releaser.store.rollouts import Rollout, TargetUpdate


def begin_work(session: Session, *, rollout: Rollout, begun: Iterable[TargetUpdate], now: datetime) -> None:
    """Begin the rollout's announced notices that tell of what was `begun`, whose cutover comes now or came, once their start has come.

    A customer is told that it began when it begins at one of its own installations. What stops nothing begins only a notice of work
    without a stop. Repeatable; without such a notice nothing is done.
    """
    updates = list(begun)
    for notice in notices.of_rollout(session, rollout.id):
        if notice.state not in STANDING or notice.starts_at > now:
            continue
        rows = [row for row in notice.touched if row.started_at is None and _begins(notice, row, updates)]
        if not rows:
            continue
        known = {row.installation.customer_id for row in notice.touched if row.started_at is not None}
        for row in rows:
            row.started_at = now
        if notice.state is NoticeState.ANNOUNCED:
            moves.move(session, notice, NoticeState.IN_PROGRESS, moves=MOVES, now=now, by="releaser", started_at=now)
        fresh = {row.installation.customer_id for row in rows} - known
        told = [one for one in outbox.recipients(session, notice) if one.customer_id in fresh]
        outbox.queue(session, notice, kind=DeliveryKind.STARTED, to=told, now=now, by="releaser")


def _begins(notice: Notice, row: NoticeInstallation, updates: Iterable[TargetUpdate]) -> bool:
    return not row.dropped and any(
        _tells_of(notice, update) for update in updates if update.target.installation_id == row.installation_id
    )


def _tells_of(notice: Notice, update: TargetUpdate) -> bool:
    rows = [row for row in notice.touched if row.installation_id == update.target.installation_id and not row.dropped]
    if any(row.stop is Stop.NONE for row in rows):
        return True
    return stops(update) and covering(rows, now=None, module=update.target.module.name) is not None
