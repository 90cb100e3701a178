"""One look at a rollout: admit targets, end waves, stop at the threshold, end the rollout. No I/O but the store's."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import Member, Moves, RolloutView, next_moves
from releaser.domain.regulation import from_mapping
from releaser.domain.rollout import (
    ENDED,
    ROLLOUT_MOVES,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.target import Stop, planned_stop
from releaser.errors import MoveConflictError
from releaser.flows.begin_work import begin_work
from releaser.flows.finish_work import finish_work
from releaser.flows.move_update import move_update, steps_of
from releaser.flows.notice_gate import covering_notice
from releaser.flows.ports import Ports
from releaser.store import moves, rollouts
from releaser.store.rollouts import Rollout, TargetUpdate

_READY = frozenset({UpdateState.PREPARED, UpdateState.WAITING})


def advance_rollout(ports: Ports, *, rollout_id: int) -> bool:
    """Record every move the rules ask for now. Returns whether there was one; losing a race is no move."""
    now = ports.clock.now()
    try:
        with ports.database.transaction() as session:
            rollout = session.get(Rollout, rollout_id)
            if rollout is None or rollout.state in ENDED:
                return False
            due = next_moves(_view(session, rollout, now=now))
            _apply(ports, session, rollout, due, now=now)
    except MoveConflictError:
        return False  # another worker moved it first; the next look sees how it stands
    return due != Moves()


def _view(session: Session, rollout: Rollout, *, now: datetime) -> RolloutView:
    return RolloutView(
        state=rollout.state,
        waves={wave.number: wave.state for wave in rollout.waves},
        members=[_member(session, rollout, update, now=now) for update in rollout.updates],
        max_parallel=rollout.max_parallel,
        threshold=rollout.threshold,
    )


def _member(session: Session, rollout: Rollout, update: TargetUpdate, *, now: datetime) -> Member:
    return Member(
        id=update.id,
        wave=update.wave,
        position=update.position,
        customer=update.target.installation.customer.name,
        state=update.state,
        waits_for=update.waits_for,
        blocked=_blocked(session, rollout, update, now=now) if update.state in _READY else None,
        unchanged=not update.steps,
    )


def _blocked(session: Session, rollout: Rollout, update: TargetUpdate, *, now: datetime) -> WaitsFor | None:
    """What a cutover would wait for now: the contract's window must hold cutover and roll-back, a stop its notice."""
    installation = update.target.installation
    stop, stop_for = planned_stop(steps_of(update))
    regulation = from_mapping(installation.customer.regulation, zone=installation.customer.zone)
    if not regulation.open_at(now):
        return WaitsFor.WINDOW
    closes_at = regulation.closes_at(now)
    if closes_at is not None and now + 2 * max(stop_for, timedelta(seconds=1)) > closes_at:
        return WaitsFor.WINDOW
    notice = covering_notice(
        session,
        installation_id=installation.id,
        stop=stop,
        rollout_id=rollout.id,
        now=now,
        module=update.target.module.name,
    )
    return WaitsFor.NOTICE if stop is not Stop.NONE and notice is None else None


def _apply(ports: Ports, session: Session, rollout: Rollout, due: Moves, *, now: datetime) -> None:
    by_id = {update.id: update for update in rollout.updates}
    for update_id, to, waits_for, ends_as in due.updates:
        update = by_id[update_id]
        move_update(
            session,
            update,
            to,
            driver=ports.drivers[update.target.driver],
            now=now,
            by="releaser",
            waits_for=waits_for,
            ends_as=ends_as,
        )
    if any(to is UpdateState.CUTTING_OVER for _, to, _, _ in due.updates):
        begin_work(session, rollout=rollout, now=now)
    by_number = {wave.number: wave for wave in rollout.waves}
    for number, state in due.waves:
        wave = by_number[number]
        moves.move(session, wave, state, moves=WAVE_MOVES, now=now, by="releaser")
        if state is WaveState.RUNNING:
            wave.started_at = now
        else:
            wave.finished_at = now
    if due.rollout is not None:
        _move_rollout(session, rollout, due.rollout, due.reason, now=now)


def _move_rollout(session: Session, rollout: Rollout, to: RolloutState, reason: str, *, now: datetime) -> None:
    rollout.reason = reason or rollout.reason
    rollout.finished_at = now if to in ENDED else None
    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=reason)
    if to in ENDED:
        finish_work(session, rollout=rollout, now=now)


def under_way(ports: Ports) -> list[int]:
    """Ids of the rollouts whose rules have to be looked at."""
    with ports.database.reading() as session:
        states = (RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.STOPPING)
        return [rollout.id for rollout in rollouts.in_states(session, *states)]
