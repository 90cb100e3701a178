"""Freezes of updates, the last to end first."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import update_freezes


def list_freezes(ports: Ports, *, limit: int = 50, offset: int = 0) -> list[Facts]:
    """Those to come, those that hold and those that are over or lifted."""
    now = ports.clock.now()
    with ports.database.reading() as session:
        return [
            update_freezes.facts(row, now=now) for row in update_freezes.newest(session, limit=limit, offset=offset)
        ]
