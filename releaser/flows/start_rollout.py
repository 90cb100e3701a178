"""Start a rollout: plan it, check every rule, and let the worker take over. A retry of the same trigger finds the same one."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan, RolloutOptions
from releaser.domain.rollout import ROLLOUT_MOVES, WAVE_MOVES, RolloutState, UpdateState, WaveState
from releaser.errors import InvalidError
from releaser.flows.give_way import ENDING, busy, give_way
from releaser.flows.keep_plan import keep_plan
from releaser.flows.make_plan import make_plan
from releaser.flows.move_update import move_update
from releaser.flows.notice_gate import NoticeRequiredError, require_notices
from releaser.flows.plan_rollout import check_options
from releaser.flows.ports import Facts, Ports
from releaser.flows.recheck_plan import plan_afresh
from releaser.flows.refuse_release import check_state
from releaser.store import moves, rollout_facts, rollouts, triggers
from releaser.store.plain import dump, load
from releaser.store.rollouts import Rollout

BEGIN_WITHIN = timedelta(hours=1)
"""How long a scheduled rollout is tried to begin: what stands in its way longer is for a person."""


class TriggerReusedError(InvalidError):
    """The idempotency key was used before, for something else."""


def start_rollout(
    ports: Ports,
    *,
    product: str,
    version: str,
    selector: str,
    by: str,
    options: RolloutOptions,
    key: str | None = None,
) -> Facts:
    """Start (or find) the rollout. The facts carry `unchanged`: everything runs already, nothing was to do.

    Idempotent by `key`, and while the same rollout is under way; every answer is kept under its key for good. Raises `TriggerReusedError`, `TargetBusyError`,
    `RefusedError` (release state, missing notice: then the plan and the draft are kept), what `make_plan` raises, and
    `PlanStaleError` where something changes there all the time.
    """
    check_options(options)
    asked = _body_hash(product=product, version=version, selector=selector, options=options)

    def attempt() -> Facts:
        if key is not None and (found := _by_key(ports, key, asked)):
            return found
        plan = make_plan(ports, product=product, version=version, selector=selector, options=options)
        plan.check()
        return _start(ports, plan, key=key, asked=asked, by=by)

    facts = plan_afresh(attempt)
    ports.wake()
    return facts


def _start(ports: Ports, plan: Plan, *, key: str | None, asked: str, by: str) -> Facts:
    """Keep the plan and let it run. What is refused leaves nothing behind, but for what the refusal asks for: the draft to announce."""
    now = ports.clock.now()
    untold: NoticeRequiredError | None = None
    with ports.database.transaction() as session:
        if (again := _again(session, plan, key, asked, now=now)) is not None:
            _answer(session, again, key=key, asked=asked, now=now)
            return {**rollout_facts.of_rollout(again), "unchanged": False, "found": True}
        rollout = keep_plan(session, plan, by=by, now=now)
        if not plan.changes:
            _answer(session, rollout, key=key, asked=asked, now=now)
            return end_unchanged(ports, session, rollout)
        try:
            if rollout.needs_approval and not rollout.approved_by:
                if rollout.state is RolloutState.PLANNED:
                    to = RolloutState.AWAITING_APPROVAL
                    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by=by)
            else:
                release_rollout(session, rollout, options=plan.options, ports=ports, by=by)
            _answer(session, rollout, key=key, asked=asked, now=now)
        except NoticeRequiredError as error:
            untold = error
        facts = {**rollout_facts.of_rollout(rollout), "unchanged": False, "found": False}
    if untold is not None:
        raise untold
    return facts


def release_rollout(
    session: Session,
    rollout: Rollout,
    *,
    options: RolloutOptions,
    ports: Ports,
    by: str,
    reason: str = "",
    scheduled: bool = False,
) -> None:
    """Let a planned or approved rollout run, after the last checks: at its time, and behind those that it takes over from.

    Its plan was rechecked in this transaction. `scheduled`: it waited for both already. Raises `RefusedError`, `TargetBusyError`.
    """
    now = ports.clock.now()
    check_state(rollout.release)  # once more: it may have been yanked since the plan was made
    if not rollout.rehearsal:
        require_notices(session, rollout=rollout, now=now)
    begins_at = max(options.starts_at or now, now)
    if not scheduled and (begins_at > now or give_way(session, rollout, options=options, now=now, by=by)):
        moves.move(
            session,
            rollout,
            RolloutState.SCHEDULED,
            moves=ROLLOUT_MOVES,
            now=now,
            by=by,
            reason=reason,
            begins_at=begins_at,
            begin_by_at=begins_at + BEGIN_WITHIN,
        )
        return
    for holder in rollouts.holders(session, rollout.id):
        raise busy(holder)
    for update in rollout.updates:
        update.active = update.active or update.state is UpdateState.PENDING
    to = RolloutState.RUNNING
    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by=by, reason=reason, started_at=now)


def _again(session: Session, plan: Plan, key: str | None, asked: str, *, now: datetime) -> Rollout | None:
    """The rollout that is asked for once more: by its key, or by what is under way or scheduled.

    Raises `TriggerReusedError`, `TargetBusyError`.
    """
    if key is not None and (found := triggers.find(session, key)) is not None:
        return _checked(found, asked)
    holder = _holder(session, plan)
    if holder is not None and _same(holder, plan):
        return holder
    is_later = plan.options.starts_at is not None and plan.options.starts_at > now
    if holder is not None and not plan.options.supersede and not is_later:
        raise busy(holder)
    for waiting in rollouts.in_states(session, RolloutState.SCHEDULED):
        if _same(waiting, plan):
            if load(RolloutOptions, waiting.plan["options"]) != plan.options:
                raise busy(waiting)
            return waiting
    return None


def _by_key(ports: Ports, key: str, asked: str) -> Facts | None:
    """What an earlier call with this key was answered with. Raises `TriggerReusedError` when it asked for something else."""
    with ports.database.reading() as session:
        trigger = triggers.find(session, key)
        if trigger is None:
            return None
        return {**rollout_facts.of_rollout(_checked(trigger, asked)), "unchanged": False, "found": True}


def _checked(trigger: triggers.Trigger, asked: str) -> Rollout:
    if trigger.body_hash != asked:
        raise TriggerReusedError(
            f"The idempotency key was used for rollout {trigger.rollout_id}, which asked for something else.",
            advice="Use a new key for a new request.",
            field="Idempotency-Key",
        )
    return trigger.rollout


def _answer(session: Session, rollout: Rollout, *, key: str | None, asked: str, now: datetime) -> None:
    if key is not None and triggers.find(session, key) is None:
        triggers.keep(session, key, body_hash=asked, rollout=rollout, now=now)


def _body_hash(*, product: str, version: str, selector: str, options: RolloutOptions) -> str:
    """Names what a trigger asked for, so that the same key with another body can be told apart.

    Whoever scales names no version: it is the one that ran there when they asked.
    """
    body = [product, version if options.operation is None else "", selector, dump(options)]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _holder(session: Session, plan: Plan) -> Rollout | None:
    for target in plan.targets:
        update = rollouts.holder(session, target.target_id)
        if update is not None:
            return update.rollout
    return None


def _same(rollout: Rollout, plan: Plan) -> bool:
    """Whether it brings what is planned; what ends, and undoes what it can, does not."""
    return (
        rollout.product.name == plan.product
        and rollout.release.version == plan.version
        and rollout.selector == plan.selector
        and rollout.rehearsal is plan.options.rehearse
        and load(RolloutOptions, rollout.plan["options"]).operation == plan.options.operation
        and rollout.superseded_by_id is None
        and rollout.state not in ENDING
    )


def end_unchanged(ports: Ports, session: Session, rollout: Rollout) -> Facts:
    """Everything runs already: write that down as a rollout that succeeded at once."""
    now = ports.clock.now()
    for update in rollout.updates:
        driver = ports.drivers[update.target.driver]
        move_update(session, update, UpdateState.ALREADY_INSTALLED, driver=driver, now=now, by="releaser")
    for wave in rollout.waves:
        moves.move(session, wave, WaveState.SKIPPED, moves=WAVE_MOVES, now=now, by="releaser", finished_at=now)
    moves.move(
        session,
        rollout,
        RolloutState.SUCCEEDED,
        moves=ROLLOUT_MOVES,
        now=now,
        by="releaser",
        reason="already installed everywhere",
        finished_at=now,
    )
    return {**rollout_facts.of_rollout(rollout), "unchanged": True, "found": False}
