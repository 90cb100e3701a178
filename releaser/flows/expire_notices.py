"""Withdraw what was announced and did not come: its time is over, and the rollout was never started or approved."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.notice import NoticeState, NoticeTopic
from releaser.domain.rollout import RolloutState
from releaser.errors import MoveConflictError
from releaser.flows.finish_work import withdraw
from releaser.flows.ports import Ports
from releaser.store import notices
from releaser.store.notices import Notice
from releaser.store.rollouts import Rollout

MOVED_WITHIN = timedelta(hours=1)
"""How long somebody may still move it: after that whoever was told hears that nothing comes."""

_NOT_STARTED = (RolloutState.PLANNED, RolloutState.AWAITING_APPROVAL)


def expire_notices(ports: Ports) -> int:
    """One tick. Planning the rollout again drafts another notice. Returns how many were withdrawn."""
    with ports.database.reading() as session:
        due = _due(session, ports)
    withdrawn = sum(_withdraw(ports, notice_id) for notice_id in due)
    if withdrawn:
        ports.wake()
    return withdrawn


def _due(session: Session, ports: Ports) -> list[int]:
    query = (
        select(Notice.id)
        .join(Rollout, Rollout.id == Notice.rollout_id)
        .where(
            Notice.topic == NoticeTopic.WORK,
            Notice.state == NoticeState.ANNOUNCED,
            Notice.ends_at <= ports.clock.now() - MOVED_WITHIN,
            Rollout.state.in_(_NOT_STARTED),
        )
        .order_by(Notice.id)
    )
    return list(session.scalars(query))


def _withdraw(ports: Ports, notice_id: int) -> bool:
    """False when it was moved, or the rollout started, in between."""
    try:
        with ports.database.transaction() as session:
            if notice_id not in _due(session, ports):
                return False
            notice = notices.get(session, notice_id)
            why = "its time is over, and nothing began"
            withdraw(session, notice, reason=why, by="releaser", now=ports.clock.now())
            notice.reason = ""  # customers read that nothing comes; why nobody began is not for them
    except MoveConflictError:
        return False
    return True
