"""Try again what failed in a rollout that ended: a new attempt for every target that is not where it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.advance import LEFT_AS_IT_IS
from releaser.domain.plan import Plan, PlannedTarget
from releaser.domain.rollout import (
    ENDED,
    RETRIABLE,
    ROLLOUT_MOVES,
    UPDATE_MOVES,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaveState,
)
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.give_way import busy
from releaser.flows.keep_plan import draft_again, plan_update
from releaser.flows.make_plan import make_plan
from releaser.flows.move_update import move_update
from releaser.flows.notice_gate import require_notices
from releaser.flows.ports import Facts, Ports
from releaser.flows.recheck_plan import PlanStaleError, plan_afresh, recheck_plan
from releaser.flows.refuse_release import check_version
from releaser.store import moves, rollout_facts, rollouts
from releaser.store.plain import dump, load
from releaser.store.rollouts import Rollout, TargetUpdate

_TRIED_AGAIN = frozenset({RolloutState.SUCCEEDED, RolloutState.FAILED, RolloutState.ROLLED_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """The plan as it was approved and told, and what of it is to be done now, with its waves."""

    shown: Plan
    now: Plan

    @property
    def whole(self) -> Plan:
        """The rollout's plan: where something is done again, as it is planned now."""
        anew = self.by_target
        return replace(self.shown, targets=tuple(anew.get(one.target_id, one) for one in self.shown.targets))

    @property
    def by_target(self) -> Mapping[int, PlannedTarget]:
        return {one.target_id: one for one in self.now.targets}


def retry_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Start a new attempt, planned from what is there now. Targets that are *inconsistent* are left alone: they are for people.

    A rollout that succeeded is tried again where targets failed, as many as may, or were skipped. Where only a wave fell ill it is watched again. Whoever was pinned meanwhile, or is not meant any more, is skipped. The work needs a covering notice again: one is drafted
    before `RefusedError(rule="notice-required")` asks for it. Raises also `RolloutNotFoundError`, `MoveConflictError`,
    `TargetBusyError`, `PlanStaleError`, what `make_plan` raises, and `RefusedError` for what rules refuse of the plan (`version-blocked`,
    `release-state` and so on), for targets that something else was rolled out to (`overtaken`), and where what was approved
    would be another plan now (`plan-changed`).
    """
    facts = plan_afresh(lambda: _retry(ports, rollout_id, by=by, reason=reason))
    ports.wake()
    return facts


def _retry(ports: Ports, rollout_id: int, *, by: str, reason: str) -> Facts:
    with ports.database.reading() as session:
        rollout = _ended(session, rollout_id)
        shown, is_approved, left = load(Plan, rollout.plan), rollout.needs_approval, _left(rollout)
    again = _plan_again(ports, shown, left) if left else None
    if again is not None:
        _check_not_overtaken(again)
        if is_approved:
            _check_as_approved(rollout_id, again)
    with ports.database.transaction() as session:
        rollout = _ended(session, rollout_id)
        _check_holds(session, rollout, again, left)
        if again is not None:
            draft_again(session, rollout, again.now, now=ports.clock.now())
    # The draft is kept even if it is not announced yet: the refusal names it.
    with ports.database.transaction() as session:
        rollout = _ended(session, rollout_id)
        _check_holds(session, rollout, again, left)
        for holder in rollouts.holders(session, rollout.id, states=RETRIABLE):
            raise busy(holder)
        if again is not None:
            _keep(ports, session, rollout, again, by=by, reason=reason)
        _go_on(session, rollout, now=ports.clock.now(), by=by, reason=reason)
        return rollout_facts.of_rollout(rollout)


def _ended(session: Session, rollout_id: int) -> Rollout:
    """The rollout, which ended and left something, and nothing unclear. Raises `MoveConflictError`, `RefusedError`."""
    rollout = rollouts.get(session, rollout_id)
    _check_ended(rollout)
    _check_consistent(rollout)
    return rollout


def _left(rollout: Rollout) -> Mapping[int, int]:
    """Target -> its wave, of all that are not where they should be."""
    return {update.target_id: update.wave for update in rollout.updates if update.state in RETRIABLE}


def _check_holds(session: Session, rollout: Rollout, again: _Again | None, left: Mapping[int, int]) -> None:
    """That nobody tried it meanwhile and all is recorded as it was; where only a wave is watched again, that the version may go.

    Raises `PlanStaleError`, `RefusedError`.
    """
    if _left(rollout) != left:
        raise PlanStaleError(
            f"What rollout {rollout.id} left changed while it was planned again.", advice="Try it again."
        )
    if again is None:
        check_version(session, rollout.release)
    else:
        recheck_plan(session, again.now)


def _plan_again(ports: Ports, shown: Plan, wave_of: Mapping[int, int]) -> _Again:
    """What is to be done where it was not, in the waves it had. Raises what `make_plan` and the rules raise."""
    plan = make_plan(
        ports,
        product=shown.product,
        version=shown.version,
        selector=shown.selector,
        options=shown.options,
        only=frozenset(wave_of),
    )
    plan.check()
    targets = tuple(replace(one, wave=wave_of[one.target_id]) for one in plan.targets)
    return _Again(shown=shown, now=replace(plan, targets=targets))


def _keep(ports: Ports, session: Session, rollout: Rollout, again: _Again, *, by: str, reason: str) -> None:
    """Write down what is planned now and begin it, where everybody whom it stops was told. Raises `NoticeRequiredError`."""
    now = ports.clock.now()
    rollout.plan, rollout.plan_hash = dump(again.whole), again.whole.hash
    passed = {one.installation: one.reason for one in again.now.passed}
    for update in [one for one in rollout.updates if one.state in RETRIABLE]:
        _clean(update)
        planned = again.by_target.get(update.target_id)
        if planned is not None:
            plan_update(update, planned)
        moves.move(session, update, UpdateState.PENDING, moves=UPDATE_MOVES, now=now, by=by, reason=reason)
        if planned is None:
            why = passed.get(update.target.installation.name, "is not meant any more")
            driver = ports.drivers[update.target.driver]
            move_update(session, update, UpdateState.SKIPPED, driver=driver, now=now, by=by, reason=why)
        else:
            update.active = True
    if not rollout.rehearsal:
        require_notices(session, rollout=rollout, now=now)


def _go_on(session: Session, rollout: Rollout, *, now: datetime, by: str, reason: str) -> None:
    waves = {update.wave for update in rollout.updates if update.state is UpdateState.PENDING}
    for wave in rollout.waves:
        # One that fell ill after all its targets had succeeded is watched again.
        if wave.number in waves or wave.state is WaveState.FAILED:
            moves.move(session, wave, WaveState.PENDING, moves=WAVE_MOVES, now=now, by=by, finished_at=None)
    to = RolloutState.RUNNING
    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by=by, reason=reason, finished_at=None)
    rollout.reason = reason  # why it failed stands in its story


def _check_ended(rollout: Rollout) -> None:
    """That there is something to try again; who ended it before it had ended by itself meant the rest, too."""
    state, advice = rollout.state, ""
    if state not in ENDED:
        advice = f"It has not ended: releaser rollout show {rollout.id} tells what is next."
    elif state not in _TRIED_AGAIN:
        why = "was aborted" if state is RolloutState.ABORTED else "gave way to another one"
        advice = f"It {why}, and is not tried again: where it is still wanted, begin a new one (`releaser deploy`)."
    elif state is RolloutState.SUCCEEDED and (rollout.rehearsal or not _left(rollout)):
        advice = "Nothing of it failed or was skipped, so there is nothing to try again."
    if advice:
        to = RolloutState.RUNNING.value
        raise MoveConflictError(f"Rollout {rollout.id}", source=state.value, to=to, advice=advice)


def _check_consistent(rollout: Rollout) -> None:
    """A target whose state is not known is looked at by a person first; going on around it would hide it."""
    inconsistent = [u for u in rollout.updates if u.state is UpdateState.INCONSISTENT]
    if inconsistent:
        unclear = [u.target.installation.name for u in inconsistent]
        by_hand = "Look at the host, bring the container up or remove it, then deploy again with `releaser deploy`."
        over_it = "Leave what runs there: release a mended version with a higher number and deploy that over it."
        raise RefusedError(
            f"Rollout {rollout.id} left {', '.join(unclear)} in an inconsistent state, so it is not tried again.",
            rule="inconsistent",
            advice=over_it if all(LEFT_AS_IT_IS in u.reason for u in inconsistent) else by_hand,
        )


def _check_not_overtaken(again: _Again) -> None:
    """What was rolled out to a target since was never part of this rollout, so it does not put something else in its place."""
    before = {one.target_id: one.previous for one in again.shown.targets}
    found = []
    for one in again.now.changes:
        was = before.get(one.target_id)
        if one.previous is not None and (was is None or was.digest != one.previous.digest):
            found.append(f"{one.installation} runs {one.previous.version}")
    if found:
        more = f" and {len(found) - 3} more" if found[3:] else ""
        raise RefusedError(
            f"Something else was rolled out since: {', '.join(found[:3])}{more}, so {again.now.version} is not tried again there.",
            rule="overtaken",
            advice=f"Where it is still wanted, plan it anew: releaser deploy {again.now.product} {again.now.version}.",
        )


def _check_as_approved(rollout_id: int, again: _Again) -> None:
    """An approval is for the plan that was shown."""
    targets = again.by_target
    asked = replace(again.shown, targets=tuple(one for one in again.shown.targets if one.target_id in targets))
    if replace(asked, targets=tuple(targets[one.target_id] for one in asked.targets)).hash != asked.hash:
        raise RefusedError(
            f"What is there changed since the plan of rollout {rollout_id} was approved.",
            rule="plan-changed",
            advice=f"Plan it anew and have that approved: releaser deploy {again.now.product} {again.now.version}.",
        )


def _clean(update: TargetUpdate) -> None:
    """A clean sheet for the next attempt; the journal of the earlier ones stays."""
    update.attempt += 1
    update.repeats = 0
    update.cut_over = False
    update.reason = ""
    update.measured_by = update.waiting_since_at = None
    update.stopped_before_s = 0.0
    update.stopped_at = update.served_at = update.finished_at = update.soak_until_at = None
