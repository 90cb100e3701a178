"""Approve a rollout that waits for it. An approval binds to the plan's hash; the author cannot approve."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan
from releaser.domain.rollout import RolloutState
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.keep_plan import draft_again, keep_again
from releaser.flows.make_plan import make_plan
from releaser.flows.ports import Facts, Ports
from releaser.flows.recheck_plan import plan_afresh, recheck_plan
from releaser.flows.start_rollout import release_rollout
from releaser.store import rollout_facts, rollouts
from releaser.store.plain import load


def approve_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Approve and start, after the plan was made again.

    When it differs from what was shown, the new one is kept instead and `RefusedError(rule="plan-changed")` says so.

    Raises also `RolloutNotFoundError`, `MoveConflictError`, `RefusedError(rule="four-eyes")`, `PlanStaleError`, and the start's
    errors.
    """
    facts = plan_afresh(lambda: _approve(ports, rollout_id, by=by, reason=reason))
    ports.wake()
    return facts


def _approve(ports: Ports, rollout_id: int, *, by: str, reason: str) -> Facts:
    with ports.database.reading() as session:
        shown, members = _shown(session, rollout_id, by=by)
    plan = make_plan(
        ports,
        product=shown.product,
        version=shown.version,
        selector=shown.selector,
        options=shown.options,
        only=members,
    )
    plan.check()
    with ports.database.transaction() as session:
        if _shown(session, rollout_id, by=by) != (shown, members):
            raise _changed(rollout_id)  # somebody planned it anew in this moment
        recheck_plan(session, plan)
        rollout = rollouts.get(session, rollout_id)
        if plan.hash == shown.hash:
            rollout.approved_by = by
            rollout.reason = reason
            release_rollout(session, rollout, options=plan.options, ports=ports, by=by, reason=reason)
            return rollout_facts.of_rollout(rollout)
        keep_again(session, rollout, replace(plan, newest_target=shown.newest_target))
        draft_again(session, rollout, plan, now=ports.clock.now())
    raise _changed(rollout_id)


def _shown(session: Session, rollout_id: int, *, by: str) -> tuple[Plan, frozenset[int]]:
    """What somebody else than its authors is asked to approve, and for whom it is. Raises `MoveConflictError`, `RefusedError`."""
    rollout = rollouts.get(session, rollout_id)
    if rollout.state is not RolloutState.AWAITING_APPROVAL:
        raise MoveConflictError(
            f"rollout {rollout_id}", source="awaiting_approval", to="running", actual=rollout.state.value
        )
    if by in {rollout.created_by, *rollout.authors}:
        raise RefusedError(
            f"{by or 'The author'} asked for rollout {rollout_id} and cannot approve it.",
            rule="four-eyes",
            advice="Ask somebody else to approve it.",
        )
    return load(Plan, rollout.plan), frozenset(update.target_id for update in rollout.updates)


def _changed(rollout_id: int) -> RefusedError:
    return RefusedError(
        f"The plan of rollout {rollout_id} changed since it was shown.",
        rule="plan-changed",
        advice=f"Look at it again (releaser rollout show {rollout_id}) and approve the new plan.",
    )
