"""One look at a rollout: admit targets, end waves, stop at the threshold, end the rollout. No I/O but the store's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import Member, Moves, RolloutView, current_wave, next_moves
from releaser.domain.regulation import Regulation, from_mapping
from releaser.domain.rollout import (
    BEING_CUT_OVER,
    ENDED,
    ROLLOUT_MOVES,
    UNDER_WAY,
    UPDATE_ENDED,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.target import Step, Stop, planned_stop
from releaser.errors import MoveConflictError
from releaser.flows.begin_rollout import begin_rollout
from releaser.flows.begin_work import begin_work
from releaser.flows.block_version import block_version
from releaser.flows.finish_work import finish_work
from releaser.flows.join_late import join_late
from releaser.flows.move_update import move_update
from releaser.flows.notice_gate import covering, standing_notices
from releaser.flows.ports import Ports
from releaser.store import moves, rollout_work
from releaser.store.notices import NoticeInstallation
from releaser.store.plain import load
from releaser.store.rollout_work import RolloutRow, UpdateRow
from releaser.store.rollouts import Rollout

_READY = frozenset({UpdateState.PREPARED, UpdateState.WAITING})
_TOUCHED = BEING_CUT_OVER | {UpdateState.ROLLING_BACK}
_PAGE = 50
_MOST_ADMITTED = 500


def advance_rollout(ports: Ports, *, rollout_id: int) -> bool:
    """Record every move the rules ask for now. Returns whether there was one; losing a race is no move."""
    now = ports.clock.now()
    # Most looks find nothing to do, and those take no writer's turn.
    with ports.database.reading() as session:
        due = _due(session, rollout_id, now=now)
    if due == Moves():
        return False
    if due.begin:
        return begin_rollout(ports, rollout_id=rollout_id)
    if due.rollout is RolloutState.SUCCEEDED and join_late(ports, rollout_id=rollout_id):
        return True
    try:
        with ports.database.transaction() as session:
            due = _due(session, rollout_id, now=now)
            if due != Moves():
                _apply(ports, session, rollout_id, due, now=now)
    except MoveConflictError:
        return False  # another worker moved it first; the next look sees how it stands
    return due != Moves()


def _due(session: Session, rollout_id: int, *, now: datetime) -> Moves:
    """What should move. It reads those that can, and only counts the others: a look costs the same however many there are."""
    rollout = rollout_work.rollout(session, rollout_id)
    if rollout is None or rollout.state not in UNDER_WAY:
        return Moves()
    if rollout.state is RolloutState.SCHEDULED:
        return Moves(begin=rollout.begins_at is None or rollout.begins_at <= now)
    counts = rollout_work.counts(session, rollout_id)
    if rollout.state is RolloutState.RUNNING:
        members = _movable(session, rollout_id, rollout, counts, now=now)
    else:
        unended = frozenset(UpdateState) - UPDATE_ENDED
        members = [_member(row, None) for row in rollout_work.updates(session, rollout_id, unended)]
    return next_moves(
        RolloutView(
            state=rollout.state,
            waves=rollout.waves,
            members=members,
            max_parallel=rollout.max_parallel,
            threshold=rollout.threshold,
            rehearsal=rollout.rehearsal,
            gives_way=rollout.gives_way,
            one_way=rollout.state is RolloutState.STOPPING and rollout_work.one_way(session, rollout_id),
            counts=counts,
        )
    )


def _movable(
    session: Session,
    rollout_id: int,
    rollout: RolloutRow,
    counts: Mapping[int, Mapping[UpdateState, int]],
    *,
    now: datetime,
) -> list[Member]:
    """Who is being touched, and who of the wave at hand could begin to prepare or to cut over."""
    wave = current_wave(rollout.waves)
    if wave is None or rollout.waves[wave] is not WaveState.RUNNING:
        return []
    states = counts.get(wave, {})
    if states.get(UpdateState.PENDING, 0):
        # So many at a time, so that other writers get their turn in between.
        pending = rollout_work.of_wave(
            session, rollout_id, [UpdateState.PENDING], wave=wave, after=-1, limit=_MOST_ADMITTED
        )
        return [_member(row, None) for row in pending]
    if states.get(UpdateState.PREPARING, 0) or not any(states.get(state, 0) for state in _READY):
        return []
    touched = [_member(row, None) for row in rollout_work.updates(session, rollout_id, _TOUCHED)]
    free = rollout.max_parallel - len(touched)
    return [*touched, *_candidates(session, rollout_id, wave, {m.customer for m in touched}, free=free, now=now)]


def _candidates(
    session: Session, rollout_id: int, wave: int, busy: set[str], *, free: int, now: datetime
) -> Iterator[Member]:
    """The first that are ready, and as many more as it takes to find `free` that can cut over."""
    after, page = -1, max(_PAGE, 2 * free)
    while True:
        rows = rollout_work.of_wave(session, rollout_id, _READY, wave=wave, after=after, limit=page)
        blocked = _blocked(session, rollout_id, rows, now=now) if rows else {}
        for row in rows:
            yield _member(row, blocked[row.id])
            if blocked[row.id] is None and row.customer not in busy:
                busy.add(row.customer)
                free -= 1
        if free <= 0 or len(rows) < page:
            return
        after = rows[-1].position


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


def _apply(ports: Ports, session: Session, rollout_id: int, due: Moves, *, now: datetime) -> None:
    rollout = rollout_work.to_move(session, rollout_id)
    by_id = rollout_work.updates_to_move(session, [update_id for update_id, *_ in due.updates])
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
    by_number = rollout_work.waves_to_move(session, rollout_id) if due.waves else {}
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
        block_version(session, rollout, now=now)


def under_way(ports: Ports) -> list[int]:
    """Ids of the rollouts whose rules have to be looked at."""
    with ports.database.reading() as session:
        return list(rollout_work.in_states(session, *UNDER_WAY))
