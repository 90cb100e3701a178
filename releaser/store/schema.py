"""Every table in one place, for migrations and tests: importing this module fills `Base.metadata`."""

from __future__ import annotations

from releaser.store import (
    alarms,
    blockers,
    commits,
    customers,
    declared,
    gates,
    installations,
    lines,
    marks,
    moves,
    notices,
    overrides,
    products,
    releases,
    rollouts,
    stated,
    tickets,
)
from releaser.store.base import Base

TABLES = (
    alarms, blockers, commits, customers, declared, gates, installations, lines, marks, moves, notices, overrides,
    products, releases, rollouts, stated, tickets,
)  # fmt: skip
metadata = Base.metadata
