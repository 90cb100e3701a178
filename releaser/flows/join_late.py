"""Installations that came while a rollout ran join it at its end, as a trailing wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan, PlannedTarget
from releaser.domain.rollout import ROLLOUT_MOVES, PauseReason, RolloutState
from releaser.errors import NotFoundError, ReleaserError
from releaser.flows.keep_plan import draft_again, keep_members, wave_of
from releaser.flows.make_plan import make_plan
from releaser.flows.ports import Ports
from releaser.flows.recheck_plan import plan_afresh, recheck_plan
from releaser.store import installations, moves, rollouts
from releaser.store.plain import dump, load
from releaser.store.rollouts import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class _Come:
    """The plan as it stands, the targets that came since it was made, and whether they may join."""

    plan: Plan
    targets: frozenset[int]
    may_join: bool


def has_come(ports: Ports, *, rollout_id: int) -> bool:
    """Whether there is anybody who may join; no host is asked."""
    with ports.database.reading() as session:
        return _come(session, rollout_id) is not None


def join_late(ports: Ports, *, rollout_id: int) -> bool:
    """Append a wave of the targets that were added since the plan was made and that its selector means.

    The one rule: they join when every planned wave has ended well, and only a rollout that nobody had to approve: an approval
    is for the plan that was shown, so those who came late are named instead, and wait for a rollout of their own. In a `gated` one
    somebody lets that wave begin. Returns
    whether a wave was appended; the reason why not stands with the plan.
    """
    return plan_afresh(lambda: _joined(ports, rollout_id))


def _joined(ports: Ports, rollout_id: int) -> bool:
    with ports.database.reading() as session:
        come = _come(session, rollout_id)
    if come is None:
        return False
    try:
        late = make_plan(
            ports,
            product=come.plan.product,
            version=come.plan.version,
            selector=come.plan.selector,
            options=replace(come.plan.options, waves=("100%",)),
            only=come.targets,
        )
        if come.may_join:
            late.check()
    except NotFoundError:
        return False  # the selector means none of them
    except ReleaserError as error:
        return _left_out(ports, rollout_id, (), str(error))
    if not come.may_join:
        return _left_out(ports, rollout_id, late.targets, "the approval was given without it")
    return _join(ports, rollout_id, late)


def _come(session: Session, rollout_id: int) -> _Come | None:
    """What came since; None mostly, by one cheap look."""
    since = rollouts.newest_target_planned(session, rollout_id)
    if installations.newest_target(session) <= since:
        return None
    rollout = rollouts.get(session, rollout_id)
    planned = {update.target_id for update in rollout.updates}
    targets = frozenset(installations.targets_since(session, rollout.product_id, since)) - planned
    if not targets or rollout.rehearsal:
        return None
    return _Come(plan=load(Plan, rollout.plan), targets=targets, may_join=not rollout.needs_approval)


def _join(ports: Ports, rollout_id: int, late: Plan) -> bool:
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state is not RolloutState.RUNNING:
            return False
        recheck_plan(session, late)
        plan = load(Plan, rollout.plan)  # others may have joined since it was read
        number = max((wave.number for wave in rollout.waves), default=0) + 1
        members = {update.target_id for update in rollout.updates}
        come = [one for one in late.targets if one.target_id not in members]
        free = [one for one in come if rollouts.holder(session, one.target_id) is None]
        joining = tuple(replace(one, wave=number) for one in free)
        whole = replace(plan, targets=(*plan.targets, *joining), newest_target=late.newest_target)
        rollout.plan, rollout.plan_hash = dump(whole), whole.hash
        if held := [one for one in come if one not in free]:
            rollout.late = _told(plan, held, "another rollout is at work there")
        changed = [one for one in joining if not one.already_installed]
        if joining:
            session.add(wave_of(rollout, whole, number=number, size=len(changed)))
        if rollout.gated and changed:
            _stop_at_gate(session, rollout, number, now=ports.clock.now())
        keep_members(session, rollout, joining, first=len(rollout.updates), active=True)
        session.flush()
        session.refresh(rollout)
        draft_again(session, rollout, whole, now=ports.clock.now())
    ports.wake()
    return bool(joining)


def _stop_at_gate(session: Session, rollout: Rollout, number: int, *, now: datetime) -> None:
    """Somebody lets the trailing wave begin, as every other one but the first."""
    reason = f"wave {number - 1} is done, and somebody has to let wave {number} begin"
    to = RolloutState.PAUSED
    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason, paused_at=now)
    rollout.reason, rollout.pause_reason = reason, PauseReason.GATE


def _left_out(ports: Ports, rollout_id: int, late: tuple[PlannedTarget, ...], why: str) -> bool:
    """Name those who came late beside the plan; the rollout ends without them."""
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        rollout.late = _told(load(Plan, rollout.plan), late, why)
    return False


def _told(plan: Plan, late: Sequence[PlannedTarget], why: str) -> str:
    named = sorted({one.installation for one in late})
    who = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "") if named else "installations"
    advice = f"roll out to it by itself: releaser deploy {plan.product} {plan.version} --to installation=NAME"
    return f"{who} came while it ran and did not join: {why}; {advice}"[:2000]
