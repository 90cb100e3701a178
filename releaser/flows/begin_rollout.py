"""Begin a scheduled rollout: at its time, behind those it takes over from, planned again from what is there now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan
from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState
from releaser.errors import MoveConflictError, ReleaserError
from releaser.flows.finish_work import finish_work
from releaser.flows.give_way import ENDING, busy, give_way
from releaser.flows.keep_plan import draft_again, keep_again
from releaser.flows.make_plan import make_plan
from releaser.flows.notice_gate import NoticeRequiredError, require_notices
from releaser.flows.ports import Ports
from releaser.flows.recheck_plan import plan_afresh, recheck_plan
from releaser.flows.start_rollout import BEGIN_WITHIN, end_unchanged, release_rollout
from releaser.store import moves, rollouts
from releaser.store.plain import load
from releaser.store.rollouts import Rollout

TRY_AGAIN_FOR = timedelta(seconds=10)


def begin_rollout(ports: Ports, *, rollout_id: int) -> bool:
    """Begin it, or find why it cannot: then it is tried again until its deadline, and given up with the reason.

    Who takes part stays as it was planned; whoever runs something else meanwhile, or left, is planned as it is. A plan that
    was approved and is another one now waits for its approval again. Returns whether the rollout moved.
    """
    try:
        return plan_afresh(lambda: _tried(ports, rollout_id))
    except MoveConflictError:
        return False  # somebody else moved it first
    except ReleaserError as error:
        return _not_yet(ports, rollout_id, str(error))


def _tried(ports: Ports, rollout_id: int) -> bool:
    with ports.database.reading() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.SCHEDULED:
            return False
        shown, ending = load(Plan, rollout.plan), rollouts.giving_way(session, rollout_id)
        members = frozenset(update.target_id for update in rollout.updates)
    if ending:
        return _not_yet(ports, rollout_id, f"rollout {ending[0]} has not ended")
    plan = make_plan(
        ports,
        product=shown.product,
        version=shown.version,
        selector=shown.selector,
        options=shown.options,
        only=members,
    )
    plan.check()
    if ending := _taken_over(ports, rollout_id, plan):
        return _not_yet(ports, rollout_id, f"rollout {ending[0]} has not ended")
    return _begin(ports, rollout_id, replace(plan, newest_target=shown.newest_target))


def _taken_over(ports: Ports, rollout_id: int, plan: Plan) -> Sequence[int]:
    """Who came to be at work there since it was scheduled, told to end now where it takes over and nothing else stands in its way."""
    if not plan.options.supersede:
        return ()
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.SCHEDULED:
            return ()  # a person called it off
        if rollouts.holders(session, rollout_id):
            require_notices(session, rollout=rollout, now=now)
        give_way(session, rollout, options=plan.options, now=now, by="releaser")
        ended_first = [holder.id for holder in rollouts.holders(session, rollout_id)]
    ports.wake()
    return ended_first


def _begin(ports: Ports, rollout_id: int, plan: Plan) -> bool:
    """Raises `NoticeRequiredError` after what it asks for, the draft to announce, was kept; it may be announced for a while from then on."""
    now = ports.clock.now()
    untold: NoticeRequiredError | None = None
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.SCHEDULED:
            return False  # another worker began it, or a person called it off
        for holder in rollouts.holders(session, rollout_id):
            raise busy(holder)
        recheck_plan(session, plan)
        changed = rollout.plan_hash != plan.hash
        if changed:
            keep_again(session, rollout, plan)
            draft_again(session, rollout, plan, now=now)
        try:
            _release(ports, session, rollout, plan, now=now)
        except NoticeRequiredError as error:
            untold = error
            if changed:
                rollout.begin_by_at = now + BEGIN_WITHIN
    if untold is not None:
        raise untold
    ports.wake()
    return True


def _release(ports: Ports, session: Session, rollout: Rollout, plan: Plan, *, now: datetime) -> None:
    """Let it run by the plan that it has now, unless nothing is to do or that needs an approval."""
    if not plan.changes:
        end_unchanged(ports, session, rollout)
        finish_work(session, rollout=rollout, now=now)
    elif rollout.needs_approval and not rollout.approved_by:
        to, reason = RolloutState.AWAITING_APPROVAL, "what is there changed since the plan was approved"
        moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason)
        rollout.reason = reason
    else:
        rollout.reason = ""
        release_rollout(session, rollout, options=plan.options, ports=ports, by="releaser", scheduled=True)


def _not_yet(ports: Ports, rollout_id: int, why: str) -> bool:
    """Try again soon, or after the deadline not any more. Returns whether it was given up.

    The deadline counts from the end of those that are winding down there: a soak of theirs may last longer than that.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.SCHEDULED:
            return False
        if any(holder.state in ENDING for holder in rollouts.holders(session, rollout_id)):
            rollout.begin_by_at = max(rollout.begin_by_at or now, now + BEGIN_WITHIN)
        if rollout.begin_by_at is None or now < rollout.begin_by_at:
            rollout.begins_at, rollout.reason = now + TRY_AGAIN_FOR, f"could not begin yet: {why}"[:2000]
            return False
        reason = f"could not begin by {rollout.begin_by_at:%Y-%m-%d %H:%M}Z, so plan it again: {why}"[:2000]
        rollout.reason = ""  # what customers are told has nothing of it
        to = RolloutState.ABORTED
        moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason, finished_at=now)
        finish_work(session, rollout=rollout, now=now)
        rollout.reason = reason
    return True
