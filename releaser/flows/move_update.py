"""Move one target's update to another state, with everything that belongs to entering it, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.advance import TRIED_AGAIN
from releaser.domain.experience import Witness
from releaser.domain.rollout import UPDATE_ENDED, UPDATE_GOOD, UPDATE_MOVES, UpdateState, WaitsFor
from releaser.domain.target import Desired, Phase, Step
from releaser.domain.time_limits import TIDY_FOR, gate_limit
from releaser.domain.waiting import DEFAULT_WAIT_FOR, Wait, deadline, prolonged
from releaser.flows.keep_cutover import keep_cutover
from releaser.flows.settle_target import settle_target
from releaser.store import moves, rollout_work
from releaser.store.installations import Installed
from releaser.store.plain import dump, load
from releaser.store.rollouts import TargetUpdate
from releaser.targets.target import Driver

_U = UpdateState


def move_update(
    session: Session,
    update: TargetUpdate,
    to: UpdateState,
    *,
    driver: Driver,
    now: datetime,
    by: str = "",
    reason: str = "",
    wait: Wait | None = None,
    wait_for: timedelta = DEFAULT_WAIT_FOR,
    ends_as: UpdateState | None = None,
) -> None:
    """Move `update` to `to` and set the deadlines and facts of that state. Raises `MoveConflictError`."""
    values: dict[str, object] = {"not_before_at": None, **_entering(update, to, now=now)}
    values |= _waiting(wait, wait_for=wait_for, now=now) if wait is not None else _NOT_WAITING
    told = wait.told if wait is not None else "" if update.state is _U.WAITING else None
    if reason and (update.state is not _U.ROLLING_BACK or to is _U.INCONSISTENT):
        told = reason  # after a roll-back the reason for it is what people look for
    elif told is None and update.reason.startswith(TRIED_AGAIN):
        told = _why_back(session, update) if update.state is _U.ROLLING_BACK else ""
    if told is not None:
        rollout_work.write(session, update, reason=told)
    if to is _U.ROLLING_BACK:
        values["ends_as"] = ends_as or _U.FAILED
        values["steps"] = [*update.steps, *_steps_back(update, driver)]
    why = reason or (wait.told if wait is not None else "")
    moves.move(session, update, to, moves=UPDATE_MOVES, now=now, by=by, reason=why, **values)
    if to in UPDATE_ENDED:
        rollout_work.load_target(session, update)
    if to is _U.SUCCEEDED or (
        to is _U.ALREADY_INSTALLED and update.target.digest != load(Desired, update.desired).digest
    ):
        _record_installed(session, update, now=now)
    if to in UPDATE_ENDED:
        keep_cutover(session, update, now=now)
    if to in UPDATE_GOOD:
        settle_target(session, update, made_anew=to is _U.SUCCEEDED, now=now)


def _why_back(session: Session, update: TargetUpdate) -> str:
    """Why the way back began that is over now."""
    story = moves.history(session, TargetUpdate.__tablename__, update.id)
    return next((move.reason for move in reversed(story) if move.to == _U.ROLLING_BACK), "")


_NOT_WAITING: Mapping[str, object] = {"waits_for": None, "waiting_since_at": None}


def _waiting(wait: Wait, *, wait_for: timedelta, now: datetime) -> dict[str, object]:
    return {
        "waits_for": wait.what,
        "waiting_since_at": now,
        "deadline_at": deadline(wait, wait_for=wait_for, now=now),
    }


def wait_for_else(session: Session, update: TargetUpdate, wait: Wait, *, wait_for: timedelta, now: datetime) -> None:
    """Let an update that waits wait for something else from now on, or say of the same how it stands now; its story tells so."""
    values = _waiting(wait, wait_for=wait_for, now=now)
    if update.waits_for is wait.what:
        values = {"deadline_at": prolonged(update.deadline_at, wait, wait_for=wait_for)}
    rollout_work.write(session, update, reason=wait.told, **values)
    state = UpdateState.WAITING.value
    moves.record(session, update, source=state, to=state, now=now, by="releaser", reason=wait.told)


def _entering(update: TargetUpdate, to: UpdateState, *, now: datetime) -> dict[str, object]:
    """Deadlines and facts of a state.

    What queues for a worker has no deadline yet: it begins with whoever takes the update up (`flows.advance_target`).
    """
    desired = load(Desired, update.desired)
    if to in UPDATE_ENDED:
        return {"active": False, "finished_at": now, "deadline_at": None, "lease_owner": "", "lease_until_at": None}
    if to is _U.PREPARING:
        return {"deadline_at": None}
    if to is _U.CUTTING_OVER:
        return {"deadline_at": None, "cut_over": True}
    if to is _U.VERIFYING:
        return {"deadline_at": now + gate_limit(desired)}
    if to is _U.SOAKING:
        return {
            "deadline_at": None,
            "soak_until_at": now + timedelta(seconds=desired.spec.soak_s),
            "served_at": update.served_at or now,
            "measured_by": update.measured_by or Witness.GATE,
        }
    if to is _U.COMMITTING:
        return {"deadline_at": now + TIDY_FOR}
    if to is _U.ROLLING_BACK:
        # Whose host was waited for in vain is not waited for again: each step is tried once more.
        away = update.waits_for is WaitsFor.OFFLINE
        return {"deadline_at": now if away else None, "soak_until_at": None}
    # Until the rollout moves it on nobody works at it; then anybody may, not only who prepared it.
    return {"deadline_at": None, "lease_until_at": None}


def _steps_back(update: TargetUpdate, driver: Driver) -> list[dict[str, object]]:
    planned = {step["name"] for step in update.steps if step["phase"] == Phase.ROLL_BACK.value}
    if planned:
        return []
    previous = load(Desired, update.previous) if update.previous else None
    steps = driver.plan_back(desired=load(Desired, update.desired), previous=previous)
    return [dump(step) for step in steps]


def steps_of(update: TargetUpdate) -> tuple[Step, ...]:
    """The planned steps of the attempt, as data."""
    return tuple(load(Step, step) for step in update.steps)


def _record_installed(session: Session, update: TargetUpdate, *, now: datetime) -> None:
    """Remember what runs now, and since when it was seen to serve."""
    desired = load(Desired, update.desired)
    target = update.target
    served_at = update.served_at or now
    session.add(
        Installed(
            target_id=target.id,
            rollout_id=update.rollout_id,
            version=desired.version,
            previous=target.version,
            digest=desired.digest,
            at=served_at,
        )
    )
    target.version, target.image, target.digest = desired.version, desired.image, desired.digest
    target.running_spec = dump(desired.spec)
    target.installed_at = served_at
