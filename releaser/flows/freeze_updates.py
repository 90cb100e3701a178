"""State a time in which nothing is cut over: everywhere, of a product, at a customer or at one installation."""

from __future__ import annotations

from datetime import datetime

from releaser.domain.update_freeze import FreezeScope, InvalidUpdateFreezeError, checked
from releaser.flows.ports import Facts, Ports
from releaser.store import customers, installations, products, update_freezes
from releaser.store.update_freezes import UpdateFreezeRow


def freeze_updates(
    ports: Ports,
    *,
    scope: FreezeScope,
    name: str,
    starts_at: datetime | None,
    ends_at: datetime,
    reason: str,
    by: str,
) -> Facts:
    """Freeze; without `starts_at` from now on. What is being cut over at its start is finished.

    Raises `InvalidUpdateFreezeError`, and `NotFoundError` for a name that nothing has.
    """
    now = ports.clock.now()
    starts_at = starts_at or now
    checked(starts_at=starts_at, ends_at=ends_at, reason=reason, now=now)
    if (scope is FreezeScope.ALL) is bool(name):
        raise InvalidUpdateFreezeError(
            "A freeze for all has no name, and any other names what it is for.",
            advice="Name one of --product, --customer and --installation, or --all.",
            field="scope",
        )
    with ports.database.transaction() as session:
        if scope is FreezeScope.PRODUCT:
            products.get(session, name)
        elif scope is FreezeScope.CUSTOMER:
            customers.get(session, name)
        elif scope is FreezeScope.INSTALLATION:
            installations.get(session, name)
        row = UpdateFreezeRow(
            scope=scope,
            name=name,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason.strip(),
            made_at=now,
            made_by=by,
        )
        session.add(row)
        session.flush()
        facts = update_freezes.facts(row, now=now)
    ports.wake()
    return facts
