"""For which trains tickets are planned, where they landed, and how often they were carried over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.carry import Journey
from releaser.domain.embargo import Untold, untold
from releaser.domain.train import Timetable
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.i18n import DEFAULT_LANGUAGE, translator
from releaser.store import embargoes, plans, products, tickets, trains
from releaser.store.products import Product
from releaser.store.tickets import Ticket


def list_plans(
    ports: Ports, *, product: str, train: str = "", alerts: bool = False, told: Untold | None = untold
) -> list[Facts]:
    """Every planned ticket, most often carried first; of one `train`, or only those that are an alert.

    `told` stands in place of texts under embargo (None: for internal readers). Each tells `ticket`, `title` (of the vendor's own), `first_planned_for` and `planned_for` (slots), `version` (the number that
    train gives), `landed_in` (the lowest version that has the fix), `carries`, `alert` and its `plans`, oldest first.
    Raises `ProductNotFoundError`, `TrainNotFoundError`, `RefusedError` (rule `no-rhythm`).
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=ports.clock.now())
        slot_on = table.named(train).slot_on if train else None
        journeys = journeys_of(session, row, table)
        asked_for = plans.requests(session, row.id, [one.ticket for one in journeys])
        found = [
            facts
            for one in journeys
            if (facts := journey_facts(table, one, asked_for.get(one.ticket)))
            and (slot_on is None or one.planned_for == slot_on)
            and (facts["alert"] or not alerts)
        ]
        found = embargoes.veil(session, row.id, now=ports.clock.now()).over(found, told)
    return sorted(found, key=lambda one: (-one["carries"], one["ticket"]))


def way_of(session: Session, product: Product, key: str, *, now: datetime) -> Facts | None:
    """One ticket's way, None where it was never planned for a train."""
    table = trains.timetable(session, product, now=now) if plans.any_open(session, product.id, ticket=key) else None
    found = journeys_of(session, product, table, keys={key}) if table is not None else []
    return journey_facts(table, found[0], tickets.find(session, product.id, key)) if table and found else None


def journeys_of(
    session: Session, product: Product, table: Timetable, *, keys: Collection[str] | None = None
) -> list[Journey]:
    """The way of every ticket that was ever planned for a train, or of those named."""
    found = plans.journeys(session, product.id, slots=table.slots, tickets=keys)
    landed = plans.landed(session, product.id, found.keys())
    return [Journey(ticket=key, plans=made, landed_in=landed.get(key)) for key, made in found.items()]


def journey_facts(table: Timetable, journey: Journey, ticket: Ticket | None) -> Facts:
    """A ticket's way as plain data: the one shape that commands, the API and pages show."""
    return {
        "ticket": journey.ticket,
        "title": ticket.title if ticket is not None and ticket.customer_id is None else "",
        "state": ticket.state.value if ticket is not None else None,
        "first_planned_for": journey.first_planned_for,
        "planned_for": journey.planned_for,
        "version": table.version_of(journey.planned_for) if journey.planned_for else None,
        "landed_in": journey.landed_in,
        "carries": journey.carries,
        "alert": journey.alerts(table.rhythm.rules.alert_after_carries),
        "plans": [
            {
                "kind": plan.kind.value,
                "train": plan.slot_on,
                "missed": plan.missed,
                "at": plan.at,
                "by": plan.by,
                "reason": plan.told(translator(DEFAULT_LANGUAGE)),
                "why": plan.why.as_data() if plan.why is not None else None,
            }
            for plan in journey.plans
        ],
    }
