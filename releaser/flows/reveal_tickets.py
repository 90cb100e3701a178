"""Tell what was under embargo, once its time has come."""

from __future__ import annotations

from datetime import timedelta

from releaser.errors import ReleaserError
from releaser.flows.ports import Ports
from releaser.flows.retell_ticket import retell_ticket
from releaser.store import embargoes
from releaser.store.embargoes import Embargo
from releaser.store.products import Product

AGAIN_AFTER = timedelta(minutes=5)
"""A file system or a remote that refused is asked again after this long."""
_MOST = 20


def reveal_tickets(ports: Ports) -> int:
    """One tick: of every embargo that is over, write files anew, once. Returns how many were told.

    What readers ask for themselves (pages, feeds, the API) follows the clock and needs no tick. What could not be written is
    tried again later. Raises what the last that failed raised, after the others were done.
    """
    with ports.database.reading() as session:
        found = [
            (row.id, row.ticket, session.get_one(Product, row.product_id).name)
            for row in embargoes.due(session, now=ports.clock.now(), limit=_MOST)
        ]
    failed: ReleaserError | None = None
    told = 0
    for row_id, ticket, product in found:
        try:
            retell_ticket(ports, product=product, ticket=ticket, by="releaser")
        except ReleaserError as error:
            failed = error
            _note(ports, row_id, later=True)
        else:
            told += _note(ports, row_id, later=False)
    if failed is not None:
        raise failed
    return told


def _note(ports: Ports, row_id: int, *, later: bool) -> int:
    """Record that it was told, or when to try again; unless the embargo was moved in between."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = session.get(Embargo, row_id)
        if row is None or row.until > now:
            return 0
        if later:
            row.try_at = now + AGAIN_AFTER
            return 0
        row.told_at = now
        return 1
