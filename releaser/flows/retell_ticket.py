"""Write again what tells of a ticket, after a correction, an embargo or the end of one."""

from __future__ import annotations

from releaser.flows.ports import Ports
from releaser.flows.rewrite_release import rewrite_release
from releaser.store import notes, products


def retell_ticket(ports: Ports, *, product: str, ticket: str, by: str) -> list[str]:
    """Write the files of every published release that tells of the ticket; answers the versions.

    Pages and feeds need nothing: they are made when they are asked for. The same again writes the same. Raises what
    `rewrite_release` raises.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        versions = [release.version for release in notes.telling(session, row.id, ticket)]
    for version in versions:
        rewrite_release(ports, product=product, version=version, by=by)
    return versions
