"""Rollouts and their targets as plain data: the one shape that commands and the API show.

What does not live here: what pages show (`store.rollout_view`), and the rows themselves (`store.rollouts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.experience import Prediction
from releaser.domain.waiting import WHO_MAY
from releaser.store.experience import prediction_facts
from releaser.store.plain import load
from releaser.store.rollouts import Rollout, TargetUpdate


def of_rollout(rollout: Rollout) -> dict[str, Any]:
    """A rollout as plain data: the one shape that commands and the API show."""
    return {**of_head(rollout), "targets": [of_update(u) for u in rollout.updates]}


def of_head(rollout: Rollout, *, planned: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same without its targets. `planned` stands for a plan that was not read."""
    plan = rollout.plan if planned is None else planned
    return {
        "id": rollout.id,
        "product": rollout.product.name,
        "version": rollout.release.version,
        "selector": rollout.selector,
        "state": rollout.state.value,
        "pause_reason": rollout.pause_reason.value if rollout.pause_reason else None,
        "reason": rollout.reason,
        "plan_hash": rollout.plan_hash,
        "max_parallel": rollout.max_parallel,
        "threshold": rollout.threshold,
        "wait_s": rollout.wait_s,
        "wave_soak_s": rollout.wave_soak_s,
        "gated": rollout.gated,
        "paused_at": rollout.paused_at,
        "ticket": rollout.ticket or None,
        "rehearsal": rollout.rehearsal,
        "superseded_by": rollout.superseded_by_id,
        "late": rollout.late,
        "begins_at": rollout.begins_at,
        "begin_by_at": rollout.begin_by_at,
        "one_off": bool((plan.get("options") or {}).get("one_off")),
        "passed": list(plan.get("passed") or ()),
        "approved_by": rollout.approved_by or None,
        "created_by": rollout.created_by,
        "created_at": rollout.created_at,
        "started_at": rollout.started_at,
        "finished_at": rollout.finished_at,
        "waves": [
            {
                "number": w.number,
                "state": w.state.value,
                "soak_until_at": w.soak_until_at,
                "max_parallel": rollout.max_parallel if w.max_parallel is None else w.max_parallel,
                "threshold": rollout.threshold if w.threshold is None else w.threshold,
            }
            for w in rollout.waves
        ],
    }


def of_update(update: TargetUpdate) -> dict[str, Any]:
    """One target's part of a rollout as plain data."""
    installation = update.target.installation
    return {
        "id": update.id,
        "wave": update.wave,
        "installation": installation.name,
        "customer": installation.customer.name,
        "module": update.target.module.name,
        "host": update.target.host.name,
        "state": update.state.value,
        "waits_for": update.waits_for.value if update.waits_for else None,
        "waiting_since_at": update.waiting_since_at,
        "deadline_at": update.deadline_at,
        "ended_by": WHO_MAY[update.waits_for] if update.waits_for else None,
        "reason": update.reason,
        "attempt": update.attempt,
        "from": (update.previous or {}).get("version"),
        "to": update.desired.get("version"),
        "planned_stop_s": update.planned_stop_s,
        "measured_stop_s": update.measured_stop_s,
        "measured_by": update.measured_by.value if update.measured_by else None,
        "predicted": prediction_facts(load(Prediction, update.predicted)) if update.predicted else None,
        "finished_at": update.finished_at,
    }


def of_plans(session: Session, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What `of_head` tells of the plan of each of these rollouts, without reading the plans, which are as long as they are large."""
    query = select(Rollout.id, Rollout.plan["options"], Rollout.plan["passed"]).where(Rollout.id.in_(list(ids)))
    return {row[0]: {"options": row[1], "passed": row[2]} for row in session.execute(query)}
