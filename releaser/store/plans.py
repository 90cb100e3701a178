"""For which train tickets are planned: a journal, in which carry-overs stand beside what people planned.

What a person states of a *version* (`store.stated`) is the same wish said in another way: the newest word counts, and a plan by
train writes both. What does not live here: which train gives which version (`flows.train_table`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.carry import Plan, PlanKind
from releaser.store.base import Base, words
from releaser.store.stated import Fact, Statement


class TicketPlan(Base):
    """One decision about a ticket: the slot of its train from then on, None for no train. Never changed.

    A carry-over tells the slot that the ticket missed: a ticket is carried from a train once.
    """

    __tablename__ = "ticket_plans"
    __table_args__ = (
        Index("ix_ticket_plans_ticket", "product_id", "ticket", "id"),
        Index("ix_ticket_plans_missed", "product_id", "ticket", "missed_on", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    ticket: Mapped[str] = mapped_column(String(120))
    kind: Mapped[PlanKind] = mapped_column(words(PlanKind))
    slot_on: Mapped[date | None]
    missed_on: Mapped[date | None]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text, default="")


def keep(session: Session, product_id: int, ticket: str, plan: Plan, *, version: str | None) -> None:
    """Write a plan down, and the version that its train is to give as stated of the ticket."""
    session.add(
        TicketPlan(
            product_id=product_id,
            ticket=ticket,
            kind=plan.kind,
            slot_on=plan.slot_on,
            missed_on=plan.missed,
            at=plan.at,
            by=plan.by,
            reason=plan.reason,
        )
    )
    session.add(
        Statement(
            product_id=product_id,
            ticket=ticket,
            fact=Fact.PLANNED_FOR,
            version=version or "",
            reason=plan.reason,
            by=plan.by,
            at=plan.at,
        )
    )
    session.flush()


def journeys(
    session: Session, product_id: int, *, slots: Mapping[str, date], tickets: Collection[str] | None = None
) -> dict[str, list[Plan]]:
    """Ticket -> its plans, oldest first, of all tickets or of those named.

    `slots` tells which train gives a version. What was stated of a version after the last plan by train counts as a plan for
    the train of that version, or for none where no train gives it.
    """
    said = [*_by_train(session, product_id), *_by_version(session, product_id, slots)]
    found: dict[str, list[Plan]] = defaultdict(list)
    # A plan by train states its version in the same instant; the sort is stable, so the plan stands first.
    for key, plan in sorted(said, key=lambda one: one[1].at):
        plans = found[key]
        repeats = bool(plans) and plan.kind is not PlanKind.CARRIED and plans[-1].slot_on == plan.slot_on
        begins = bool(plans) or plan.slot_on is not None
        if begins and not repeats and not (plans and plan.by_version and plans[-1].at == plan.at):
            plans.append(plan)
    return {key: plans for key, plans in found.items() if plans and (tickets is None or key in tickets)}


def _by_train(session: Session, product_id: int) -> Iterator[tuple[str, Plan]]:
    query = select(TicketPlan).where(TicketPlan.product_id == product_id).order_by(TicketPlan.id)
    for row in session.scalars(query):
        yield (
            row.ticket,
            Plan(kind=row.kind, slot_on=row.slot_on, at=row.at, by=row.by, reason=row.reason, missed=row.missed_on),
        )


def _by_version(session: Session, product_id: int, slots: Mapping[str, date]) -> Iterator[tuple[str, Plan]]:
    query = (
        select(Statement)
        .where(Statement.product_id == product_id, Statement.fact == Fact.PLANNED_FOR)
        .order_by(Statement.id)
    )
    for row in session.scalars(query):
        slot_on = slots.get(row.version) if row.version else None
        kind = PlanKind.PLANNED if slot_on else PlanKind.DROPPED
        yield (
            row.ticket,
            Plan(kind=kind, slot_on=slot_on, at=row.at, by=row.by, reason=row.reason, by_version=True),
        )
