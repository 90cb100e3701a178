"""The notice that a plan drafts once it is kept, told beforehand, in the caller's session."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.notice import NoticeState, impact_of, worst
from releaser.domain.plan import Plan
from releaser.flows.draft_notice import open_notice, planned_times, set_by
from releaser.flows.keep_plan import touched_by
from releaser.flows.ports import Facts


def foresee_notice(session: Session, plan: Plan, *, planned: int | None, now: datetime) -> Facts | None:
    """What it would say; None where nobody has to be told. `planned` is the rollout that is planned like this already, if any.

    `notice` and `state` are those of the notice that is there already, else None. `time_set_by` are the customers whose contracts
    make everybody begin later than somebody could alone.
    """
    touched = touched_by(session, plan)
    if plan.options.rehearse or not touched:
        return None
    asked = plan.options.starts_at is not None and plan.options.starts_at >= now
    there = open_notice(session, planned) if planned is not None else None
    earlier = there.starts_at if there is not None else now
    times = planned_times(session, touched, starts_at=plan.options.starts_at, earlier=earlier, now=now)
    if there is not None and there.state is not NoticeState.DRAFT:
        times = there.starts_at, there.ends_at  # what was announced is moved by a person
    is_ours = not asked and (there is None or there.state is NoticeState.DRAFT)
    stop = worst(one.stop for one in touched)
    names = {one.installation_id: one.installation for one in plan.targets}
    return {
        "notice": there.id if there is not None else None,
        "state": there.state.value if there is not None else None,
        "stop": stop.value,
        "impact": impact_of(stop).value,
        "starts_at": times[0],
        "ends_at": times[1],
        "time_set_by": set_by(session, touched, now=now) if is_ours else [],
        "installations": sorted(names[one.installation_id] for one in touched),
    }
