"""For which train tickets are planned: what is stated of a ticket's version (`store.stated`), with the train it was meant for.

A person who names a version and one who names a train say the same in two ways, so both stand in one journal, carry-overs
beside them; the newest word counts. What does not live here: which train gives which version (`domain.train`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime

from sqlalchemy import ForeignKey, and_, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.carry import Plan, PlanKind, reason_from
from releaser.domain.request import TicketState
from releaser.store import fixes
from releaser.store.base import Base, words
from releaser.store.moves import Move
from releaser.store.releases import Release
from releaser.store.stated import Fact, Statement
from releaser.store.tickets import Ticket

_CHUNK = 500


class TicketPlan(Base):
    """What makes a statement a plan by train: the slot from then on, None for no train. Never changed.

    A carry-over tells the slot that the ticket missed.
    """

    __tablename__ = "ticket_plans"

    statement_id: Mapped[int] = mapped_column(ForeignKey("statements.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    kind: Mapped[PlanKind] = mapped_column(words(PlanKind))
    slot_on: Mapped[date | None]
    missed_on: Mapped[date | None]


def keep(session: Session, product_id: int, ticket: str, plan: Plan, *, version: str | None) -> None:
    """Write a plan down, and the version that its train is to give as stated of the ticket."""
    statement = Statement(
        product_id=product_id,
        ticket=ticket,
        fact=Fact.PLANNED_FOR,
        version=version or "",
        reason=plan.reason,
        why=plan.why.as_data() if plan.why is not None else {},
        by=plan.by,
        at=plan.at,
    )
    session.add(statement)
    session.flush()
    session.add(
        TicketPlan(
            statement_id=statement.id,
            product_id=product_id,
            kind=plan.kind,
            slot_on=plan.slot_on,
            missed_on=plan.missed,
        )
    )
    session.flush()


def journeys(
    session: Session, product_id: int, *, slots: Mapping[str, date], tickets: Collection[str] | None = None
) -> dict[str, list[Plan]]:
    """Ticket -> its plans, oldest first, of all tickets or of those named.

    `slots` tells which train gives a version: what a person stated of a version counts as a plan for that train, or for none
    where no train gives it.
    """
    query = (
        select(Statement, TicketPlan)
        .outerjoin(TicketPlan, TicketPlan.statement_id == Statement.id)
        .where(Statement.product_id == product_id, Statement.fact == Fact.PLANNED_FOR)
        .order_by(Statement.id)
    )
    if tickets is not None and len(tickets) < _CHUNK:
        query = query.where(Statement.ticket.in_(list(tickets)))
    found: dict[str, list[Plan]] = defaultdict(list)
    for said, by_train in session.execute(query):
        plans, plan = found[said.ticket], _plan(said, by_train, slots)
        begins = bool(plans) or plan.slot_on is not None
        repeats = bool(plans) and plan.kind is not PlanKind.CARRIED and plans[-1].slot_on == plan.slot_on
        if begins and not repeats:
            plans.append(plan)
    return {key: plans for key, plans in found.items() if plans and (tickets is None or key in tickets)}


def _plan(said: Statement, by_train: TicketPlan | None, slots: Mapping[str, date]) -> Plan:
    if by_train is not None:
        kind, slot_on, missed = by_train.kind, by_train.slot_on, by_train.missed_on
    else:
        slot_on, missed = slots.get(said.version) if said.version else None, None
        kind = PlanKind.PLANNED if slot_on else PlanKind.DROPPED
    return Plan(
        kind=kind,
        slot_on=slot_on,
        at=said.at,
        by=said.by,
        reason=said.reason,
        missed=missed,
        why=reason_from(said.why) if said.why else None,
    )


def any_open(session: Session, product_id: int, *, ticket: str | None = None) -> bool:
    """Whether anything, or that ticket, was ever planned for a train or a version: cheap, for those who ask often."""
    said = select(Statement.id).where(Statement.product_id == product_id, Statement.fact == Fact.PLANNED_FOR)
    if ticket is not None:
        said = said.where(Statement.ticket == ticket)
    return session.scalars(said.limit(1)).first() is not None


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
