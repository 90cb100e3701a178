"""Carry over what trains left behind, in the caller's transaction: each ticket to the next train that runs, each train once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from releaser.domain.carry import CarryReason, CarryWhy, Journey, Plan, PlanKind
from releaser.domain.request import TicketState
from releaser.domain.train import Timetable, Train
from releaser.flows.list_plans import journeys_of
from releaser.flows.ports import Facts
from releaser.store import carry_alerts, plans, trains
from releaser.store.products import Product

BY = "releaser"
_MOST = 1000


def carry_tickets(session: Session, product: Product, table: Timetable) -> list[Facts]:
    """Carry every ticket whose train is over and that has not landed; idempotent.

    A train is over when it was skipped, when its stable is published and collected, or when it left and it is too late to cut
    for it. Answers each carry: `ticket`, `missed` and `train` (slots), `carries` so far, and whether that is an `alert`.
    """
    carried: list[Facts] = []
    for journey in carries_due(session, product, table):
        plan = journey.plans[-1]
        plans.keep(session, product.id, journey.ticket, plan, version=table.version_of(plan.slot_on))
        if journey.alerts(table.rhythm.rules.alert_after_carries):
            carry_alerts.queue(session, product.id, journey, to=table.rhythm.rules.alert_mail, now=table.now)
        carried.append(
            {
                "ticket": journey.ticket,
                "missed": plan.missed,
                "train": plan.slot_on,
                "carries": journey.carries,
                "alert": journey.alerts(table.rhythm.rules.alert_after_carries),
            }
        )
    return carried


def carries_due(session: Session, product: Product, table: Timetable) -> list[Journey]:
    """What is to be carried: ways of tickets that end with the carry that is due, one for every train that was missed."""
    open_ones = [one for one in journeys_of(session, product, table) if one.landed_in is None and one.planned_for]
    by_ticket = plans.requests(session, product.id, [one.ticket for one in open_ones])
    collected = trains.stables_out(session, product.id, collected=True)
    due: list[Journey] = []
    for journey in open_ones:
        request = by_ticket.get(journey.ticket)
        if request is None or request.state is not TicketState.CLOSED:
            due += _carried(table, journey, collected)
    return due


def _carried(table: Timetable, journey: Journey, collected: frozenset[str]) -> Iterator[Journey]:
    """The ticket goes on from train to train until one is still to come."""
    for _ in range(_MOST):
        plan = _carry(table, journey, collected)
        if plan is None:
            return
        journey = replace(journey, plans=[*journey.plans, plan])
        yield journey


def _carry(table: Timetable, journey: Journey, collected: frozenset[str]) -> Plan | None:
    """The carry that is due for a ticket; None while its train is not over."""
    train = table.at(journey.planned_for) if journey.planned_for is not None else None
    following = table.after(train) if train is not None else None
    why = _over(table, train, collected) if train is not None else None
    if train is None or following is None or why is None:
        return None
    return Plan(kind=PlanKind.CARRIED, slot_on=following.slot_on, missed=train.slot_on, at=table.now, by=BY, why=why)


def _over(table: Timetable, train: Train, collected: frozenset[str]) -> CarryReason | None:
    """Why nothing can come into a train any more; None while something can."""
    version = table.given.get(train.slot_on)
    if train.skipped:
        why = CarryWhy.SKIPPED
    elif version in collected:
        why = CarryWhy.LEFT
    elif table.is_over(train):
        why = CarryWhy.TOO_LATE if version else CarryWhy.NO_RELEASE
    else:
        return None
    return CarryReason(why=why, slot_on=train.slot_on, version=version or "")
