"""State by a person's word where the branch was when a freeze began, where nobody looked at it in time."""

from __future__ import annotations

from releaser.domain.freeze import Phase, phases_of
from releaser.errors import NotFoundError, RefusedError
from releaser.flows.find_train import reason_given, timetable_of
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.store import products
from releaser.store.freezes import StatedPoint


class CommitNotFoundError(NotFoundError):
    """The history has no such commit."""


def state_freeze_point(
    ports: Ports,
    *,
    product: str,
    commit: str,
    reason: str,
    by: str,
    train: str = "current",
    phase: Phase = Phase.FREEZE,
) -> Facts:
    """State it: what the commit contains landed in time. The newest word counts, above what was seen, and is kept for good.

    Raises `CommitNotFoundError`, `TrainNotFoundError`, `TrainReasonMissingError`, `RefusedError` (rules `no-rhythm`,
    `no-freeze`, `not-frozen-yet`), and what `open_history` raises.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    history = open_history(ports, product=product)
    index = history.find(commit)
    if index is None:
        raise CommitNotFoundError(
            f"The history of '{product}' has no commit '{commit[:64]}', or several.",
            advice="Give its full id; a commit that is new counts after `releaser collect`.",
            field="commit",
        )
    with ports.database.transaction() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=now)
        found = table.named(train)
        phases = phases_of(found, table.rhythm)
        at = {Phase.SOFT_FREEZE: phases.soft_freeze_at, Phase.FREEZE: phases.freeze_at}.get(phase)
        if at is None:
            raise RefusedError(
                f"The train of {found.slot_on} has no {phase.value.replace('_', ' ')}.",
                rule="no-freeze",
                advice="Declare it with `releaser apply`, or name another phase or train.",
                field="phase",
            )
        if at > now:
            raise RefusedError(
                f"The {phase.value.replace('_', ' ')} of {found.slot_on} begins at {at:%Y-%m-%d %H:%M}Z.",
                rule="not-frozen-yet",
                advice="State it once it has begun; until then the branch is looked at.",
                field="train",
            )
        point = StatedPoint(
            product_id=row.id,
            slot_on=found.slot_on,
            phase=phase,
            commit=history.graph.ids[index],
            at=now,
            by=by,
            reason=why,
        )
        session.add(point)
        return {
            "product": row.name,
            "train": found.slot_on,
            "phase": phase.value,
            "began_at": at,
            "commit": point.commit,
            "by": by,
            "at": now,
            "reason": why,
        }
