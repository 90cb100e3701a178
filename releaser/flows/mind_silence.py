"""Wait for a host that does not answer while its target is prepared, in the transaction of whoever holds the target's lease.

Nothing there was touched yet, so the target is *waiting* for the host, for as long as the rollout waits for hosts; it is asked again every
few seconds and goes on with the first answer. What is being cut over waits for no host (`flows.advance_target`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import RolloutState, UpdateState, WaitsFor
from releaser.domain.waiting import Wait
from releaser.errors import ReleaserError
from releaser.flows.move_update import move_update
from releaser.store import rollout_work, rollouts
from releaser.store.plain import load
from releaser.store.rollouts import TargetUpdate
from releaser.targets.target import Driver, EngineTimeoutError, EngineUnreachableError

FIRST_REST, LONGEST_REST = timedelta(milliseconds=400), timedelta(seconds=5)
"""How soon a silent host is asked again: ever more seldom, as long again as it has been away, and every few seconds at least."""


def is_silence(update: TargetUpdate, error: ReleaserError) -> bool:
    """Whether the fault says that the host is away, before anything was touched there.

    A host that is coming back may take a call and not answer it: that ends no wait, as it begins none.
    """
    if update.state is UpdateState.WAITING:
        return isinstance(error, EngineUnreachableError | EngineTimeoutError)
    return update.state is UpdateState.PREPARING and isinstance(error, EngineUnreachableError)


def mind_silence(
    session: Session, update: TargetUpdate, *, driver: Driver, error: ReleaserError, now: datetime
) -> datetime | None:
    """Let the update wait for its host from now on, or go on waiting. Returns when to ask again, None when that was for long enough."""
    if update.state is not UpdateState.WAITING:
        options = load(RolloutOptions, rollout_work.options(session, update.rollout_id))
        wait = Wait(what=WaitsFor.OFFLINE, told=str(error)[:2000])
        move_update(
            session, update, UpdateState.WAITING, driver=driver, now=now, wait=wait, wait_for=options.offline_for
        )
    elif update.deadline_at is not None and now >= update.deadline_at and not _is_paused(session, update):
        return None
    away_for = now - (update.waiting_since_at or now)
    rests_until = now + min(LONGEST_REST, max(FIRST_REST, away_for))
    if update.deadline_at is not None and now < update.deadline_at:
        rests_until = min(rests_until, update.deadline_at)
    rollout_work.write(session, update, not_before_at=rests_until)
    return rests_until


def _is_paused(session: Session, update: TargetUpdate) -> bool:
    """A paused rollout grows no older: its deadlines are moved on when it is resumed."""
    return rollouts.state_of(session, update.rollout_id) is RolloutState.PAUSED


def mind_answer(
    session: Session, update: TargetUpdate, acted_in: UpdateState, *, driver: Driver, now: datetime
) -> None:
    """Let an update whose host answers again be prepared further, unless it was moved since it was asked."""
    if update.state is acted_in is UpdateState.WAITING:
        move_update(session, update, UpdateState.PREPARING, driver=driver, now=now)
