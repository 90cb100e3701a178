"""Cancel a notice: planned work will not take place, and whoever was told is told so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import NoticeState
from releaser.domain.plan import Plan
from releaser.domain.rollout import UPDATE_ENDED, RolloutState
from releaser.errors import InvalidError
from releaser.flows.finish_work import withdraw
from releaser.flows.keep_plan import draft_again
from releaser.flows.ports import Facts, Ports
from releaser.store import notices, rollouts
from releaser.store.notices import Notice
from releaser.store.plain import load


class ReasonMissingError(InvalidError):
    """Recipients are owed a reason."""


def cancel_notice(ports: Ports, *, notice_id: int, by: str, reason: str) -> Facts:
    """Cancel a draft or an announced notice. Of work in progress what has not been cut over yet waits for a new one.

    That one is drafted at once (`drafted` is its number, None where nothing is left to tell).

    Raises `NoticeNotFoundError`, `ReasonMissingError`, `MoveConflictError` (it has ended).
    """
    if not reason.strip():
        raise ReasonMissingError("A cancellation needs a reason.", advice="Recipients read it.", field="reason")
    now = ports.clock.now()
    with ports.database.transaction() as session:
        notice = notices.get(session, notice_id)
        withdraw(session, notice, reason=reason.strip(), by=by, now=now)
        session.refresh(notice)
        facts = {**notices.facts(notice), "drafted": _draft_anew(session, notice, now=now)}
    ports.wake()
    return facts


def _draft_anew(session: Session, notice: Notice, *, now: datetime) -> int | None:
    """For what a rollout under way still has to do: without another notice it would wait until it is too late."""
    if notice.rollout_id is None:
        return None
    rollout = rollouts.get(session, notice.rollout_id)
    if rollout.state not in {RolloutState.RUNNING, RolloutState.PAUSED} or not rollout.plan:
        return None
    left = {update.target_id for update in rollout.updates if update.state not in UPDATE_ENDED}
    plan = load(Plan, rollout.plan)
    rest = replace(
        plan,
        options=replace(plan.options, starts_at=None),
        targets=tuple(one for one in plan.targets if one.target_id in left),
    )
    draft_again(session, rollout, rest, now=now)
    drafts = [one.id for one in notices.of_rollout(session, rollout.id) if one.state is NoticeState.DRAFT]
    return drafts[-1] if drafts else None
