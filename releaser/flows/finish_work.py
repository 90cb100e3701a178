"""Work ends with its rollout: measured downtime goes beside the planned one, and the recipients are told, in the caller's transaction.

A notice is never ended by the clock. One whose work never began is cancelled with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import (
    MOVES,
    DeliveryKind,
    Measured,
    NoticeState,
    end_of_work,
    measured_stop,
    outcome_of,
)
from releaser.domain.rollout import ROLLOUT_MOVES, UPDATE_MOVES, WAVE_MOVES, RolloutState, UpdateState, WaveState
from releaser.flows.begin_work import begin_work
from releaser.store import moves, notices, outbox, rollouts
from releaser.store.notices import Notice
from releaser.store.rollouts import Rollout


def finish_work(session: Session, *, rollout: Rollout, now: datetime) -> None:
    """End the notices of a rollout that has ended, with what came of it at each installation. Repeatable.

    Of one that never began every target and wave is skipped. One that succeeded ends what was only planned behind it.
    """
    if rollout.started_at is None:
        _skip_all(session, rollout, now=now)
    begin_work(session, rollout=rollout, begun=[one for one in rollout.updates if one.stopped_at is not None], now=now)
    for notice in notices.of_rollout(session, rollout.id):
        if notice.state is NoticeState.IN_PROGRESS:
            _finish(session, notice, rollout, now=now)
        elif notice.state in {NoticeState.DRAFT, NoticeState.ANNOUNCED}:
            withdraw(session, notice, reason=_why(rollout), by="releaser", now=now)
    if rollout.state is RolloutState.SUCCEEDED and _brings_version(rollout):
        _drop_overtaken(session, rollout, now=now)


def _drop_overtaken(session: Session, rollout: Rollout, *, now: datetime) -> None:
    """End what is only planned, for the same installations, of versions that are not newer: nobody was told of it, and it would go back."""
    for plan in rollouts.in_states(session, RolloutState.PLANNED):
        same = (plan.product_id, plan.selector) == (rollout.product_id, rollout.selector) and _brings_version(plan)
        told = any(notice.state is not NoticeState.DRAFT for notice in notices.of_rollout(session, plan.id))
        if same and not told and plan.release.sort_key <= rollout.release.sort_key:
            reason = f"rollout {rollout.id} brought {rollout.release.version} there"
            to = RolloutState.ABORTED
            moves.move(session, plan, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason, finished_at=now)
            plan.reason = reason
            finish_work(session, rollout=plan, now=now)


def _brings_version(rollout: Rollout) -> bool:
    options = rollout.plan.get("options") or {}
    return not rollout.rehearsal and not options.get("operation")


def _skip_all(session: Session, rollout: Rollout, *, now: datetime) -> None:
    for update in rollout.updates:
        if update.state is UpdateState.PENDING:
            moves.move(
                session, update, UpdateState.SKIPPED, moves=UPDATE_MOVES, now=now, by="releaser", finished_at=now
            )
    for wave in rollout.waves:
        if wave.state is WaveState.PENDING:
            moves.move(session, wave, WaveState.SKIPPED, moves=WAVE_MOVES, now=now, by="releaser", finished_at=now)


def _finish(session: Session, notice: Notice, rollout: Rollout, *, now: datetime) -> None:
    outcomes = []
    measured: dict[int, list[Measured]] = defaultdict(list)
    for u in rollout.updates:
        one = Measured(state=u.state, before_s=u.stopped_before_s, stopped_at=u.stopped_at, served_at=u.served_at)
        measured[u.target.installation_id].append(one)
    for row in notice.touched:
        updates = measured[row.installation_id]
        stop, outcome = measured_stop(updates), outcome_of(updates)
        row.measured_stop_s = None if stop is None else stop.total_seconds()
        row.outcome = outcome.value
        outcomes.append(outcome)
    to = end_of_work(outcomes)
    moves.move(session, notice, to, moves=MOVES, now=now, by="releaser", reason=rollout.reason, ended_at=now)
    told = outbox.recipients(session, notice)
    outbox.queue(session, notice, kind=DeliveryKind.DONE, to=told, now=now, by="releaser")


def _why(rollout: Rollout) -> str:
    """What a person gave as the reason, else nothing: customers are not told how rollouts work."""
    return rollout.reason if rollout.state is RolloutState.ABORTED else ""


def withdraw(session: Session, notice: Notice, *, reason: str, by: str, now: datetime) -> None:
    """Cancel a notice and tell whoever was told of it."""
    told = outbox.recipients(session, notice) if notice.state is not NoticeState.DRAFT else []
    moves.move(session, notice, NoticeState.CANCELLED, moves=MOVES, now=now, by=by, reason=reason, ended_at=now)
    notice.reason = reason
    notice.revision += 1 if told else 0
    session.flush()
    outbox.queue(session, notice, kind=DeliveryKind.CANCELLED, to=told, now=now, by=by)
