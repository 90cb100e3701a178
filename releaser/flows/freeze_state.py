"""Where a product's train stands with its freeze, and which entries a cut would have to refuse because of it."""

from __future__ import annotations

from releaser.domain.freeze import Phase
from releaser.flows.ports import Facts, Ports
from releaser.store import products


def freeze_state(ports: Ports, *, product: str, commit: str = "", branch: str = "") -> Facts:
    """Judge a stable cut of `commit` (full id; the branch's head as it was collected when empty) made now.

    For the gate before a cut: it calls this after `collect_commits`, with no transaction open (the first call of a process
    reads the repository), and refuses while `violations` is not empty. A patch has no train and is not asked about.
    `branch` is where the commit is; the product's own when empty.

    Facts: `product`, `train` (the day by the rhythm, ISO date or None: the train a cut made now leaves with; a cut keeps it
    in `Release.planned_on`), `departs_at`, `phase` (a `domain.freeze.Phase`), `branch_point_at`, `soft_freeze_at`,
    `freeze_at`, `thaw_at` (None for what the product has no rule for), `violations` and `excused` (each `commit`,
    `subject`, `tickets`, `landed`, `proof`, `why`, `detail`, `advice`), `exceptions`. A product without a rhythm or without
    freeze rules has no violations.
    Raises `ProductNotFoundError`, and what `open_history` raises when the product has freeze rules.
    """
    del commit, branch  # nothing is judged while no product can have freeze rules
    with ports.database.reading() as session:
        row = products.get(session, product)
    return {
        "product": row.name,
        "train": None,
        "departs_at": None,
        "phase": Phase.OPEN.value,
        "branch_point_at": None,
        "soft_freeze_at": None,
        "freeze_at": None,
        "thaw_at": None,
        "violations": [],
        "excused": [],
        "exceptions": [],
    }
