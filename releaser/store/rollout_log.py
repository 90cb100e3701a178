"""What happened in a rollout: its own moves, its waves' and its targets', as plain data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from releaser.domain.rollout import UPDATE_FAILED, RolloutState, UpdateState
from releaser.store.installations import Installation, Target
from releaser.store.moves import Move
from releaser.store.products import Module
from releaser.store.rollouts import Rollout, TargetUpdate, Wave, measured_stop_s

_NOUNS = {Rollout.__tablename__: "rollout", Wave.__tablename__: "wave", TargetUpdate.__tablename__: "target"}
_AT_ONCE = 500
_NOTABLE = {state.value for state in UPDATE_FAILED} | {UpdateState.ROLLING_BACK.value}


def of_rollout(rollout_id: int) -> ColumnElement[bool]:
    """Whether a move is one of this rollout, of its waves or of its targets."""
    own_waves = select(Wave.id).where(Wave.rollout_id == rollout_id)
    updates = select(TargetUpdate.id).where(TargetUpdate.rollout_id == rollout_id)
    return or_(
        and_(Move.noun == Rollout.__tablename__, Move.row_id == rollout_id),
        and_(Move.noun == Wave.__tablename__, Move.row_id.in_(own_waves)),
        and_(Move.noun == TargetUpdate.__tablename__, Move.row_id.in_(updates)),
    )


def newest(session: Session, rollout_id: int) -> int:
    """The id of the last thing that happened in a rollout; 0 before anything did."""
    return session.scalar(select(func.max(Move.id)).where(of_rollout(rollout_id))) or 0


def begun_by(session: Session, rollout_id: int) -> tuple[str, str]:
    """From which state a rollout was last set running, and by whom; both empty before it was."""
    query = select(Move.source, Move.by).where(
        Move.noun == Rollout.__tablename__,
        Move.row_id == rollout_id,
        Move.to == RolloutState.RUNNING.value,
        Move.source != RolloutState.RUNNING.value,
    )
    row = session.execute(query.order_by(Move.id.desc()).limit(1)).one_or_none()
    return (row.source, row.by) if row is not None else ("", "")


def is_notable(move: Mapping[str, Any]) -> bool:
    """Whether a move is worth telling among hundreds: of the rollout or a wave, or a target that fails."""
    return move["of"] != "target" or move["to"] in _NOTABLE


def log(
    session: Session,
    rollout_id: int,
    *,
    before: int | None = None,
    update_id: int | None = None,
    notable: bool = False,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """What moved, newest first, of one target where `update_id` says so; `before` is the number of the last that was shown."""
    own = (
        and_(Move.noun == TargetUpdate.__tablename__, Move.row_id == update_id) if update_id else of_rollout(rollout_id)
    )
    query = select(Move).where(own).order_by(Move.id.desc()).limit(limit)
    if notable:
        query = query.where(or_(Move.noun != TargetUpdate.__tablename__, Move.to.in_(_NOTABLE)))
    if before is not None:
        query = query.where(Move.id < before)
    return told_moves(session, session.scalars(query).all())


def told_moves(session: Session, rows: Sequence[Move]) -> list[dict[str, Any]]:
    """Moves as plain data, in the order given, each with the name of what moved."""
    names = _names(session, {row.row_id for row in rows if row.noun == TargetUpdate.__tablename__})
    of_waves = {row.row_id for row in rows if row.noun == Wave.__tablename__}
    numbers = {row[0]: row[1] for row in session.execute(select(Wave.id, Wave.number).where(Wave.id.in_(of_waves)))}
    found = []
    for row in rows:
        told: dict[str, Any] = {
            "id": row.id,
            "of": _NOUNS.get(row.noun, "target"),
            "from": row.source or None,
            "to": row.to,
            "at": row.at,
            "by": row.by,
            "reason": row.reason,
        }
        if told["of"] == "wave" and row.row_id in numbers:
            told["wave"] = numbers[row.row_id]
        if told["of"] == "target":
            told |= names.get(row.row_id, {})
        found.append(told)
    return found


def _names(session: Session, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(
                TargetUpdate.id, TargetUpdate.wave, Installation.name.label("installation"), Module.name.label("module"),
                TargetUpdate.stopped_at, TargetUpdate.served_at, TargetUpdate.stopped_before_s,
            )
            .join(Target, Target.id == TargetUpdate.target_id)
            .join(Installation, Installation.id == Target.installation_id)
            .join(Module, Module.id == Target.module_id)
            .where(TargetUpdate.id.in_(wanted[start : start + _AT_ONCE]))
        )  # fmt: skip
        for row in session.execute(query):
            found[row.id] = {
                "target": row.id,
                "wave": row.wave,
                "installation": row.installation,
                "module": row.module,
                "measured_stop_s": measured_stop_s(row.stopped_at, row.served_at, row.stopped_before_s),
            }
    return found
