"""Say of every target of a plan what earlier cutovers let expect, and refuse what no window of its contract can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from releaser.domain.experience import Kind, Prediction, Stated, class_of_host, method_of
from releaser.domain.plan import Plan, PlannedTarget, Refusal
from releaser.domain.regulation import Regulation, from_mapping
from releaser.domain.target import Phase, planned_stop
from releaser.flows.ports import Ports
from releaser.store import experience
from releaser.store.experience import TargetRow


def predict_plan(ports: Ports, plan: Plan) -> Plan:
    """The same plan with predictions, and with a refusal for every installation whose windows are all too short."""
    with ports.database.reading() as session:
        rows = experience.targets(session, [one.target_id for one in plan.changes])
        known = experience.samples(
            session, modules={row.module_id for row in rows.values()}, drivers={row.driver for row in rows.values()}
        )

    def predicted(one: PlannedTarget) -> PlannedTarget:
        row = rows.get(one.target_id)
        if row is None or one.already_installed:
            return one
        kind = Kind(
            module=f"{plan.product}/{one.module}",
            driver=row.driver,
            host_class=class_of_host(row.address, stated=row.host_class),
            method=method_of(one.desired.spec),
        )
        return replace(one, predicted=known.predict(kind, stated=_stated(ports, row, one)))

    plan = replace(plan, targets=tuple(predicted(one) for one in plan.targets))
    refusals = _too_short(plan, rows, now=ports.clock.now())
    return replace(plan, refusals=(*plan.refusals, *refusals))


def _stated(ports: Ports, row: TargetRow, one: PlannedTarget) -> Stated:
    steps = [step for step in one.steps if step.phase is Phase.CUT_OVER]
    back = ports.drivers[row.driver].plan_back(desired=one.desired, previous=one.previous)
    return Stated(
        cutover=sum((step.estimated_for for step in steps), timedelta(0)),
        stop=planned_stop(one.steps)[1],
        rollback=sum((step.estimated_for for step in back), timedelta(0)),
    )


def _too_short(plan: Plan, rows: Mapping[int, TargetRow], *, now: datetime) -> Iterator[Refusal]:
    told: set[str] = set()
    contracts: dict[str, Regulation] = {}
    for one in plan.changes:
        row = rows.get(one.target_id)
        if row is None or one.installation in told:
            continue
        if one.customer not in contracts:
            contracts[one.customer] = from_mapping(row.regulation, zone=row.zone)
        longest = contracts[one.customer].longest_window(now)
        if longest is not None and one.predicted.needs > longest:
            told.add(one.installation)
            yield _refusal(one, one.predicted, longest)


def _refusal(one: PlannedTarget, expected: Prediction, longest: timedelta) -> Refusal:
    known = f"{expected.cutover.samples} earlier ones" if expected.cutover.samples else "the stated estimate"
    return Refusal(
        rule="window-too-short",
        detail=f"The longest window of '{one.customer}' is {_in_words(longest)}, and the cutover of {one.installation} "
        f"({one.module}) with the way back needs {_in_words(expected.needs)} by {known}: "
        f"{_in_words(expected.cutover.p90)} and {_in_words(expected.rollback.p90)}.",
        advice="Agree on a longer window, or make it shorter: a smaller stop_grace_s, cutover network-swap or front.",
        about="selector",
        installation=one.installation,
        facts={
            "window_s": f"{longest.total_seconds():g}",
            "needs_s": f"{expected.needs.total_seconds():g}",
        },
    )


def _in_words(span: timedelta) -> str:
    """`1 h 30 min`, `90 s`, `1.2 s`."""
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.3g} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(filter(None, (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "")))
