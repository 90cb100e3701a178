"""Look once more whether the version runs where a plan of some time ago found it, before that is written down as a fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan, PlannedTarget
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.domain.rollout_moves import current_wave
from releaser.errors import ReleaserError
from releaser.flows.keep_plan import draft_again, plan_update
from releaser.flows.make_plan import make_plan
from releaser.flows.move_update import move_update
from releaser.flows.ports import Ports
from releaser.flows.recheck_plan import plan_afresh, recheck_plan
from releaser.store import rollouts
from releaser.store.plain import dump, load
from releaser.store.rollouts import Rollout, TargetUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anew:
    """Each target as it is planned now, and why it is left as it is, by installation; `left` is why all others are."""

    plan: Plan | None = None
    targets: Mapping[int, PlannedTarget] = field(default_factory=dict)
    against: Mapping[str, str] = field(default_factory=dict)
    left: str = ""

    def of(self, update: TargetUpdate) -> tuple[PlannedTarget | None, str]:
        """What is planned for the target of an update, and why nothing of it is done."""
        planned = self.targets.get(update.target_id)
        why = self.against.get(update.target.installation.name, "" if planned is not None else self.left)
        return planned, why


def confirm_installed(ports: Ports, *, rollout_id: int) -> bool:
    """Look at every target of the wave at hand where nothing is to be done; no transaction is open meanwhile. Returns whether one moved.

    Where the version runs, it is recorded as installed already. Where it does not any more, the target is planned anew and
    updated with its wave, as far as its notice, its contract and the rules allow. What somebody approved is not changed: there, and
    where the rules refuse it, the target is skipped with the reason, for `releaser rollout retry`.
    """
    return plan_afresh(lambda: _confirmed(ports, rollout_id))


def _confirmed(ports: Ports, rollout_id: int) -> bool:
    with ports.database.reading() as session:
        rollout = rollouts.get(session, rollout_id)
        shown, is_approved = load(Plan, rollout.plan), rollout.needs_approval
        to_see = frozenset(update.target_id for update in _to_confirm(rollout))
    if not to_see:
        return False
    anew = _planned(ports, shown, to_see, is_approved=is_approved)
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if anew.plan is not None:
            recheck_plan(session, anew.plan)
        updates = [one for one in _to_confirm(rollout) if one.target_id in to_see]
        for update in updates:
            _go_on(ports, session, update, anew)
        _keep(ports, session, rollout, updates, anew)
    return bool(updates)


def _to_confirm(rollout: Rollout) -> list[TargetUpdate]:
    """Those of the wave at hand that wait and have nothing to do."""
    wave = current_wave({one.number: one.state for one in rollout.waves})
    if rollout.state is not RolloutState.RUNNING or wave is None:
        return []
    waiting = (one for one in rollout.updates if one.wave == wave and one.state is UpdateState.PENDING)
    return [one for one in waiting if not one.steps]


def _planned(ports: Ports, shown: Plan, to_see: frozenset[int], *, is_approved: bool) -> _Anew:
    if shown.options.operation is not None:  # what is added to what runs is never worked out a second time
        return _Anew()
    options = replace(shown.options, waves=("100%",))
    given = {"product": shown.product, "version": shown.version, "selector": shown.selector}
    try:
        plan = make_plan(ports, **given, options=options, only=to_see)
    except ReleaserError as error:
        return _Anew(left=f"could not be looked at again: {error}"[:2000])
    against = {one.installation: one.reason for one in plan.passed}
    for one in plan.changes:
        if why := _why_not(plan, one, is_approved=is_approved):
            against[one.installation] = why
    targets = {one.target_id: one for one in plan.targets}
    return _Anew(plan=plan, targets=targets, against=against, left="is not meant any more")


def _why_not(plan: Plan, one: PlannedTarget, *, is_approved: bool) -> str:
    """Why a target where the version does not run any more is left as it is."""
    if not one.seen:
        return f"could not be looked at again: {one.warning}"[:2000]
    if is_approved:
        return f"does not run {plan.version} any more, and what was approved does nothing there"
    return next((refused.detail for refused in plan.refusals if refused.installation in {"", one.installation}), "")


def _go_on(ports: Ports, session: Session, update: TargetUpdate, anew: _Anew) -> None:
    planned, why = anew.of(update)
    installed = planned is None or planned.already_installed
    if planned is not None and not installed and not why:
        plan_update(update, planned)
        return
    to = UpdateState.ALREADY_INSTALLED if installed and not why else UpdateState.SKIPPED
    driver = ports.drivers[update.target.driver]
    move_update(session, update, to, driver=driver, now=ports.clock.now(), by="releaser", reason=why)


def _keep(ports: Ports, session: Session, rollout: Rollout, updates: Sequence[TargetUpdate], anew: _Anew) -> None:
    """What is done anew is part of the rollout's plan and of its notice."""
    todo = {}
    for update in updates:
        planned, _ = anew.of(update)
        if planned is not None and update.state is UpdateState.PENDING:
            todo[update.target_id] = replace(planned, wave=update.wave)
    if not todo:
        return
    plan = load(Plan, rollout.plan)  # others may have joined since it was read
    whole = replace(plan, targets=tuple(todo.get(one.target_id, one) for one in plan.targets))
    rollout.plan, rollout.plan_hash = dump(whole), whole.hash
    session.flush()
    draft_again(session, rollout, whole, now=ports.clock.now())
