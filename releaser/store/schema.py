"""Every table in one place, for migrations and tests: importing this module fills `Base.metadata`."""

from __future__ import annotations

from releaser.store import (
    alarms,
    blockers,
    blocks,
    carry_alerts,
    chapters,
    commits,
    consents,
    customers,
    declared,
    embargoes,
    experience,
    fragments,
    freezes,
    gates,
    installations,
    lines,
    marks,
    moves,
    note_revisions,
    notices,
    overrides,
    plans,
    products,
    releases,
    rollouts,
    stated,
    tickets,
    trains,
    triggers,
    update_freezes,
    workers,
)
from releaser.store.base import Base

TABLES = (
    alarms, blockers, blocks, carry_alerts, chapters, commits, consents, customers, declared, embargoes, experience,
    fragments, freezes, gates, installations, lines, marks, moves, note_revisions, notices, overrides, plans, products,
    releases, rollouts, stated, tickets, trains, triggers, update_freezes, workers,
)  # fmt: skip
metadata = Base.metadata
