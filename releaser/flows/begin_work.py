"""Announced work begins: the notice is in progress and its recipients are told, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import MOVES, DeliveryKind, NoticeState
from releaser.store import moves, notices, outbox
from releaser.store.rollouts import Rollout


def begin_work(session: Session, *, rollout: Rollout, now: datetime) -> None:
    """Begin the rollout's announced notices whose planned start has come. Repeatable; without such a notice nothing is done."""
    for notice in notices.of_rollout(session, rollout.id):
        if notice.state is NoticeState.ANNOUNCED and notice.starts_at <= now:
            moves.move(session, notice, NoticeState.IN_PROGRESS, moves=MOVES, now=now, by="releaser", started_at=now)
            told = outbox.recipients(session, notice)
            outbox.queue(session, notice, kind=DeliveryKind.STARTED, to=told, now=now, by="releaser")
