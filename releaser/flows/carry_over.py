"""Carry unfinished tickets over to the next train once theirs is over."""

from __future__ import annotations

from releaser.flows.carry_tickets import carries_due, carry_tickets
from releaser.flows.collect_commits import collect_commits
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.store import plans, products, trains


def carry_over(ports: Ports, *, product: str) -> list[Facts]:
    """One tick over a product's open plans; the facts are what was carried now, each with whether it is an `alert`.

    Idempotent: a train leaves each ticket behind once. What a release brought is known from a collect after its tag was made;
    where that is missing it is made up for. Raises `ProductNotFoundError`, and the errors of `collect_commits`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        if row.first_train_on is None or not plans.any_open(session, row.id):
            return []
        table = timetable_of(session, row, now=ports.clock.now())
        unread = trains.stables_out(session, row.id, collected=False)
    if unread.intersection(table.given.values()):
        collect_commits(ports, product=product)
    with ports.database.reading() as session:
        if not carries_due(session, row, table):
            return []
    with ports.database.transaction() as session:
        row = products.get(session, product)
        return carry_tickets(session, row, timetable_of(session, row, now=ports.clock.now()))
