"""Do what is due for one target's update: claim, decide, record the intent, act, record what was seen and what comes next.

Called again and again by any worker. Nothing rests on who calls: the lease keeps others away, the generation
fences a controller that lost it, and every step looks before it acts, so that a repeat after a crash finishes it.

What was seen of one step and the intent of the next one are one transaction: nothing is carried out before its intent is kept, and
an update that goes on without a pause costs one transaction for each step and look. They lock the update's row and touch nothing but
what belongs to its target, so those of many targets go beside each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from releaser.domain.advance import UNTOUCHED, Look, MoveTo, Repeat, Rest, RunStep, UpdateView, next_action, way_out
from releaser.domain.rollout import UPDATE_ENDED, StepState, UpdateState, is_worked_on
from releaser.domain.target import Assignment, Desired, Health, Phase, Step, Stop, Verdict
from releaser.errors import OutsideError, ReleaserError
from releaser.flows.ask_outside import ask_outside
from releaser.flows.measure_stop import begin_stop, end_of_stop, keep_seen, keep_stop, measure_stop
from releaser.flows.mind_deadline import deadline_after, deadline_of, mind_deadline, mind_gate, mind_soak
from releaser.flows.mind_silence import is_silence, mind_answer, mind_silence
from releaser.flows.move_update import move_update, steps_of
from releaser.flows.ports import Ports
from releaser.store import journal, rollout_work
from releaser.store.journal import Entry
from releaser.store.plain import load
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Turn
from releaser.targets.target import Driver, FencedError, InconsistentError
from releaser.targets.watch import Seen

LEASE_FOR = timedelta(seconds=7)
LOOK_AGAIN_FOR = timedelta(milliseconds=100)
LONGEST_REST_FOR = timedelta(seconds=10)

_PASSED = ":healthy"
# What the rules of the rollout care for; a target's other moves concern nobody else.
_TELLS = UPDATE_ENDED | {UpdateState.PREPARED, UpdateState.ROLLING_BACK}


@dataclass(slots=True, kw_only=True)
class _Held:
    """What is known of an update while its lease is held: what stays the same in an attempt, and the journal, which only we write."""

    update_id: int
    driver: Driver
    assignment: Assignment
    planned: list[dict[str, Any]]
    steps: tuple[Step, ...]
    journal: dict[str, Entry]
    tells: bool = False
    """Whether it arrived where the rules of the rollout care for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtHand:
    """What was decided and recorded, to be done without the database. `state` is the one it was decided in."""

    held: _Held
    action: RunStep | Look
    state: UpdateState


_Upcoming = _AtHand | datetime | None
_Told = datetime | Verdict | None
"""What follows from what was done: a rest until then, a verdict to decide by, or nothing but what the rows say."""


def always() -> bool:
    """Go on until the update rests."""
    return True


def advance_target(ports: Ports, *, update_id: int, going_on: Callable[[], bool] = always) -> datetime | None:
    """Do what is due for the update until it rests, or `going_on` says no between two actions.

    Returns when to call again, or None when another one holds it or there is nothing to do until the rollout moves it.
    """
    upcoming = _claimed(ports, update_id)
    while isinstance(upcoming, _AtHand):
        upcoming = _carried_out(ports, upcoming, going_on)
    return upcoming


def _claimed(ports: Ports, update_id: int) -> _Upcoming:
    """Take the lease, decide, and record the decision."""
    now = ports.clock.now()
    with ports.database.transaction(Turn.BESIDE) as session:
        update = rollout_work.update(session, update_id)
        if update is None or not is_worked_on(update.state, update.waits_for) or not update.active:
            return None
        due = deadline_of(update, now=now)
        if not rollout_work.claim(session, update, owner=ports.owner, now=now, until=now + LEASE_FOR, deadline_at=due):
            return None
        held = _held(session, ports, update)
        upcoming = _next(session, update, held, now=now)
    _tell(ports, held)
    return upcoming


def _held(session: Session, ports: Ports, update: TargetUpdate) -> _Held:
    names = rollout_work.named(session, update)
    assignment = Assignment(
        target=f"{names.installation}/{names.module}@{names.host}",
        host=names.host,
        address=names.address,
        rollout=update.rollout_id,
        attempt=update.attempt,
        generation=update.generation,
        desired=load(Desired, update.desired),
        previous=load(Desired, update.previous) if update.previous else None,
    )
    return _Held(
        update_id=update.id,
        driver=ports.drivers[names.driver],
        assignment=assignment,
        planned=update.steps,
        steps=steps_of(update),
        journal=journal.entries(session, update),
    )


def _carried_out(ports: Ports, at_hand: _AtHand, going_on: Callable[[], bool]) -> _Upcoming:
    """Act with no transaction open, then record what came of it and decide what is next."""
    held, action = at_hand.held, at_hand.action
    tell: Callable[[Session, TargetUpdate, _AtHand, datetime], _Told]
    try:
        if isinstance(action, RunStep):
            first = _is_first(held, action.step)
            measure_stop(ports, update_id=held.update_id, step=action.step, assignment=held.assignment, first=first)
            tell = partial(_done, detail=held.driver.apply(action.step, held.assignment))
        else:
            verdict = _look(ports, at_hand)
            over = verdict.health is Health.HEALTHY and not action.gate
            seen = end_of_stop(ports, update_id=held.update_id, state=at_hand.state) if over else None
            tell = partial(_looked, verdict=verdict, seen=seen)
    except FencedError as error:
        tell = partial(_fenced, error=error)
    except ReleaserError as error:
        tell = partial(_failed, error=error)
    now = ports.clock.now()
    with ports.database.transaction(Turn.BESIDE) as session:
        update = rollout_work.update(session, held.update_id)
        if update is None or not _is_ours(update, ports.owner, held.assignment):
            return None
        told = tell(session, update, at_hand, now)
        if isinstance(told, datetime):
            return told
        upcoming = _next(session, update, held, now=now, verdict=told, going_on=going_on())
    _tell(ports, held)
    return upcoming


def _is_first(held: _Held, step: Step) -> bool:
    """Whether nothing else of the step's phase was tried before in this attempt, and neither was the step."""
    known = (held.journal.get(one.name) for one in held.steps if one.phase is step.phase)
    return sum(entry.tries for entry in known if entry is not None) == 1


def _is_ours(update: TargetUpdate, owner: str, assignment: Assignment) -> bool:
    """Whether this process still holds it, for the attempt that it acted in."""
    mine = update.active and update.lease_owner == owner
    return mine and (update.attempt, update.generation) == (assignment.attempt, assignment.generation)


def _tell(ports: Ports, held: _Held) -> None:
    """Wake whoever looks at rollouts, once they can see it."""
    if held.tells:
        held.tells = False
        ports.wake()


def _next(
    session: Session,
    update: TargetUpdate,
    held: _Held,
    *,
    now: datetime,
    verdict: Verdict | None = None,
    going_on: bool = True,
) -> _Upcoming:
    """Record every move that is due, then the intent of the step that comes next; a look needs none."""
    while True:
        mind_deadline(session, update, now=now)
        action = next_action(_view(update, held, verdict), now=now)
        if isinstance(action, Rest):
            return None
        if isinstance(action, MoveTo):
            _move(session, update, held, action, now=now)
            # Where nothing is soaked, what was just seen is the look at its end.
            verdict = verdict if action.to is UpdateState.SOAKING else None
        elif isinstance(action, Repeat):
            _begin_back_again(session, update, held, action.reason)
            verdict = None
        elif isinstance(action, Look) and verdict is not None:
            return now + _look_every(update, now=now)
        elif not going_on:
            return now
        else:
            if isinstance(action, RunStep):
                _record_intent(session, update, held, action.step, now=now)
            return _AtHand(held=held, action=action, state=update.state)


def _view(update: TargetUpdate, held: _Held, verdict: Verdict | None) -> UpdateView:
    if held.planned != update.steps:  # a roll-back was added
        held.planned, held.steps = update.steps, steps_of(update)
    done = {name for name, entry in held.journal.items() if entry.state is StepState.DONE}
    is_away = update.state is UpdateState.WAITING
    return UpdateView(
        # Who waits for its host is asked for what is to be prepared there next, at least once however late.
        state=UpdateState.PREPARING if is_away else update.state,
        steps=held.steps,
        done=frozenset(done),
        passed=frozenset(name.removesuffix(_PASSED) for name in done if name.endswith(_PASSED)),
        verdict=verdict,
        deadline_at=None if is_away else update.deadline_at,
        soak_until_at=update.soak_until_at,
        ends_as=update.ends_as,
        repeats=update.repeats,
        one_way=update.one_way,
    )


def _move(session: Session, update: TargetUpdate, held: _Held, action: MoveTo, *, now: datetime) -> None:
    move_update(session, update, action.to, driver=held.driver, now=now, reason=action.reason, ends_as=action.ends_as)
    held.tells |= action.to in _TELLS


def _look_every(update: TargetUpdate, *, now: datetime) -> timedelta:
    """Quick looks while the service is away or just back, the declared interval when it only soaks."""
    if update.state is UpdateState.SOAKING and update.soak_until_at is not None:
        interval = timedelta(seconds=load(Desired, update.desired).spec.health.interval_s)
        return max(LOOK_AGAIN_FOR, min(interval, update.soak_until_at - now))
    return LOOK_AGAIN_FOR


def _record_intent(session: Session, update: TargetUpdate, held: _Held, step: Step, *, now: datetime) -> None:
    """Write that the step is about to be carried out, and when the service is about to stop."""
    if step.stops is not Stop.NONE:
        begin_stop(session, update, now=now)
    held.journal[step.name] = journal.intend(session, update, step.name, before=held.journal.get(step.name), now=now)


def _look(ports: Ports, at_hand: _AtHand) -> Verdict:
    held, state = at_hand.held, at_hand.state
    gate = at_hand.action.gate if isinstance(at_hand.action, Look) else ""
    verdict = held.driver.verify(replace(held.assignment, gate=gate), wanted=_wanted(at_hand))
    if gate or state is UpdateState.ROLLING_BACK:
        return verdict
    answered = state is UpdateState.SOAKING or ports.watch.answered(held.update_id)
    return ask_outside(ports, held.assignment, verdict, answered=answered)


def _wanted(at_hand: _AtHand) -> Desired | None:
    """What shall serve in the end; None where nothing did."""
    assignment = at_hand.held.assignment
    return assignment.previous if at_hand.state is UpdateState.ROLLING_BACK else assignment.desired


def _finish(session: Session, update: TargetUpdate, held: _Held, name: str, detail: str, *, now: datetime) -> None:
    held.journal[name] = journal.finish(session, update, name, detail, before=held.journal.get(name), now=now)


def _done(session: Session, update: TargetUpdate, at_hand: _AtHand, now: datetime, *, detail: str) -> None:
    """Record that a step was carried out and seen; from then on what its gate looks at has its time to become healthy."""
    assert isinstance(at_hand.action, RunStep)  # noqa: S101 -- nothing else is carried out
    step = at_hand.action.step
    _finish(session, update, at_hand.held, step.name, detail, now=now)
    mind_answer(session, update, at_hand.state, driver=at_hand.held.driver, now=now)
    changes: dict[str, object] = {}
    if update.not_before_at is not None:
        changes = {"not_before_at": None}
    if update.state is at_hand.state:
        due = deadline_after(update, step, assignment=at_hand.held.assignment, now=now)
        changes |= {"deadline_at": due} if due != update.deadline_at else {}
    if changes:
        rollout_work.write(session, update, **changes)


def _looked(
    session: Session, update: TargetUpdate, at_hand: _AtHand, now: datetime, *, verdict: Verdict, seen: Seen | None
) -> Verdict | None:
    """Record what was seen; a gate that is passed needs the verdict no more, and neither does who was moved meanwhile."""
    if seen is not None:
        keep_seen(session, update, seen)
    if update.state is not at_hand.state:
        return None
    healthy = verdict.health is Health.HEALTHY
    if healthy:
        keep_stop(session, update, verdict=verdict, wanted=_wanted(at_hand), now=now)
    elif update.state is UpdateState.SOAKING and update.previous is not None:
        begin_stop(session, update, now=now)
    over = verdict.courtesy and update.deadline_at is not None and now >= update.deadline_at
    if isinstance(at_hand.action, Look) and at_hand.action.gate and (healthy or over):
        detail = verdict.reason if healthy else f"{verdict.reason}; the time is over"
        _finish(session, update, at_hand.held, at_hand.action.gate + _PASSED, detail, now=now)
        mind_gate(session, update, assignment=at_hand.held.assignment, now=now)
        return None
    mind_soak(session, update, assignment=at_hand.held.assignment, verdict=verdict, now=now)
    return verdict


def _begin_back_again(session: Session, update: TargetUpdate, held: _Held, reason: str) -> None:
    """Undo that the roll-back's steps are done; each looks first, so only what is missing happens again."""
    told = update.reason or f"the roll-back began again: {reason}"[:2000]
    rollout_work.write(session, update, repeats=update.repeats + 1, reason=told)
    back = {step["name"] for step in update.steps if step["phase"] == Phase.ROLL_BACK.value}
    undone = [name for name in held.journal if name.removesuffix(_PASSED) in back]
    journal.reopen(session, update, undone)
    held.journal |= {name: replace(held.journal[name], state=StepState.INTENT) for name in undone}


def _failed(
    session: Session, update: TargetUpdate, at_hand: _AtHand, now: datetime, *, error: ReleaserError
) -> datetime | None:
    """A passing fault rests and tries again until the deadline; a lasting one ends the attempt by the rules."""
    if update.state is not at_hand.state:
        return None
    if is_silence(update, error):
        rests_until = mind_silence(session, update, driver=at_hand.held.driver, error=error, now=now)
        if rests_until is None:
            _move(session, update, at_hand.held, _after_failure(update, error), now=now)
        return rests_until
    mind_answer(session, update, at_hand.state, driver=at_hand.held.driver, now=now)
    mind_soak(session, update, assignment=at_hand.held.assignment, verdict=None, now=now)
    late = update.deadline_at is not None and now >= update.deadline_at
    permanent = not isinstance(error, OutsideError) or error.permanent
    # Going back is worth trying again whatever stood in the way: until the deadline nobody else will.
    goes_back = update.state is UpdateState.ROLLING_BACK and not isinstance(error, InconsistentError | FencedError)
    if (not permanent or goes_back) and not late:
        rests_until = now + _rest_for(at_hand)
        reason = f"trying again: {error}"[:2000]
        rollout_work.write(session, update, reason=reason, not_before_at=rests_until)
        return rests_until
    _move(session, update, at_hand.held, _after_failure(update, error), now=now)
    return None


def _fenced(
    session: Session, update: TargetUpdate, at_hand: _AtHand, now: datetime, *, error: FencedError
) -> datetime | None:
    """Nobody took it over, for the row is still ours: another database gave the younger number out, or this one when it was newer.

    Nothing more is done there in this attempt. The next one, which a person asks for, gets a number that is younger still.
    """
    found = error.facts.get("found")
    if isinstance(found, int):
        rollout_work.lift_generation(session, update, found=found)
    told = FencedError(
        error.detail,
        advice="This database gave that number to nobody: make sure that no other releaser works there, then try again.",
    )
    return _failed(session, update, at_hand, now, error=told)


def _rest_for(at_hand: _AtHand) -> timedelta:
    """Ever longer from one try of a step to the next."""
    entry = at_hand.held.journal.get(at_hand.action.step.name) if isinstance(at_hand.action, RunStep) else None
    return min(LONGEST_REST_FOR, timedelta(seconds=0.2 * 2 ** min(entry.tries if entry else 0, 8)))


def _after_failure(update: TargetUpdate, error: ReleaserError) -> MoveTo:
    reason = str(error)
    if update.state is UpdateState.ROLLING_BACK:
        if update.ends_as in UNTOUCHED and not isinstance(error, InconsistentError):
            return MoveTo(to=update.ends_as, reason=f"could not be tidied up: {reason}")
        return MoveTo(to=UpdateState.INCONSISTENT, reason=f"could not be rolled back: {reason}")
    if update.state is UpdateState.COMMITTING:
        return MoveTo(to=UpdateState.SUCCEEDED, reason=f"left over: {reason}")
    ends_as = UpdateState.ROLLED_BACK if update.cut_over else UpdateState.FAILED
    back = MoveTo(to=UpdateState.ROLLING_BACK, reason=reason, ends_as=ends_as)
    return way_out(back, state=update.state, one_way=update.one_way)
