"""What counts for every ticket on every line, as of now: kept in memory until the history or what people said changes."""

from __future__ import annotations

from releaser.domain.status_table import StatusTable
from releaser.flows.open_history import open_history
from releaser.flows.ports import Ports
from releaser.store import overrides, products, stated, tickets


def judge_tickets(ports: Ports, *, product: str) -> StatusTable:
    """The table of `product`. It may touch files, so no transaction may be open. Raises as `open_history`."""
    history = open_history(ports, product=product)
    with ports.database.reading() as session:
        row = products.get(session, product)
        state = (history.state, stated.mark(session, row.id))
        held = ports.status_tables.get(row.id)
        if held is not None and held[0] == state:
            return held[1]
        said = overrides.by_product(session, row.id)
        found_in = stated.found_in(session, row.id)
        requests = tickets.keys(session, row.id)
        titles = tickets.own_titles(session, row.id)
        planned_for = stated.planned_for(session, row.id)
    # What is only planned has a page as well: the trains' page leads to it.
    others = [*requests, *planned_for]
    table = StatusTable(
        history, overrides=said, found_in=found_in, others=others, titles=titles, planned_for=planned_for
    )
    ports.status_tables[row.id] = (state, table)
    return table
