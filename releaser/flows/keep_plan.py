"""Keep a plan, in the caller's transaction: the rollout in state planned with its waves and targets, and the draft of its notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from releaser.domain.plan import Plan, PlannedTarget, RolloutOptions
from releaser.domain.rollout import NOT_BEGUN, RolloutState, UpdateState
from releaser.domain.target import Stop
from releaser.domain.waves import limit_of
from releaser.errors import MoveConflictError
from releaser.flows.draft_notice import Touched, draft_notice
from releaser.flows.recheck_plan import recheck_plan
from releaser.store import drifts, installations, moves, products, releases, rollouts
from releaser.store.installations import Target
from releaser.store.plain import dump, load
from releaser.store.rollouts import Rollout, TargetUpdate, Wave


def keep_plan(session: Session, plan: Plan, *, by: str, now: datetime) -> Rollout:
    """Write the plan down as a planned rollout. One of the same release and selector that has not begun is re-planned.

    Whoever plans something else than before is one of its authors; once it needs an approval it does until it is aborted.
    Raises `PlanStaleError` where it does not hold any more.
    """
    recheck_plan(session, plan)
    product = products.get(session, plan.product)
    release = releases.get(session, product, plan.version)
    there = session.scalars(
        select(Rollout).where(
            Rollout.release_id == release.id,
            Rollout.selector == plan.selector,
            Rollout.rehearsal.is_(plan.options.rehearse),
            Rollout.state.in_([RolloutState.PLANNED, RolloutState.AWAITING_APPROVAL]),
        )
    ).unique()
    rollout = next(
        (one for one in there if is_same_work(load(RolloutOptions, one.plan["options"]), plan.options)), None
    )
    if rollout is None:
        rollout = Rollout(
            product_id=product.id,
            release_id=release.id,
            selector=plan.selector,
            state=RolloutState.PLANNED,
            created_by=by,
            created_at=now,
            authors=[by],
            rehearsal=plan.options.rehearse,
            **_values(plan),
        )
        session.add(rollout)
        session.flush()
        moves.record(session, rollout, source="", to=RolloutState.PLANNED.value, now=now, by=by)
        _keep_members(session, rollout, plan)
    elif rollout.plan_hash != plan.hash:
        rollout.authors = list(dict.fromkeys([*rollout.authors, by]))
        keep_again(session, rollout, plan)
    session.flush()
    session.refresh(rollout)
    _note_drift(session, plan, now=now)
    draft_again(session, rollout, plan, now=now)
    return rollout


def is_same_work(one: RolloutOptions, other: RolloutOptions) -> bool:
    """Whether both are updates, or the same kind of scaling of the same module."""
    kinds = [(of.operation.kind, of.operation.module) if of.operation is not None else None for of in (one, other)]
    return kinds[0] == kinds[1]


def keep_again(session: Session, rollout: Rollout, plan: Plan) -> None:
    """Put the plan in the place of what was planned, in a rollout that has not begun. No approval survives that.

    Raises `MoveConflictError` when somebody began it meanwhile: what runs is never planned anew.
    """
    if rollout.state not in NOT_BEGUN:
        raise MoveConflictError(
            f"rollout {rollout.id}", source=RolloutState.PLANNED.value, to="planned anew", actual=rollout.state.value
        )
    values = _values(plan)
    values["needs_approval"] = rollout.needs_approval or plan.options.needs_approval
    for name, value in {**values, "approved_by": ""}.items():
        setattr(rollout, name, value)
    session.execute(delete(TargetUpdate).where(TargetUpdate.rollout_id == rollout.id))
    session.execute(delete(Wave).where(Wave.rollout_id == rollout.id))
    _keep_members(session, rollout, plan)
    session.flush()
    session.refresh(rollout)


def _note_drift(session: Session, plan: Plan, *, now: datetime) -> None:
    """What was seen on the way: it is true whatever becomes of the plan."""
    for one in plan.targets:
        target = session.get(Target, one.target_id) if one.seen else None
        busy = rollouts.holder(session, one.target_id) is not None
        if target is not None and not busy and (one.differences or target.drift is not None):
            drifts.note(session, target, one.differences, now=now)


def _values(plan: Plan) -> dict[str, object]:
    options = plan.options
    return {
        "plan": dump(plan),
        "plan_hash": plan.hash,
        "max_parallel": limit_of(options.max_parallel, of=len(plan.changes), least=1),
        "threshold": limit_of(options.threshold, of=len(plan.changes), least=0),
        "wait_s": options.wait_for.total_seconds(),
        "wave_soak_s": options.wave_soak.total_seconds(),
        "gated": options.gated,
        "needs_approval": options.needs_approval,
        "ticket": options.ticket,
    }


def _keep_members(session: Session, rollout: Rollout, plan: Plan) -> None:
    sizes = Counter(target.wave for target in plan.changes)
    for number in sorted({target.wave for target in plan.targets}):
        session.add(wave_of(rollout, plan, number=number, size=sizes[number]))
    keep_members(session, rollout, plan.targets)


def keep_members(
    session: Session, rollout: Rollout, targets: Sequence[PlannedTarget], *, first: int = 0, active: bool = False
) -> None:
    """Write down what is planned for targets, in their order from position `first` on."""
    for position, target in enumerate(targets, start=first):
        update = TargetUpdate(
            rollout_id=rollout.id,
            target_id=target.target_id,
            wave=target.wave,
            position=position,
            state=UpdateState.PENDING,
            active=active,
        )
        plan_update(update, target)
        session.add(update)


def plan_update(update: TargetUpdate, target: PlannedTarget) -> None:
    """Write down what is to be done to the target, and from what it starts."""
    update.desired = dump(target.desired)
    update.previous = dump(target.previous) if target.previous else None
    update.steps = [dump(step) for step in target.steps]
    update.planned_stop_s = target.stop[1].total_seconds()
    update.one_way = bool(target.one_way)
    update.predicted = dump(target.predicted) if not target.already_installed else None


def wave_of(rollout: Rollout, plan: Plan, *, number: int, size: int) -> Wave:
    """A wave with the limits that the options mean for it; `size` of its targets are changed, and shares are of those."""
    options = plan.options
    return Wave(
        rollout_id=rollout.id,
        number=number,
        max_parallel=limit_of(options.max_parallel, of=size, least=1),
        threshold=limit_of(options.threshold, of=size, least=0),
    )


def draft_again(session: Session, rollout: Rollout, plan: Plan, *, now: datetime) -> None:
    """Draft the notice of what stops; a rehearsal stops nothing. Of one that is announced already, what changed counts as not told until it is revised."""
    if plan.options.rehearse:
        return
    draft_notice(
        session,
        rollout=rollout,
        touched=touched_by(session, plan),
        starts_at=plan.options.starts_at,
        now=now,
        operation=plan.options.operation,
    )


def touched_by(session: Session, plan: Plan) -> list[Touched]:
    """What the notice of a plan tells of: what stops, and all that is scaled."""
    return [
        Touched(installation_id=s.installation_id, stop=s.stop, modules=s.modules, stop_for=s.stop_for)
        for s in plan.stops(modules_of(session, plan))
        if s.stop is not Stop.NONE or plan.options.operation is not None
    ]


def modules_of(session: Session, plan: Plan) -> dict[int, int]:
    """Installation -> how many of the product's modules it has."""
    product = products.get(session, plan.product)
    everything = installations.everything(session, product_id=product.id)
    return {one.id: len({target.module_id for target in one.targets}) for one in everything}
