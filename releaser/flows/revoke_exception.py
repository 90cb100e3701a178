"""Take an exception to a freeze back."""

from __future__ import annotations

from releaser.flows.find_train import reason_given
from releaser.flows.ports import Facts, Ports
from releaser.store import freezes, products


def revoke_exception(ports: Ports, *, product: str, number: int, reason: str, by: str) -> Facts:
    """Revoke it; one that is revoked stays as it is. What was cut by it stays cut.

    Raises `ProductNotFoundError`, `ExceptionNotFoundError`, `TrainReasonMissingError`.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        leave = freezes.exception(session, row.id, number)
        unchanged = leave.revoked_at is not None
        if not unchanged:
            leave.revoked_at, leave.revoked_by, leave.revoke_reason = now, by, why
            session.flush()
        return {"product": row.name, **freezes.facts(leave, now=now), "unchanged": unchanged}
