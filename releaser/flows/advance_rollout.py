"""One look at a rollout: admit targets, end waves, stop at the threshold, end the rollout. No I/O but the store's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from releaser.domain.consent import Answer
from releaser.domain.rollout import (
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
from releaser.domain.rollout_moves import Member, Moves, RolloutView, UpdateMove, current_wave, holds_up, next_moves
from releaser.domain.waiting import Wait
from releaser.errors import MoveConflictError
from releaser.flows.begin_rollout import begin_rollout
from releaser.flows.begin_work import begin_work
from releaser.flows.block_version import block_version
from releaser.flows.confirm_installed import confirm_installed
from releaser.flows.find_waits import find_refusals, find_waits
from releaser.flows.finish_work import finish_work
from releaser.flows.join_late import has_come, join_late
from releaser.flows.move_update import move_update, wait_for_else
from releaser.flows.ports import Ports
from releaser.store import consents, moves, rollout_work
from releaser.store.rollout_work import RolloutRow, UpdateRow
from releaser.store.rollouts import Rollout, TargetUpdate

_READY = frozenset({UpdateState.PREPARED, UpdateState.WAITING})
_PAGE = 50
_MOST_ADMITTED = 500
_SEEN_FOR = timedelta(minutes=1)
"""How long what a plan saw is taken for what is there: behind a gate, a soak or other waves it may be days old."""


def at_once(work: Callable[[], bool]) -> bool:
    """Carry it out now."""
    return work()


def advance_rollout(ports: Ports, *, rollout_id: int, aside: Callable[[Callable[[], bool]], bool] = at_once) -> bool:
    """Record every move the rules ask for now. Returns whether there was one; losing a race is no move.

    What asks hosts, which may not answer for long, is given to `aside` to carry out, now or beside everything else; it answers
    whether something moved already.
    """
    now = ports.clock.now()
    # Most looks find nothing to do, and those take no writer's turn.
    with ports.database.reading() as session:
        due = _due(session, rollout_id, now=now)
    if due == Moves():
        return False
    if due.begin:
        return aside(partial(begin_rollout, ports, rollout_id=rollout_id))
    if due.rollout is RolloutState.SUCCEEDED and has_come(ports, rollout_id=rollout_id):
        return aside(lambda: join_late(ports, rollout_id=rollout_id) or _recorded(ports, rollout_id))
    if due == Moves(confirm=True):
        return aside(partial(confirm_installed, ports, rollout_id=rollout_id))
    return _recorded(ports, rollout_id)


def _recorded(ports: Ports, rollout_id: int) -> bool:
    now = ports.clock.now()
    try:
        with ports.database.transaction() as session:
            due = replace(_due(session, rollout_id, now=now), confirm=False)
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
    some_wait = any(states.get(UpdateState.WAITING, 0) for states in counts.values())
    away = rollout_work.away(session, rollout_id) if some_wait else ()
    some_go_back = any(states.get(UpdateState.ROLLING_BACK, 0) for states in counts.values())
    is_unsure = False
    if rollout.state is RolloutState.RUNNING:
        movable = list(_movable(session, rollout_id, rollout, counts, away=away, now=now))
        is_old = _was_seen_long_ago(rollout, now=now)
        members = [one for one in movable if not (is_old and one.unchanged)]
        is_unsure = len(members) < len(movable)
    else:
        unended = frozenset(UpdateState) - UPDATE_ENDED
        members = [_member(row, None) for row in rollout_work.updates(session, rollout_id, unended)]
    late = any(m.state is UpdateState.WAITING and m.deadline_at is not None and m.deadline_at <= now for m in members)
    found = next_moves(
        RolloutView(
            state=rollout.state,
            waves=rollout.waves,
            members=members,
            now=now,
            max_parallel=rollout.max_parallel,
            threshold=rollout.threshold,
            rehearsal=rollout.rehearsal,
            gives_way=rollout.gives_way,
            one_way=rollout.state is RolloutState.STOPPING and rollout_work.one_way(session, rollout_id),
            counts=counts,
            wait_for=timedelta(seconds=rollout.wait_s),
            progress_at=rollout_work.last_end(session, rollout_id) if late else None,
            away=away,
            put_away=rollout_work.put_away(session, rollout_id) if some_go_back else {},
            soaks=rollout.wave_soak_s > 0,
            soaked=_is_soaked(rollout, now=now),
            gated=rollout.gated,
        )
    )
    return replace(found, confirm=is_unsure)


def _was_seen_long_ago(rollout: RolloutRow, *, now: datetime) -> bool:
    """Whether it is long since the plan looked; a rehearsal changes nothing by what it finds."""
    return not rollout.rehearsal and rollout.started_at is not None and now > rollout.started_at + _SEEN_FOR


def _is_soaked(rollout: RolloutRow, *, now: datetime) -> bool:
    """Watched for its time, and looked at once more at its end."""
    wave = current_wave(rollout.waves)
    if wave is None or rollout.waves[wave] is not WaveState.SOAKING:
        return True
    until, looked_at = rollout.soak_until_at[wave], rollout.looked_at[wave]
    return until is not None and looked_at is not None and looked_at >= until <= now


def _movable(
    session: Session,
    rollout_id: int,
    rollout: RolloutRow,
    counts: Mapping[int, Mapping[UpdateState, int]],
    *,
    away: Sequence[tuple[datetime, datetime]],
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
        refused = {} if rollout.rehearsal else find_refusals(session, rollout_id=rollout_id, updates=pending)
        return [_member(row, refused.get(row.id)) for row in pending]
    if states.get(UpdateState.PREPARING, 0) or not any(states.get(state, 0) for state in _READY):
        return []
    if holds_up(away, now=now):
        return []
    touched = [_member(row, None) for row in rollout_work.updates(session, rollout_id, rollout_work.TOUCHED)]
    free = rollout.max_parallel - len(touched)
    busy = {m.customer for m in touched}
    return [*touched, *_candidates(session, rollout_id, rollout.product, wave, busy, free=free, now=now)]


def _candidates(
    session: Session, rollout_id: int, product: str, wave: int, busy: set[str], *, free: int, now: datetime
) -> Iterator[Member]:
    """The first that are ready, and as many more as it takes to find `free` that can cut over; who waits for its host is not."""
    after, page = -1, max(_PAGE, 2 * free)
    while True:
        found = rollout_work.of_wave(session, rollout_id, _READY, wave=wave, after=after, limit=page)
        rows = [row for row in found if row.waits_for is not WaitsFor.OFFLINE]
        waits = find_waits(session, rollout_id=rollout_id, product=product, updates=rows, now=now) if rows else {}
        for row in rows:
            yield _member(row, waits[row.id])
            if waits[row.id] is None and row.customer not in busy:
                busy.add(row.customer)
                free -= 1
        if free <= 0 or len(found) < page:
            return
        after = found[-1].position


def _member(update: UpdateRow, blocked: Wait | None) -> Member:
    return Member(
        id=update.id,
        wave=update.wave,
        position=update.position,
        customer=update.customer,
        state=update.state,
        waits_for=update.waits_for,
        told=update.reason,
        deadline_at=update.deadline_at,
        blocked=blocked,
        unchanged=not update.steps,
    )


def _apply(ports: Ports, session: Session, rollout_id: int, due: Moves, *, now: datetime) -> None:
    rollout = rollout_work.to_move(session, rollout_id)
    with moves.together(session):
        begun = _move_updates(ports, session, rollout, due.updates, now=now)
    if begun:
        begin_work(session, rollout=rollout, begun=begun, now=now)
    _move_waves(session, rollout, due, now=now)
    _move_rollout(session, rollout, due, now=now)


def _move_updates(
    ports: Ports, session: Session, rollout: Rollout, updates: Sequence[UpdateMove], *, now: datetime
) -> list[TargetUpdate]:
    """Returns those whose cutover begins."""
    wait_for = timedelta(seconds=rollout.wait_s)
    by_id = rollout_work.updates_to_move(session, [move.id for move in updates])
    begun = []
    for move in _not_crossing(session, rollout.id, updates, by_id):
        update = by_id[move.id]
        if update.state is move.to is UpdateState.WAITING and move.wait is not None:
            wait_for_else(session, update, move.wait, wait_for=wait_for, now=now)
            continue
        begun += [update] if move.to is UpdateState.CUTTING_OVER else []
        move_update(
            session,
            update,
            move.to,
            driver=ports.drivers[update.target.driver],
            now=now,
            by="releaser",
            reason=move.reason,
            wait=move.wait,
            wait_for=wait_for,
            ends_as=move.ends_as,
        )
    return begun


def _not_crossing(
    session: Session, rollout_id: int, updates: Sequence[UpdateMove], by_id: Mapping[int, TargetUpdate]
) -> list[UpdateMove]:
    """Without cutovers at customers where another rollout began one, or who said no since the look; from here on neither can happen."""
    names = {by_id[m.id].target.installation.customer.name for m in updates if m.to is UpdateState.CUTTING_OVER}
    if not names:
        return list(updates)
    rollout_work.hold_customers(session, names)
    busy = rollout_work.busy_customers(session, but=rollout_id)
    at = {m.id: by_id[m.id].target.installation for m in updates if m.to is UpdateState.CUTTING_OVER}
    asked = any(one.customer.regulation.get("consent") for one in at.values())
    said = consents.standing(session, rollout_id) if asked else {}
    refused = {number for number, word in said.items() if word.answer is Answer.NO}
    return [m for m in updates if m.id not in at or not (at[m.id].customer.name in busy or at[m.id].id in refused)]


def _move_waves(session: Session, rollout: Rollout, due: Moves, *, now: datetime) -> None:
    by_number = rollout_work.waves_to_move(session, rollout.id) if due.waves else {}
    for number, state in due.waves:
        wave = by_number[number]
        moves.move(session, wave, state, moves=WAVE_MOVES, now=now, by="releaser")
        if state is WaveState.RUNNING:
            wave.started_at = now
        elif state is WaveState.SOAKING:
            wave.soak_until_at, wave.looked_at = now + timedelta(seconds=rollout.wave_soak_s), None
        elif state is not WaveState.GATE:
            wave.finished_at = now


def _move_rollout(session: Session, rollout: Rollout, due: Moves, *, now: datetime) -> None:
    to = due.rollout
    if to is None:
        return
    rollout.reason = due.reason or rollout.reason
    rollout.finished_at = now if to in ENDED else None
    rollout.pause_reason = due.pause
    rollout.paused_at = now if to is RolloutState.PAUSED else None
    moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by="releaser", reason=due.reason)
    if to in ENDED:
        finish_work(session, rollout=rollout, now=now)
    if to in ENDED or to is RolloutState.ROLLING_BACK:
        block_version(session, rollout, now=now)


def under_way(ports: Ports) -> list[int]:
    """Ids of the rollouts whose rules have to be looked at."""
    with ports.database.reading() as session:
        return list(rollout_work.in_states(session, *UNDER_WAY))
