"""What happened in a rollout since one looked last: its moves, its waves' and its targets', and the steps of the journal.

The truth is the rows: who follows reads them again every `LOOK_EVERY_S`. Ids of moves grow, but on a database with many
writers a smaller one can be seen after a bigger one; so the last `OVERLAP` ids are read again and told once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from releaser.domain.rollout import ENDED, RolloutState
from releaser.flows.ports import Ports
from releaser.store import rollouts
from releaser.store.moves import Move
from releaser.store.rollouts import Rollout, StepRecord, TargetUpdate, Wave

LOOK_EVERY_S = 0.3
OVERLAP = 200
_ENDED = {state.value for state in ENDED}


@dataclass(slots=True)
class Followed:
    """What a follower was told so far."""

    told: set[int] = field(default_factory=set)
    newest: int = 0
    steps: dict[int, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new: moves and steps as plain data, oldest first, and the rollout's state after them."""

    moves: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    state: str

    @property
    def is_end(self) -> bool:
        """Whether the rollout has ended."""
        return self.state in _ENDED


def _of(rollout_id: int) -> Select[Move]:
    """Every move of a rollout, of its waves and of its targets."""
    waves = select(Wave.id).where(Wave.rollout_id == rollout_id)
    updates = select(TargetUpdate.id).where(TargetUpdate.rollout_id == rollout_id)
    return select(Move).where(
        or_(
            and_(Move.noun == Rollout.__tablename__, Move.row_id == rollout_id),
            and_(Move.noun == Wave.__tablename__, Move.row_id.in_(waves)),
            and_(Move.noun == TargetUpdate.__tablename__, Move.row_id.in_(updates)),
        )
    )


def newest_move(ports: Ports, rollout_id: int) -> int:
    """The id of the last thing that happened in a rollout; 0 before anything did."""
    with ports.database.reading() as session:
        found = _of(rollout_id).with_only_columns(func.max(Move.id))
        return session.scalars(found).one() or 0


def is_over(ports: Ports, rollout_id: int) -> bool:
    """Whether the rollout has ended. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        return rollouts.get(session, rollout_id).state in ENDED


def look(ports: Ports, rollout_id: int, followed: Followed) -> News:
    """Read what is new and remember it as told. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        # The state first: what moved it before is then among the moves read after, on every database.
        state = session.scalars(select(Rollout.state).where(Rollout.id == rollout_id)).one_or_none()
        rows = session.scalars(
            _of(rollout_id).where(Move.id > max(0, followed.newest - OVERLAP)).order_by(Move.id)
        ).all()
        fresh = [row for row in rows if row.id not in followed.told]
        steps = _steps(session, rollout_id, followed)
        updates = _updates(session, {row.row_id for row in fresh if row.noun == TargetUpdate.__tablename__})
        waves = _waves(session, {row.row_id for row in fresh if row.noun == Wave.__tablename__})
    followed.told.update(row.id for row in fresh)
    followed.newest = max([followed.newest, *(row.id for row in fresh)])
    return News(
        moves=[_move(row, updates, waves) for row in fresh],
        steps=steps,
        state=state.value if state is not None else RolloutState.ABORTED.value,
    )


def _steps(session: Session, rollout_id: int, followed: Followed) -> list[dict[str, Any]]:
    query = (
        select(StepRecord)
        .join(TargetUpdate, TargetUpdate.id == StepRecord.update_id)
        .where(TargetUpdate.rollout_id == rollout_id)
        .order_by(StepRecord.id)
    )
    fresh = []
    for row in session.scalars(query):
        seen = (row.state.value, row.tries)
        if followed.steps.get(row.id) != seen:
            followed.steps[row.id] = seen
            fresh.append(
                {
                    "target": row.update_id,
                    "attempt": row.attempt,
                    "name": row.name,
                    "state": row.state.value,
                    "tries": row.tries,
                    "intent_at": row.intent_at,
                    "done_at": row.done_at,
                    "detail": row.detail,
                }
            )
    return fresh


def _updates(session: Session, ids: set[int]) -> dict[int, TargetUpdate]:
    found = session.scalars(select(TargetUpdate).where(TargetUpdate.id.in_(ids))).unique().all() if ids else []
    return {row.id: row for row in found}


def _waves(session: Session, ids: set[int]) -> dict[int, int]:
    found = session.execute(select(Wave.id, Wave.number).where(Wave.id.in_(ids))).all() if ids else []
    return {row.id: row.number for row in found}


def _move(row: Move, updates: dict[int, TargetUpdate], waves: dict[int, int]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": row.id,
        "of": {Rollout.__tablename__: "rollout", Wave.__tablename__: "wave"}.get(row.noun, "target"),
        "from": row.source or None,
        "to": row.to,
        "at": row.at,
        "by": row.by,
        "reason": row.reason,
    }
    if row.row_id in waves and row.noun == Wave.__tablename__:
        told["wave"] = waves[row.row_id]
    if row.row_id in updates and row.noun == TargetUpdate.__tablename__:
        update = updates[row.row_id]
        told |= {
            "target": update.id,
            "wave": update.wave,
            "installation": update.target.installation.name,
            "module": update.target.module.name,
            "measured_stop_s": update.measured_stop_s,
        }
    return told
