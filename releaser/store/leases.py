"""Which worker is at the update of a target, and until when nobody else may be (`lease_*` of `store.rollouts.TargetUpdate`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, func, select
from sqlalchemy import update as update_rows
from sqlalchemy.orm import Session

from releaser.store.rollouts import TargetUpdate


def end(lease_for: timedelta | ColumnElement[timedelta]) -> ColumnElement[datetime]:
    """So long after now by the clock of the server, which workers of many machines share; PostgreSQL's alone."""
    return func.clock_timestamp(type_=DateTime(timezone=True)) + lease_for


def renew(session: Session, update_ids: Iterable[int], *, owner: str, now: datetime, lease_for: timedelta) -> None:
    """Keep the leases of what this owner works on."""
    is_sqlite = session.connection().dialect.name == "sqlite"
    _set(session, update_ids, owner=owner, until=now + lease_for if is_sqlite else end(lease_for))


def _set(
    session: Session, update_ids: Iterable[int], *, owner: str, until: datetime | ColumnElement[datetime] | None
) -> None:
    session.execute(
        update_rows(TargetUpdate)
        .where(TargetUpdate.id.in_(list(update_ids)), TargetUpdate.lease_owner == owner)
        .values(lease_until_at=until)
        .execution_options(synchronize_session=False)
    )


def let_go(session: Session, update_id: int, *, owner: str) -> None:
    """Let anybody go on with what this owner worked on; it may itself, as if it had never let go."""
    _set(session, [update_id], owner=owner, until=None)


def owners(session: Session) -> Sequence[str]:
    """Who holds leases of active updates."""
    return session.scalars(
        select(TargetUpdate.lease_owner).where(TargetUpdate.active, TargetUpdate.lease_owner != "").distinct()
    ).all()


def release(session: Session, owner: str, *, but: Iterable[int] = ()) -> None:
    """Free everything a dead owner held; an owner that ends frees all `but` what it is still acting on."""
    session.execute(
        update_rows(TargetUpdate)
        .where(TargetUpdate.active, TargetUpdate.lease_owner == owner, TargetUpdate.id.not_in(list(but)))
        .values(lease_until_at=None, lease_owner="")
        .execution_options(synchronize_session=False)
    )
