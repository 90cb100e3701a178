"""Plan a ticket for a train, or for none. The version that the train is to give is stated of the ticket with it."""

from __future__ import annotations

from releaser.domain.carry import Plan, PlanKind
from releaser.errors import RefusedError
from releaser.flows.find_ticket import check_key, product_of
from releaser.flows.find_train import reason_given, timetable_of
from releaser.flows.list_plans import journey_facts, journeys_of
from releaser.flows.ports import Facts, Ports
from releaser.store import plans, tickets, trains


def plan_ticket(
    ports: Ports, *, key: str, train: str | None, by: str, reason: str = "", product: str | None = None
) -> Facts:
    """Plan it for `train` (a day, `next` or `current`), for none when that is None; the facts are its way so far.

    The ticket need not be known yet, where `product` is named. How often it was carried over stays.
    Raises `TicketKeyError`, `TrainNotFoundError`, `RefusedError` (rules `no-rhythm`, `train-over`), and as `product_of`.
    """
    why = reason_given(reason) if reason.strip() else ""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = product_of(session, key=key, product=product)
        check_key(row, key)
        table = timetable_of(session, row, now=now)
        found = table.named(train) if train is not None else None
        out = trains.stables_out(session, row.id, collected=True) | trains.stables_out(session, row.id, collected=False)
        if found is not None and (table.is_over(found) or table.given.get(found.slot_on) in out):
            raise RefusedError(
                f"The train of {found.slot_on} {'is skipped' if found.skipped else 'is over'}.",
                rule="train-over",
                advice="Name one that is still to come.",
                field="train",
            )
        slot_on = found.slot_on if found is not None else None
        before = next(iter(journeys_of(session, row, table, keys={key})), None)
        if before is None or before.planned_for != slot_on:
            plan = Plan(
                kind=PlanKind.PLANNED if slot_on else PlanKind.DROPPED, slot_on=slot_on, at=now, by=by, reason=why
            )
            plans.keep(session, row.id, key, plan, version=table.version_of(slot_on))
        after = next(iter(journeys_of(session, row, table, keys={key})), None)
        request = tickets.find(session, row.id, key)
        told = journey_facts(table, after, request) if after is not None else {"ticket": key, "planned_for": None}
        return {"product": row.name, **told}
