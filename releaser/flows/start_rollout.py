"""Start a rollout: plan it, check every rule, and let the worker take over. A retry of the same trigger finds the same one."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan, RolloutOptions
from releaser.domain.rollout import ROLLOUT_MOVES, WAVE_MOVES, RolloutState, UpdateState, WaveState
from releaser.errors import ConflictError, InvalidError
from releaser.flows.make_plan import make_plan
from releaser.flows.move_update import move_update
from releaser.flows.notice_gate import require_notices
from releaser.flows.plan_rollout import body_hash, keep_plan
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, rollouts
from releaser.store.rollouts import Rollout, TargetUpdate


class TriggerReusedError(InvalidError):
    """The idempotency key was used before, for something else."""


class TargetBusyError(ConflictError):
    """Another rollout is at work on a target that this one needs; it is named."""


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

    Idempotent by `key`, and while the same rollout is under way. Raises `TriggerReusedError`, `TargetBusyError`,
    `RefusedError` (release state, missing notice: the plan and the draft are kept), and what `make_plan` raises.
    """
    asked = body_hash(product=product, version=version, selector=selector, options=options)
    if key is not None and (found := _by_key(ports, key, asked)):
        return found
    plan = make_plan(ports, product=product, version=version, selector=selector, options=options)
    plan.check()
    now = ports.clock.now()
    with ports.database.transaction() as session:
        if key is not None and (again := rollouts.by_trigger(session, key)) is not None:
            return {**rollouts.facts(again), "unchanged": False, "found": True}
        holder = _holder(session, plan)
        if holder is not None:
            if _same(holder, plan):
                return {**rollouts.facts(holder), "unchanged": False, "found": True}
            raise _busy(holder)
        rollout = keep_plan(session, plan, by=by, now=now)
        rollout_id = rollout.id
        if not plan.changes:
            rollout.trigger_key, rollout.body_hash = key, asked
            return _nothing_to_do(ports, session, rollout)
    # The plan and the draft notice are kept even if a rule refuses the start: the refusal names what to do with them.
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        rollout.trigger_key, rollout.body_hash = key, asked
        if options.needs_approval and not rollout.approved_by:
            if rollout.state is RolloutState.PLANNED:
                moves.move(session, rollout, RolloutState.AWAITING_APPROVAL, moves=ROLLOUT_MOVES, now=now, by=by)
        else:
            release_rollout(session, rollout, ports=ports, by=by)
        facts = {**rollouts.facts(rollout), "unchanged": False, "found": False}
    ports.wake()
    return facts


def release_rollout(session: Session, rollout: Rollout, *, ports: Ports, by: str) -> None:
    """Let a planned or approved rollout run, after the last checks. Raises `RefusedError`, `TargetBusyError`."""
    now = ports.clock.now()
    require_notices(session, rollout=rollout, now=now)
    for update in rollout.updates:
        if update.state is UpdateState.PENDING:
            _take(session, update)
    moves.move(session, rollout, RolloutState.RUNNING, moves=ROLLOUT_MOVES, now=now, by=by, started_at=now)


def _take(session: Session, update: TargetUpdate) -> None:
    holder = rollouts.holder(session, update.target_id)
    if holder is not None:
        raise _busy(holder.rollout)
    update.active = True
    session.flush()


def _by_key(ports: Ports, key: str, asked: str) -> Facts | None:
    """What an earlier call with this key made. Raises `TriggerReusedError` when it asked for something else."""
    with ports.database.reading() as session:
        rollout = rollouts.by_trigger(session, key)
        if rollout is None:
            return None
        if rollout.body_hash != asked:
            raise TriggerReusedError(
                f"The idempotency key was used for rollout {rollout.id}, which asked for something else.",
                advice="Use a new key for a new request.",
                field="Idempotency-Key",
            )
        return {**rollouts.facts(rollout), "unchanged": False, "found": True}


def _holder(session: Session, plan: Plan) -> Rollout | None:
    for target in plan.targets:
        update = rollouts.holder(session, target.target_id)
        if update is not None:
            return update.rollout
    return None


def _same(rollout: Rollout, plan: Plan) -> bool:
    return (
        rollout.product.name == plan.product
        and rollout.release.version == plan.version
        and rollout.selector == plan.selector
    )


def _busy(rollout: Rollout) -> TargetBusyError:
    return TargetBusyError(
        f"Rollout {rollout.id} of {rollout.product.name} {rollout.release.version} is at work there "
        f"({rollout.state.value}, started by {rollout.created_by or 'unknown'}).",
        advice=f"Wait for it, or stop it: releaser rollout abort {rollout.id}.",
        rollout=rollout.id,
    )


def _nothing_to_do(ports: Ports, session: Session, rollout: Rollout) -> Facts:
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
    return {**rollouts.facts(rollout), "unchanged": True, "found": False}
