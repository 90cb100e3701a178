"""State for which version a ticket is planned, or that it is planned for none. Every change stays in the ticket's story."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.release import ReleaseState
from releaser.domain.version import parse
from releaser.errors import RefusedError
from releaser.flows.find_ticket import check_key, product_of
from releaser.flows.override_status import reason_given
from releaser.flows.ports import Facts, Ports
from releaser.store import releases, stated
from releaser.store.products import Product
from releaser.store.releases import ReleaseNotFoundError
from releaser.store.stated import Fact, Statement

_OVER = frozenset({ReleaseState.PUBLISHED, ReleaseState.YANKED, ReleaseState.ABANDONED})


class VersionIsOverError(RefusedError):
    """Nothing can be planned for a version that is out, or burned."""


def state_planned_for(
    ports: Ports, *, key: str, version: str | None, by: str, reason: str = "", product: str | None = None
) -> Facts:
    """State it; None takes the plan back. The version need not be cut yet.

    Raises `VersionIsOverError`, `InvalidVersionError`, `TicketKeyError`, and as `product_of`.
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = product_of(session, key=key, product=product)
        check_key(row, key)
        planned = ""
        if version:
            planned = parse(version, scheme=row.scheme).text
            _check_to_come(session, row, planned)
        session.add(
            Statement(
                product_id=row.id,
                ticket=key,
                fact=Fact.PLANNED_FOR,
                version=planned,
                reason=reason_given(reason) if reason.strip() else "",
                by=by,
                at=now,
            )
        )
        session.flush()
        return {"product": row.name, "ticket": key, **stated.facts(session, row.id, key)}


def _check_to_come(session: Session, product: Product, version: str) -> None:
    try:
        state = releases.get(session, product, version).state
    except ReleaseNotFoundError:
        return
    if state in _OVER:
        raise VersionIsOverError(
            f"Version {version} is {state.value} already.",
            rule="planned-for-the-future",
            advice="Name a version that is still to come.",
            field="version",
        )
