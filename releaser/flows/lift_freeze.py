"""End a freeze of updates before its time."""

from __future__ import annotations

from releaser.domain.update_freeze import InvalidUpdateFreezeError
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.store import update_freezes


def lift_freeze(ports: Ports, *, freeze_id: int, by: str, reason: str) -> Facts:
    """Lift it for everybody; lifting a lifted one changes nothing.

    Raises `UpdateFreezeNotFoundError`, `InvalidUpdateFreezeError` without a reason, `RefusedError` when it is over.
    """
    now = ports.clock.now()
    if not reason.strip():
        raise InvalidUpdateFreezeError(
            "Lifting a freeze needs a reason: it is kept beside the freeze's own.",
            advice="Give one with --reason.",
            field="reason",
        )
    with ports.database.transaction() as session:
        row = update_freezes.get(session, freeze_id)
        if row.lifted_at is None:
            if row.ends_at <= now:
                raise RefusedError(
                    f"Freeze {freeze_id} ended at {row.ends_at:%Y-%m-%d %H:%M %Z}.",
                    rule="freeze-over",
                    advice="Nothing waits for it any more.",
                )
            row.lifted_at, row.lifted_by, row.lift_reason = now, by, reason.strip()
        facts = update_freezes.facts(row, now=now)
    ports.wake()
    return facts
