"""What the pages of rollouts ask: one rollout by its parts, without its plan and without its entities.

Everything is plain data read by columns. States are read as text, so that a page shows a state that only a newer service
knows. What does not live here: the shape that commands and the API show (`rollout_facts.of_rollout`), and what workers ask.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Result, Select, String, case, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from releaser.domain.advance import LEFT_AS_IT_IS
from releaser.domain.experience import Prediction
from releaser.domain.rollout import AT_WORK, UPDATE_ENDED, UPDATE_FAILED, UpdateState
from releaser.store.customers import Customer
from releaser.store.experience import prediction_facts
from releaser.store.installations import Host, Installation, Target
from releaser.store.plain import load
from releaser.store.products import Module, Product
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout, RolloutNotFoundError, StepRecord, TargetUpdate, Wave, measured_stop_s

_STATE = type_coerce(TargetUpdate.state, String)
_WAITS = type_coerce(TargetUpdate.waits_for, String)
_AT_ONCE = 500

HEAD: tuple[Any, ...] = (
    Rollout.id,
    type_coerce(Rollout.state, String).label("state"),
    type_coerce(Rollout.pause_reason, String).label("pause_reason"),
    Rollout.reason,
    Rollout.selector,
    Rollout.ticket,
    Rollout.created_by,
    Rollout.approved_by,
    Rollout.max_parallel,
    Rollout.threshold,
    Rollout.rehearsal,
    Rollout.superseded_by_id,
    Rollout.begins_at,
    Rollout.paused_at,
    Rollout.created_at,
    Rollout.started_at,
    Rollout.finished_at,
    Rollout.plan_hash,
    Product.name.label("product"),
    Product.title.label("product_title"),
    Release.version,
)
_TARGET: tuple[Any, ...] = (
    TargetUpdate.id,
    TargetUpdate.wave,
    TargetUpdate.position,
    _STATE.label("state"),
    _WAITS.label("waits_for"),
    TargetUpdate.reason,
    TargetUpdate.attempt,
    TargetUpdate.planned_stop_s,
    TargetUpdate.predicted,
    TargetUpdate.stopped_at,
    TargetUpdate.served_at,
    TargetUpdate.stopped_before_s,
    TargetUpdate.waiting_since_at,
    TargetUpdate.deadline_at,
    TargetUpdate.soak_until_at,
    TargetUpdate.not_before_at,
    TargetUpdate.finished_at,
    TargetUpdate.desired["version"].as_string().label("to"),
    TargetUpdate.previous["version"].as_string().label("from"),
    Installation.name.label("installation"),
    Installation.title.label("title"),
    Customer.name.label("customer"),
    Module.name.label("module"),
    Host.name.label("host"),
)
_RANK = case(
    (TargetUpdate.state.in_(UPDATE_FAILED), 0),
    (TargetUpdate.state.in_(AT_WORK), 1),
    (TargetUpdate.state == UpdateState.PENDING, 3),
    (TargetUpdate.state.in_(UPDATE_ENDED), 4),
    else_=2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which targets are asked for: of a wave, in which states (none: in any), with `text` in a name."""

    wave: int | None = None
    states: Collection[str] = ()
    text: str = ""


def head(session: Session, rollout_id: int) -> dict[str, Any]:
    """The rollout itself. Raises `RolloutNotFoundError`."""
    query = (
        select(*HEAD).join(Product, Product.id == Rollout.product_id).join(Release, Release.id == Rollout.release_id)
    )
    row = session.execute(query.where(Rollout.id == rollout_id)).mappings().one_or_none()
    if row is None:
        raise RolloutNotFoundError(f"There is no rollout {rollout_id}.", advice="See `releaser rollout list`.")
    return dict(row)


def planned(session: Session, rollout_id: int) -> dict[str, Any]:
    """What its plan says besides the targets: `options` and who was `passed` over."""
    row = session.execute(select(Rollout.plan["options"], Rollout.plan["passed"]).where(Rollout.id == rollout_id)).one()
    return {"options": row[0] or {}, "passed": row[1] or []}


def waves(session: Session, rollout_id: int) -> list[dict[str, Any]]:
    """Its waves in their order; `counts` says how many targets of each stand in which state."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    grouped = (
        select(TargetUpdate.wave, _STATE, func.count())
        .where(TargetUpdate.rollout_id == rollout_id)
        .group_by(TargetUpdate.wave, TargetUpdate.state)
    )
    for wave, state, count in session.execute(grouped):
        counts[wave][state] = count
    query = select(
        Wave.number,
        type_coerce(Wave.state, String).label("state"),
        Wave.started_at,
        Wave.soak_until_at,
        Wave.finished_at,
    )
    rows = session.execute(query.where(Wave.rollout_id == rollout_id).order_by(Wave.number))
    found = {row["number"]: dict(row) for row in rows.mappings()}
    for number in counts.keys() - found.keys():
        found[number] = {
            "number": number,
            "state": "pending",
            "started_at": None,
            "soak_until_at": None,
            "finished_at": None,
        }
    return [{**found[number], "counts": dict(counts[number])} for number in sorted(found)]


def wave_states(session: Session, rollout_id: int) -> dict[int, str]:
    """The state of each wave."""
    query = select(Wave.number, type_coerce(Wave.state, String)).where(Wave.rollout_id == rollout_id)
    return {row[0]: row[1] for row in session.execute(query)}


def under_way(session: Session, rollout_id: int) -> Sequence[tuple[Any, ...]]:
    """Everything that can change without a move, of its targets that have begun and not ended; id and state come first."""
    query = select(
        TargetUpdate.id,
        _STATE,
        _WAITS,
        TargetUpdate.reason,
        TargetUpdate.deadline_at,
        TargetUpdate.attempt,
        TargetUpdate.stopped_at,
        TargetUpdate.served_at,
        TargetUpdate.not_before_at,
        TargetUpdate.soak_until_at,
    ).where(
        TargetUpdate.rollout_id == rollout_id,
        TargetUpdate.state.not_in([*UPDATE_ENDED, UpdateState.PENDING]),
    )
    return [tuple(row) for row in session.execute(query)]


def waiting(session: Session, rollout_id: int) -> list[dict[str, Any]]:
    """What its targets wait for: for what and why, how many of them, one that does, since when, and until when at most."""
    query = (
        select(
            _WAITS.label("waits_for"),
            TargetUpdate.reason,
            func.count().label("count"),
            func.min(TargetUpdate.id).label("one"),
            func.min(TargetUpdate.waiting_since_at).label("since_at"),
            func.min(TargetUpdate.deadline_at).label("deadline_at"),
        )
        .where(TargetUpdate.rollout_id == rollout_id, TargetUpdate.state == UpdateState.WAITING)
        .group_by(TargetUpdate.waits_for, TargetUpdate.reason)
        .order_by(func.count().desc())
        .limit(20)
    )
    return [dict(row) for row in session.execute(query).mappings()]


def has_left(session: Session, rollout_id: int) -> bool:
    """Whether a target failed and was left as it is, because its version is not safe to roll back."""
    query = select(TargetUpdate.id).where(
        TargetUpdate.rollout_id == rollout_id,
        TargetUpdate.state == UpdateState.INCONSISTENT,
        TargetUpdate.reason.contains(LEFT_AS_IT_IS, autoescape=True),
    )
    return session.scalar(query.limit(1)) is not None


def longest_stop(session: Session, rollout_id: int) -> dict[str, float | None]:
    """The longest planned and the longest measured stop of its targets."""
    query = select(
        TargetUpdate.planned_stop_s, TargetUpdate.stopped_at, TargetUpdate.served_at, TargetUpdate.stopped_before_s
    )
    planned_s, measured_s = 0.0, None
    for row in session.execute(query.where(TargetUpdate.rollout_id == rollout_id)):
        planned_s = max(planned_s, row.planned_stop_s or 0.0)
        if (stop := measured_stop_s(row.stopped_at, row.served_at, row.stopped_before_s)) is not None:
            measured_s = max(measured_s or 0.0, stop)
    return {"planned_stop_s": planned_s, "measured_stop_s": measured_s}


def _targets(rollout_id: int) -> Select[Any]:
    return (
        select(*_TARGET)
        .join(Target, Target.id == TargetUpdate.target_id)
        .join(Installation, Installation.id == Target.installation_id)
        .join(Customer, Customer.id == Installation.customer_id)
        .join(Module, Module.id == Target.module_id)
        .join(Host, Host.id == Target.host_id)
        .where(TargetUpdate.rollout_id == rollout_id)
    )


def _told(rows: Result[Any]) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "measured_stop_s": measured_stop_s(row["stopped_at"], row["served_at"], row["stopped_before_s"]),
        }
        for row in rows.mappings()
    ]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.wave is not None:
        found.append(TargetUpdate.wave == wanted.wave)
    if wanted.states:
        found.append(_STATE.in_(list(wanted.states)))
    if wanted.text:
        names = (Installation.name, Installation.title, Customer.name, Host.name, Module.name)
        found.append(or_(*(name.icontains(wanted.text, autoescape=True) for name in names)))
    return found


def targets(
    session: Session, rollout_id: int, wanted: Wanted, *, limit: int, offset: int = 0, urgent_first: bool = False
) -> list[dict[str, Any]]:
    """A page of its targets: in their order, or first what failed, what is at work and what waits."""
    order = (_RANK, TargetUpdate.position) if urgent_first else (TargetUpdate.wave, TargetUpdate.position)
    query = _targets(rollout_id).where(*_conditions(wanted)).order_by(*order).limit(limit).offset(offset)
    return _told(session.execute(query))


def targets_of(session: Session, rollout_id: int, ids: Collection[int]) -> list[dict[str, Any]]:
    """Those of its targets."""
    found: list[dict[str, Any]] = []
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = TargetUpdate.id.in_(wanted[start : start + _AT_ONCE])
        found += _told(session.execute(_targets(rollout_id).where(some).order_by(TargetUpdate.position)))
    return found


def steps(session: Session, ids: Collection[int], *, every_attempt: bool = False) -> dict[int, list[dict[str, Any]]]:
    """The journals of these updates, of the present attempt or of all, in the order of intent."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(
                StepRecord.update_id, StepRecord.attempt, StepRecord.name, type_coerce(StepRecord.state, String).label("state"),
                StepRecord.tries, StepRecord.intent_at, StepRecord.done_at, StepRecord.detail,
            )
            .join(TargetUpdate, TargetUpdate.id == StepRecord.update_id)
            .where(StepRecord.update_id.in_(wanted[start : start + _AT_ONCE]))
            .order_by(StepRecord.id)
        )  # fmt: skip
        if not every_attempt:
            query = query.where(StepRecord.attempt == TargetUpdate.attempt)
        for row in session.execute(query).mappings():
            found[row["update_id"]].append(dict(row))
    return found


def expected_stop(predicted: dict[str, Any] | None) -> dict[str, Any] | None:
    """The stop that earlier updates let expect (`store.experience.prediction_facts`), or None."""
    if not predicted:
        return None
    found: dict[str, Any] = prediction_facts(load(Prediction, predicted))["stop"]
    return found
