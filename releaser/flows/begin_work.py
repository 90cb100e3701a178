"""Announced work begins: the notice is in progress, and each customer is told when it begins there, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import MOVES, STANDING, DeliveryKind, NoticeState
from releaser.domain.target import Stop
from releaser.flows.notice_gate import covering, stops
from releaser.store import moves, notices, outbox
from releaser.store.notices import NoticeInstallation
from releaser.store.rollouts import Rollout, TargetUpdate


def begin_work(session: Session, *, rollout: Rollout, begun: Iterable[TargetUpdate], now: datetime) -> None:
    """Begin the rollout's announced notices that tell of what was `begun`, whose cutover comes now or came, once their start has come.

    A customer is told that it began when it begins at one of its own installations. What stops nothing begins only a notice of work
    without a stop. Repeatable; without such a notice nothing is done.
    """
    by_place: dict[int, list[TargetUpdate]] = defaultdict(list)
    for update in begun:
        by_place[update.target.installation_id].append(update)
    for notice in notices.of_rollout(session, rollout.id):
        if notice.state not in STANDING or notice.starts_at > now:
            continue
        waiting = notices.not_begun(session, notice.id, by_place)
        rows = [row for row in waiting if any(_tells_of(row, update) for update in by_place[row.installation_id])]
        if not rows:
            continue
        customers = {row.installation.customer_id for row in rows}
        fresh = customers - notices.begun_at(session, notice.id, customers)
        for row in rows:
            row.started_at = now
        if notice.state is NoticeState.ANNOUNCED:
            moves.move(session, notice, NoticeState.IN_PROGRESS, moves=MOVES, now=now, by="releaser", started_at=now)
        told = outbox.recipients(session, notice, of=fresh)
        outbox.queue(session, notice, kind=DeliveryKind.STARTED, to=told, now=now, by="releaser")


def _tells_of(row: NoticeInstallation, update: TargetUpdate) -> bool:
    if row.stop is Stop.NONE:
        return True
    return stops(update) and covering([row], now=None, module=update.target.module.name) is not None
