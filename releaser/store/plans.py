"""For which train tickets are planned: a journal, in which carry-overs stand beside what people planned.

What a person states of a *version* (`store.stated`) is the same wish said in another way: the newest word counts, and a plan by
train writes both. What does not live here: which train gives which version (`flows.train_table`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, and_, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.carry import Plan, PlanKind
from releaser.domain.request import TicketState
from releaser.store import fixes
from releaser.store.base import Base, words
from releaser.store.moves import Move
from releaser.store.releases import Release
from releaser.store.stated import Fact, Statement
from releaser.store.tickets import Ticket

_CHUNK = 500


class TicketPlan(Base):
    """One decision about a ticket: the slot of its train from then on, None for no train. Never changed.

    A carry-over tells the slot that the ticket missed.
    """

    __tablename__ = "ticket_plans"
    __table_args__ = (Index("ix_ticket_plans_ticket", "product_id", "ticket", "id"),)

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


def any_open(session: Session, product_id: int) -> bool:
    """Whether anything was ever planned for a train or a version: cheap, for those who ask often."""
    planned = select(TicketPlan.id).where(TicketPlan.product_id == product_id)
    said = select(Statement.id).where(Statement.product_id == product_id, Statement.fact == Fact.PLANNED_FOR)
    return any(session.scalars(query.limit(1)).first() is not None for query in (planned, said))


def requests(session: Session, product_id: int, keys: Collection[str]) -> dict[str, Ticket]:
    """Those of the tickets that are requests, by key."""
    found: dict[str, Ticket] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        query = select(Ticket).where(Ticket.product_id == product_id, Ticket.key.in_(wanted[start : start + _CHUNK]))
        found |= {ticket.key: ticket for ticket in session.scalars(query).unique()}
    return found


def landed(session: Session, product_id: int, keys: Collection[str]) -> dict[str, str]:
    """Ticket -> the lowest version that has its fix. What was out before a request was reopened does not count for it."""
    fixed = fixes.fixed_in(session, product_id, keys)
    query = select(Release.version, Release.sort_key, func.coalesce(Release.published_at, Release.tagged_at))
    known: dict[str, tuple[int, datetime | None]] = {
        row[0]: (row[1], row[2]) for row in session.execute(query.where(Release.product_id == product_id))
    }
    found = {}
    for key, versions in fixed.items():
        since = _reopened_at(session, product_id, key)
        new = [one for one in versions if since is None or (known[one][1] or since) > since]
        if new:
            found[key] = min(new, key=lambda version: known[version][0])
    return found


def _reopened_at(session: Session, product_id: int, key: str) -> datetime | None:
    query = (
        select(func.max(Move.at))
        .join(Ticket, and_(Move.noun == Ticket.__tablename__, Move.row_id == Ticket.id))
        .where(
            Ticket.product_id == product_id,
            Ticket.key == key,
            Ticket.state == TicketState.REOPENED,
            Move.to == TicketState.REOPENED.value,
        )
    )
    return session.scalar(query)
