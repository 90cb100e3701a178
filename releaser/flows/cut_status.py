"""Cuts under way, and what waits to be promoted or published."""

from __future__ import annotations

from releaser.domain.release import ReleaseState
from releaser.flows.ports import Facts, Ports
from releaser.store import products, releases

_OPEN = (ReleaseState.CUTTING, ReleaseState.CANDIDATE, ReleaseState.PROMOTED)


def cut_status(ports: Ports, *, product: str | None) -> list[Facts]:
    """Every release that is not published yet, of one product or of all; `cut_step` is the last step that is done.

    Raises `ProductNotFoundError`.
    """
    with ports.database.reading() as session:
        rows = products.everything(session) if product is None else [products.get(session, product)]
        return [
            {**releases.facts(release), "cut_at": release.cut_at}
            for row in rows
            for release in releases.in_states(session, row.id, *_OPEN)
        ]
