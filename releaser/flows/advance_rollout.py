"""One look at a rollout: admit targets, end waves, stop at the threshold, end the rollout. No I/O but the store's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import Member, Moves, RolloutView, next_moves
from releaser.domain.regulation import Regulation, from_mapping
from releaser.domain.rollout import (
    ENDED,
    ROLLOUT_MOVES,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.target import Step, Stop, planned_stop
from releaser.errors import MoveConflictError
from releaser.flows.begin_work import begin_work
from releaser.flows.finish_work import finish_work
from releaser.flows.move_update import move_update
from releaser.flows.notice_gate import covering, standing_notices
from releaser.flows.ports import Ports
from releaser.store import moves, rollout_work, rollouts
from releaser.store.notices import NoticeInstallation
from releaser.store.plain import load
from releaser.store.rollout_work import UpdateRow
from releaser.store.rollouts import Rollout

_READY = frozenset({UpdateState.PREPARED, UpdateState.WAITING})


def advance_rollout(ports: Ports, *, rollout_id: int) -> bool:
    """Record every move the rules ask for now. Returns whether there was one; losing a race is no move."""
    now = ports.clock.now()
    # Most looks find nothing to do, and those take no writer's turn.
    with ports.database.reading() as session:
        if _due(session, rollout_id, now=now) == Moves():
            return False
    try:
        with ports.database.transaction() as session:
            due = _due(session, rollout_id, now=now)
            if due != Moves():
                _apply(ports, session, rollouts.get(session, rollout_id), due, now=now)
    except MoveConflictError:
        return False  # another worker moved it first; the next look sees how it stands
    return due != Moves()


def _due(session: Session, rollout_id: int, *, now: datetime) -> Moves:
    rollout = rollout_work.rollout(session, rollout_id)
    if rollout is None or rollout.state in ENDED:
        return Moves()
    updates = rollout_work.updates(session, rollout_id)
    ready = [update for update in updates if update.state in _READY]
    blocked = _blocked(session, rollout_id, ready, now=now) if ready else {}
    return next_moves(
        RolloutView(
            state=rollout.state,
            waves=rollout.waves,
            members=[_member(update, blocked.get(update.id)) for update in updates],
            max_parallel=rollout.max_parallel,
            threshold=rollout.threshold,
        )
    )


def _member(update: UpdateRow, blocked: WaitsFor | None) -> Member:
    return Member(
        id=update.id,
        wave=update.wave,
        position=update.position,
        customer=update.customer,
        state=update.state,
        waits_for=update.waits_for,
        blocked=blocked,
        unchanged=not update.steps,
    )


def _blocked(
    session: Session, rollout_id: int, updates: Sequence[UpdateRow], *, now: datetime
) -> dict[int, WaitsFor | None]:
    """What each cutover would wait for now: the contract's window must hold cutover and roll-back, a stop its notice."""
    told: dict[int, list[NoticeInstallation]] = defaultdict(list)
    for row in standing_notices(session, rollout_id=rollout_id):
        told[row.installation_id].append(row)
    contracts = {one.customer: from_mapping(one.regulation, zone=one.zone) for one in updates}
    return {one.id: _waits(one, contracts[one.customer], told[one.installation_id], now=now) for one in updates}


def _waits(
    update: UpdateRow, regulation: Regulation, told: Sequence[NoticeInstallation], *, now: datetime
) -> WaitsFor | None:
    stop, stop_for = planned_stop(load(Step, step) for step in update.steps)
    if not regulation.open_at(now):
        return WaitsFor.WINDOW
    closes_at = regulation.closes_at(now)
    if closes_at is not None and now + 2 * max(stop_for, timedelta(seconds=1)) > closes_at:
        return WaitsFor.WINDOW
    if stop is not Stop.NONE and covering(told, now=now, module=update.module) is None:
        return WaitsFor.NOTICE
    return None


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
        return list(rollout_work.in_states(session, *states))
