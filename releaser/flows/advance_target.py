"""Do the one next thing for one target's update: claim, decide, record the intent, act, record what was seen.

Called again and again by any worker. Nothing rests on who calls: the lease keeps others away, the generation
fences a controller that lost it, and every step looks before it acts, so that a repeat after a crash finishes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import Look, MoveTo, Repeat, Rest, RunStep, UpdateView, next_action, way_out
from releaser.domain.rollout import AT_WORK, StepState, UpdateState
from releaser.domain.target import Assignment, Desired, Health, Phase, Step, Stop, Verdict
from releaser.errors import OutsideError, ReleaserError
from releaser.flows.measure_stop import end_of_stop, keep_stop, measure_stop
from releaser.flows.move_update import cutover_deadline, gate_deadline, move_update, steps_of
from releaser.flows.ports import Ports
from releaser.store import rollout_work
from releaser.store.plain import load
from releaser.store.rollouts import StepRecord, TargetUpdate
from releaser.targets.target import Driver, EngineUnreachableError, FencedError, InconsistentError

LEASE_FOR = timedelta(seconds=7)
LOOK_AGAIN_FOR = timedelta(milliseconds=100)
FAILING_PROBES = 3
OFFLINE_FOR = timedelta(seconds=30)
LONGEST_REST_FOR = timedelta(seconds=10)

_PASSED = ":healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """What a claim decided: the action, and all that is needed to do it without the database."""

    action: RunStep | Look
    view: UpdateView
    assignment: Assignment
    driver: Driver
    tries: int
    look_every: timedelta


def advance_target(ports: Ports, *, update_id: int) -> datetime | None:
    """Do one action for the update. Returns when to call again, or None when another holds it or nothing is to do."""
    claimed = _claim(ports, update_id)
    if not isinstance(claimed, _Claimed):
        return claimed
    try:
        if isinstance(claimed.action, RunStep):
            measure_stop(ports, update_id=update_id, step=claimed.action.step, assignment=claimed.assignment)
            detail = claimed.driver.apply(claimed.action.step, claimed.assignment)
            return _done(ports, update_id, claimed, claimed.action.step, detail)
        return _looked(ports, update_id, claimed, _look(claimed))
    except FencedError:
        return None
    except OutsideError as error:
        return _failed(ports, update_id, claimed, error, permanent=error.permanent)
    except ReleaserError as error:
        return _failed(ports, update_id, claimed, error, permanent=True)


def _claim(ports: Ports, update_id: int) -> _Claimed | datetime | None:
    """Take the lease, decide, and record the decision: a move at once, a step as an intent."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        update = rollout_work.assigned(session, update_id)
        if update is None or update.state not in AT_WORK or not update.active:
            return None
        if not rollout_work.claim(session, update, owner=ports.owner, now=now, until=now + LEASE_FOR):
            return None
        driver = ports.drivers[update.target.driver]
        records = rollout_work.steps(session, update)
        view = _view(update, records)
        action = next_action(view, now=now)
        if isinstance(action, MoveTo):
            _move(session, update, action, driver=driver, now=now)
            ports.wake()
            return now
        if isinstance(action, Rest | Repeat):
            return None
        tries = 0
        if isinstance(action, RunStep):
            tries = _record_intent(session, update, records.get(action.step.name), action, now=now)
        return _Claimed(
            action=action,
            view=view,
            assignment=_assignment(update),
            driver=driver,
            tries=tries,
            look_every=_look_every(update, now=now),
        )


def _view(update: TargetUpdate, records: dict[str, StepRecord]) -> UpdateView:
    done = {name for name, record in records.items() if record.state is StepState.DONE}
    return UpdateView(
        state=update.state,
        steps=steps_of(update),
        done=frozenset(done),
        passed=frozenset(name.removesuffix(_PASSED) for name in done if name.endswith(_PASSED)),
        deadline_at=update.deadline_at,
        soak_until_at=update.soak_until_at,
        ends_as=update.ends_as,
        repeats=update.repeats,
        one_way=update.one_way,
    )


def _assignment(update: TargetUpdate) -> Assignment:
    target = update.target
    return Assignment(
        target=f"{target.installation.name}/{target.module.name}@{target.host.name}",
        host=target.host.name,
        address=target.host.address,
        rollout=update.rollout_id,
        attempt=update.attempt,
        generation=update.generation,
        desired=load(Desired, update.desired),
        previous=load(Desired, update.previous) if update.previous else None,
    )


def _look_every(update: TargetUpdate, *, now: datetime) -> timedelta:
    """Quick looks while the service is away or just back, the declared interval when it only soaks."""
    if update.state is UpdateState.SOAKING and update.soak_until_at is not None:
        interval = timedelta(seconds=load(Desired, update.desired).spec.health.interval_s)
        return max(LOOK_AGAIN_FOR, min(interval, update.soak_until_at - now))
    return LOOK_AGAIN_FOR


def _record_intent(
    session: Session, update: TargetUpdate, record: StepRecord | None, action: RunStep, *, now: datetime
) -> int:
    """Write that the step is about to be carried out, and when the service is about to stop. Returns the tries."""
    if action.step.stops is not Stop.NONE and update.cut_over and update.stopped_at is None:
        update.stopped_at = now
    if record is not None:
        record.tries += 1
        return record.tries
    session.add(
        StepRecord(
            update_id=update.id, attempt=update.attempt, name=action.step.name, state=StepState.INTENT, intent_at=now
        )
    )
    return 1


def _look(claimed: _Claimed) -> Verdict:
    rolling_back = claimed.view.state is UpdateState.ROLLING_BACK
    wanted = claimed.assignment.previous if rolling_back else claimed.assignment.desired
    gate = claimed.action.gate if isinstance(claimed.action, Look) else ""
    return claimed.driver.verify(replace(claimed.assignment, gate=gate), wanted=wanted)


def _mine(session: Session, ports: Ports, update_id: int) -> TargetUpdate | None:
    """The update again, if this process still holds it."""
    update = rollout_work.update(session, update_id)
    return update if update is not None and update.active and update.lease_owner == ports.owner else None


def _done(ports: Ports, update_id: int, claimed: _Claimed, step: Step, detail: str) -> datetime | None:
    """Record that a step was carried out and seen; from then on what its gate looks at has its time to become healthy."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        update = _mine(session, ports, update_id)
        if update is None:
            return None
        rollout_work.finish_step(session, update, step.name, detail, now=now)
        update.not_before_at = None
        if step.gate and update.state is UpdateState.CUTTING_OVER:
            update.deadline_at = gate_deadline(update, now=now)
        _move_on(session, ports, update, replace(claimed.view, done=claimed.view.done | {step.name}), claimed, now=now)
    return now


def _move_on(
    session: Session, ports: Ports, update: TargetUpdate, view: UpdateView, claimed: _Claimed, *, now: datetime
) -> None:
    """Move at once where nothing else is left to do in this state, unless somebody else moved the update meanwhile."""
    if update.state is not view.state:
        return
    action = next_action(replace(view, verdict=None, deadline_at=update.deadline_at), now=now)
    if isinstance(action, MoveTo):
        _move(session, update, action, driver=claimed.driver, now=now)
        ports.wake()


def _looked(ports: Ports, update_id: int, claimed: _Claimed, verdict: Verdict) -> datetime | None:
    """Decide again with the verdict: pass a gate, move, or look again soon."""
    over = verdict.health is Health.HEALTHY and not (isinstance(claimed.action, Look) and claimed.action.gate)
    seen = end_of_stop(ports, update_id=update_id, state=claimed.view.state) if over else None
    now = ports.clock.now()
    with ports.database.transaction() as session:
        update = _mine(session, ports, update_id)
        if update is None:
            return None
        keep_stop(update, seen)
        if verdict.health is Health.HEALTHY and update.stopped_at is not None and update.served_at is None:
            update.served_at = now
        look = claimed.action
        if isinstance(look, Look) and look.gate and verdict.health is Health.HEALTHY:
            rollout_work.finish_step(session, update, look.gate + _PASSED, verdict.reason, now=now)
            if update.state is UpdateState.CUTTING_OVER:
                update.deadline_at = cutover_deadline(update, now=now)
            view = replace(claimed.view, passed=claimed.view.passed | {look.gate})
            _move_on(session, ports, update, view, claimed, now=now)
            return now
        _mind_the_soak(update, verdict, now=now)
        action = next_action(
            replace(claimed.view, verdict=verdict, deadline_at=update.deadline_at, repeats=update.repeats), now=now
        )
        if isinstance(action, Repeat):
            _begin_back_again(session, update, action.reason)
            return now
        if isinstance(action, MoveTo):
            _move(session, update, action, driver=claimed.driver, now=now)
            ports.wake()
            return now
        return now + claimed.look_every


def _mind_the_soak(update: TargetUpdate, verdict: Verdict, *, now: datetime) -> None:
    """While soaking, a probe that fails starts a deadline and one that answers ends it."""
    if update.state is not UpdateState.SOAKING:
        return
    if verdict.health is Health.HEALTHY:
        update.deadline_at = None
    elif update.deadline_at is None:
        health = load(Desired, update.desired).spec.health
        update.deadline_at = now + timedelta(seconds=FAILING_PROBES * health.interval_s + health.timeout_s)


def _begin_back_again(session: Session, update: TargetUpdate, reason: str) -> None:
    """Undo that the roll-back's steps are done; each looks first, so only what is missing happens again."""
    update.repeats += 1
    update.reason = f"the roll-back began again: {reason}"[:2000] if not update.reason else update.reason
    names = [step["name"] for step in update.steps if step["phase"] == Phase.ROLL_BACK.value]
    for record in rollout_work.steps(session, update).values():
        if record.name.removesuffix(_PASSED) in names:
            record.state, record.done_at = StepState.INTENT, None


def _move(session: Session, update: TargetUpdate, action: MoveTo, *, driver: Driver, now: datetime) -> None:
    move_update(session, update, action.to, driver=driver, now=now, reason=action.reason, ends_as=action.ends_as)


def _failed(
    ports: Ports, update_id: int, claimed: _Claimed, error: ReleaserError, *, permanent: bool
) -> datetime | None:
    """A passing fault rests and tries again until the deadline; a lasting one ends the attempt by the rules."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        update = _mine(session, ports, update_id)
        if update is None:
            return None
        if isinstance(error, EngineUnreachableError) and update.state is UpdateState.PREPARING and update.deadline_at:
            update.deadline_at = min(update.deadline_at, now + OFFLINE_FOR)
        late = update.deadline_at is not None and now >= update.deadline_at
        # Going back is worth trying again whatever stood in the way: until the deadline nobody else will.
        goes_back = update.state is UpdateState.ROLLING_BACK and not isinstance(error, InconsistentError)
        if (not permanent or goes_back) and not late:
            rest = min(LONGEST_REST_FOR, timedelta(seconds=0.2 * 2 ** min(claimed.tries, 8)))
            update.reason, update.not_before_at = f"trying again: {error.detail}"[:2000], now + rest
            return update.not_before_at
        _move(session, update, _after_failure(update, str(error)), driver=claimed.driver, now=now)
    ports.wake()
    return now


def _after_failure(update: TargetUpdate, reason: str) -> MoveTo:
    if update.state is UpdateState.ROLLING_BACK:
        return MoveTo(to=UpdateState.INCONSISTENT, reason=f"could not be rolled back: {reason}")
    if update.state is UpdateState.COMMITTING:
        return MoveTo(to=UpdateState.SUCCEEDED, reason=f"left over: {reason}")
    ends_as = UpdateState.ROLLED_BACK if update.cut_over else UpdateState.FAILED
    back = MoveTo(to=UpdateState.ROLLING_BACK, reason=reason, ends_as=ends_as)
    return way_out(back, state=update.state, one_way=update.one_way)
