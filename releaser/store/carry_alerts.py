"""Mails to release managers about tickets that were carried over too often: written with the carry, claimed by lease, then marked.

An alert is told once to each address: a ticket that is carried on is no new alert, and only what was not sent yet is brought up to
date. What does not live here: when a ticket is an alert (`domain.carry`), and sending (flows).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import CursorResult, ForeignKey, String, Text, UniqueConstraint, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.carry import Journey
from releaser.store.base import Base


class CarryAlert(Base):
    """One alert to one address. With `done_at` it was sent, or given up where `error` tells why."""

    __tablename__ = "carry_alerts"
    __table_args__ = (UniqueConstraint("product_id", "ticket", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(254))
    carries: Mapped[int]
    first_on: Mapped[date]
    planned_on: Mapped[date]
    why: Mapped[dict[str, Any]]
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    queued_at: Mapped[datetime]
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str] = mapped_column(String(120), default="")
    lease_until_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who takes an alert, as of when, and until when nobody else may."""

    owner: str
    now: datetime
    until: datetime


def queue(session: Session, product_id: int, journey: Journey, *, to: Iterable[str], now: datetime) -> None:
    """Write the alert of a ticket whose way ends with a carry, once for each address, in the caller's transaction."""
    plan = journey.plans[-1]
    query = select(CarryAlert).where(CarryAlert.product_id == product_id, CarryAlert.ticket == journey.ticket)
    told = {row.address: row for row in session.scalars(query)}
    for address in to:
        row = told.get(address)
        if row is None:
            row = CarryAlert(product_id=product_id, ticket=journey.ticket, address=address, queued_at=now, due_at=now)
            row.message_id = _message_id(product_id, journey.ticket, address, now)
            session.add(row)
        if row.done_at is None:
            row.carries, row.why = journey.carries, plan.why.as_data() if plan.why is not None else {}
            row.planned_on = plan.slot_on or now.date()
            row.first_on = journey.first_planned_for or row.planned_on
    session.flush()


def _message_id(product_id: int, ticket: str, address: str, now: datetime) -> str:
    """The same for a repeat; it tells nobody the address."""
    named = f"{product_id}:{ticket}:{address}:{now.isoformat()}"
    return f"carried.{sha256(named.encode()).hexdigest()[:32]}"


def due(session: Session, *, now: datetime, limit: int) -> Sequence[int]:
    """Numbers of the alerts that may be claimed now, oldest first."""
    return session.scalars(
        select(CarryAlert.id)
        .where(CarryAlert.done_at.is_(None), CarryAlert.due_at <= now, _is_free(now))
        .order_by(CarryAlert.id)
        .limit(limit)
    ).all()


def claim(session: Session, alert_id: int, by: Claim) -> CarryAlert | None:
    """Take the lease and count the attempt; None when another one was first."""
    taken = cast(
        "CursorResult[Any]",
        session.execute(
            update(CarryAlert)
            .where(CarryAlert.id == alert_id, CarryAlert.done_at.is_(None), _is_free(by.now))
            .values(lease_owner=by.owner, lease_until_at=by.until, attempts=CarryAlert.attempts + 1)
        ),
    )
    return session.get_one(CarryAlert, alert_id) if taken.rowcount else None


def claimed(session: Session, alert_id: int, *, attempt: int) -> CarryAlert | None:
    """The alert while this attempt holds it; None when it ran out and another began, or the product is gone."""
    query = select(CarryAlert).where(
        CarryAlert.id == alert_id, CarryAlert.attempts == attempt, CarryAlert.done_at.is_(None)
    )
    return session.scalars(query.with_for_update()).one_or_none()


def _is_free(now: datetime) -> Any:  # noqa: ANN401 -- a condition
    return or_(CarryAlert.lease_until_at.is_(None), CarryAlert.lease_until_at < now)
