"""Plan a rollout, and on request keep the plan: the rollout in state planned, and the draft of its notice."""

from __future__ import annotations

from datetime import timedelta

from releaser.domain.plan import Plan, PlannedTarget, Refusal, RolloutOptions
from releaser.domain.target import Stop
from releaser.domain.waiting import checked_offline, checked_wait
from releaser.errors import InvalidError
from releaser.flows.draft_notice import open_notice
from releaser.flows.foresee_notice import foresee_notice
from releaser.flows.foresee_start import foresee_start, planned_like
from releaser.flows.keep_plan import keep_plan, modules_of
from releaser.flows.make_plan import make_plan
from releaser.flows.ports import Facts, Ports
from releaser.flows.recheck_plan import plan_afresh
from releaser.store.experience import prediction_facts

LONGEST_SOAK_FOR = timedelta(days=30)
EARLIEST_YEAR, LATEST_YEAR = 2000, 9000


def plan_rollout(
    ports: Ports, *, product: str, version: str, selector: str, by: str, options: RolloutOptions, save: bool
) -> Facts:
    """The plan as data; with `save` also the planned rollout and the draft notice, planned again if there was one.

    Raises what `make_plan` raises; with `save` also `PlanStaleError`, where something changes there all the time.
    """
    check_options(options)

    def attempt() -> Facts:
        plan = make_plan(ports, product=product, version=version, selector=selector, options=options)
        if not save:
            return plan_facts(ports, plan)
        plan.check()
        with ports.database.transaction() as session:
            rollout = keep_plan(session, plan, by=by, now=ports.clock.now())
            notice = open_notice(session, rollout.id)
            kept = {"rollout": rollout.id, "notices": [notice.id] if notice is not None else []}
        return {**plan_facts(ports, plan), **kept}

    return plan_afresh(attempt)


def check_options(options: RolloutOptions) -> None:
    """Refuse starts, waits and soaks that nobody can mean, and a rehearsal that would end a real rollout. Raises `InvalidError`."""
    if options.starts_at is not None and not EARLIEST_YEAR <= options.starts_at.year <= LATEST_YEAR:
        raise InvalidError(
            f"Work cannot begin in the year {options.starts_at.year}.",
            advice="Name the planned start as an ISO 8601 instant, such as 2030-05-31T22:00+03:00.",
            field="starts_at",
        )
    if options.rehearse and options.supersede:
        raise InvalidError(
            "A rehearsal cuts nothing over, so it takes over from nobody.",
            advice="Rehearse it without --supersede once the other rollout has ended.",
            field="supersede",
        )
    checked_wait(options.wait_for)
    checked_offline(options.offline_for)
    if not timedelta(0) <= options.wave_soak <= LONGEST_SOAK_FOR:
        raise InvalidError(
            "A wave is not watched for so long.", advice="Give a time such as 10m, at most 30d.", field="wave_soak"
        )


def plan_facts(ports: Ports, plan: Plan) -> Facts:
    """A plan as plain data: the one shape that commands and the API show."""
    with ports.database.reading() as session:
        stops = plan.stops(modules_of(session, plan))
        needs = foresee_start(session, plan, now=ports.clock.now())
        planned = planned_like(session, plan)
        notice = foresee_notice(session, plan, planned=planned, now=ports.clock.now())
    stated = {t.installation_id for t in plan.changes if t.stop[0] is not Stop.NONE and not t.predicted.stop.samples}
    return {
        "product": plan.product,
        "version": plan.version,
        "selector": plan.selector,
        "hash": plan.hash,
        "unchanged": not plan.changes,
        "max_parallel": plan.options.max_parallel,
        "threshold": plan.options.threshold,
        "wait_s": plan.options.wait_for.total_seconds(),
        "offline_s": plan.options.offline_for.total_seconds(),
        "wave_soak_s": plan.options.wave_soak.total_seconds(),
        "gated": plan.options.gated,
        "one_off": plan.options.one_off,
        "rehearsal": plan.options.rehearse,
        "operation": plan.work or None,
        "needs": needs,
        "notice": notice,
        "refusals": [refusal_facts(one) for one in plan.refusals],
        "passed": [{"installation": p.installation, "customer": p.customer, "reason": p.reason} for p in plan.passed],
        "targets": [_target_facts(target) for target in plan.targets],
        "stops": [
            {
                "installation": stop.installation,
                "stop": stop.stop.value,
                "modules": list(stop.modules),
                "planned_stop_s": stop.stop_for.total_seconds(),
                "basis": "stated estimate" if stop.installation_id in stated else "earlier cutovers",
            }
            for stop in stops
        ],
    }


def refusal_facts(refusal: Refusal) -> Facts:
    """What is refused, why, and what to do about it."""
    return {
        "rule": refusal.rule,
        "installation": refusal.installation or None,
        "detail": refusal.detail,
        "advice": refusal.advice,
    }


def _target_facts(target: PlannedTarget) -> Facts:
    stop, stop_for = target.stop
    return {
        "wave": target.wave,
        "installation": target.installation,
        "customer": target.customer,
        "module": target.module,
        "host": target.host,
        "from": target.previous.version if target.previous else None,
        "to": target.desired.version,
        "digest": target.desired.digest,
        "already_installed": target.already_installed,
        "stop": stop.value if target.seen or stop is not Stop.NONE else "unknown",
        "planned_stop_s": stop_for.total_seconds(),
        "predicted": prediction_facts(target.predicted) if not target.already_installed else None,
        "why": next((step.why for step in target.steps if step.why), "") if not target.already_installed else "",
        "steps": [{"name": s.name, "phase": s.phase.value, "stops": s.stops.value} for s in target.steps],
        "drift": target.drift,
        "warning": target.warning,
    }
