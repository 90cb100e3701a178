"""Try again what failed in a rollout that ended: a new attempt for every target that is not where it should be."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan
from releaser.domain.rollout import (
    ROLLOUT_MOVES,
    UPDATE_MOVES,
    WAVE_MOVES,
    RolloutState,
    UpdateState,
    WaveState,
)
from releaser.domain.target import Phase
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.give_way import busy
from releaser.flows.notice_gate import require_notices
from releaser.flows.plan_rollout import draft_again
from releaser.flows.ports import Facts, Ports
from releaser.flows.refuse_release import blocked_refusal
from releaser.store import blocks, moves, rollouts
from releaser.store.plain import load
from releaser.store.rollouts import Rollout, TargetUpdate

_AGAIN = frozenset({UpdateState.FAILED, UpdateState.ROLLED_BACK, UpdateState.TIMED_OUT, UpdateState.SKIPPED})
_RETRIABLE = frozenset({RolloutState.FAILED, RolloutState.ROLLED_BACK})


def retry_rollout(ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
    """Start a new attempt. Targets that are *inconsistent* are left alone: they are for people.

    The work needs a covering notice again: one is drafted before `RefusedError(rule="notice-required")` asks for it.
    Raises also `RolloutNotFoundError`, `MoveConflictError`, `TargetBusyError`, and `RefusedError(rule="version-blocked")` for a
    version that was rolled back.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if rollout.state not in _RETRIABLE:
            raise MoveConflictError(
                f"rollout {rollout_id}",
                source="failed",
                to="running",
                actual=rollout.state.value,
                advice="Only what failed or was rolled back is tried again; what is planned is started by `releaser deploy`.",
            )
        _check_consistent(rollout)
        _check_block(session, rollout)
        draft_again(session, rollout, load(Plan, rollout.plan), now=now)
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        if not rollout.rehearsal:
            require_notices(session, rollout=rollout, now=now)
        for holder in rollouts.holders(session, rollout.id, states=_AGAIN):
            raise busy(holder)
        for update in rollout.updates:
            if update.state in _AGAIN:
                _again(update)
                moves.move(session, update, UpdateState.PENDING, moves=UPDATE_MOVES, now=now, by=by, reason=reason)
        waves = {update.wave for update in rollout.updates if update.state is UpdateState.PENDING}
        for wave in rollout.waves:
            if wave.number in waves:
                moves.move(session, wave, WaveState.PENDING, moves=WAVE_MOVES, now=now, by=by, finished_at=None)
        moves.move(
            session,
            rollout,
            RolloutState.RUNNING,
            moves=ROLLOUT_MOVES,
            now=now,
            by=by,
            reason=reason,
            finished_at=None,
        )
        facts = rollouts.facts(rollout)
    ports.wake()
    return facts


def _check_consistent(rollout: Rollout) -> None:
    """A target whose state is not known is looked at by a person first; going on around it would hide it."""
    unclear = [u.target.installation.name for u in rollout.updates if u.state is UpdateState.INCONSISTENT]
    if unclear:
        raise RefusedError(
            f"Rollout {rollout.id} left {', '.join(unclear)} in an inconsistent state, so it is not tried again.",
            rule="inconsistent",
            advice="Look at the host, bring the container up or remove it, then deploy again with `releaser deploy`.",
        )


def _check_block(session: Session, rollout: Rollout) -> None:
    """What was rolled back goes again when somebody has said that it may."""
    block = blocks.standing(session, rollout.release_id)
    if block is not None and not rollout.rehearsal:
        refusal = blocked_refusal(block)
        raise RefusedError(refusal.detail, rule=refusal.rule, advice=refusal.advice, field="version", **refusal.facts)


def _again(update: TargetUpdate) -> None:
    """A clean sheet for the next attempt; the journal of the earlier ones stays."""
    update.attempt += 1
    update.repeats = 0
    update.steps = [step for step in update.steps if step["phase"] != Phase.ROLL_BACK.value]
    update.active = True
    update.cut_over = False
    update.reason = ""
    update.measured_by = update.waiting_since_at = None
    update.stopped_at = update.served_at = update.finished_at = update.soak_until_at = None
