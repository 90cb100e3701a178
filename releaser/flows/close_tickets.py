"""Tell customers' requests what became of their fix: solved once it runs at all their installations, untold when it no longer does.

One that was closed since its fix ran is reopened when an older version takes the fix away. The moment that counts is when the fix was seen to serve, never when a release was published or a rollout began. A request that
was reopened is solved only by something that came after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.request import MOVES, TicketState
from releaser.errors import MoveConflictError
from releaser.flows.ports import Ports
from releaser.store import fixes, installations, moves, thread, tickets
from releaser.store.tickets import Ticket

# How long an older version that came to run is news for requests that were closed.
LOST_FOR = timedelta(days=7)


def close_tickets(ports: Ports) -> int:
    """One tick over every customer's request that waits or was told, or may have lost its fix. Returns how many moved."""
    with ports.database.reading() as session:
        due = [*_due(session), *_lost(session, now=ports.clock.now())]
    return sum(_move(ports, ticket, to, solved_at) for ticket, to, solved_at in due)


def _due(session: Session) -> list[tuple[Ticket, TicketState, datetime | None]]:
    by_product: dict[int, list[Ticket]] = defaultdict(list)
    for ticket in tickets.waiting(session):
        by_product[ticket.product_id].append(ticket)
    found = []
    for product_id, waiting in by_product.items():
        fixed = fixes.fixed_in(session, product_id, {ticket.key for ticket in waiting})
        for ticket in waiting:
            to = _next(session, ticket, fixed.get(ticket.key, frozenset()))
            if to is not None:
                found.append((ticket, *to))
    return found


def _next(session: Session, ticket: Ticket, versions: frozenset[str]) -> tuple[TicketState, datetime | None] | None:
    """Where the request should go now, and since when its fix runs; None when it stays."""
    told = ticket.state is TicketState.SOLUTION_PROVIDED
    if not versions and not told:
        return None
    since = _since(session, ticket, versions)
    if told:
        return (TicketState.REOPENED, None) if since is None else None
    reopened_at = _reopened_at(session, ticket)
    if since is None or (reopened_at is not None and since <= reopened_at):
        return None
    return TicketState.SOLUTION_PROVIDED, since


def _lost(session: Session, *, now: datetime) -> Iterator[tuple[Ticket, TicketState, None]]:
    """Closed requests whose fix was at one of the customer's installations after they were closed, and is there no more."""
    for product_id, customer_id, at in installations.gone_back(session, since=now - LOST_FOR):
        closed = tickets.closed_before(session, product_id=product_id, customer_id=customer_id, at=at)
        if not closed:
            continue
        found = installations.everything(session, product_id=product_id, customer_id=customer_id)
        fixed = fixes.fixed_in(session, product_id, {ticket.key for ticket in closed})
        for ticket in closed:
            runs = thread.runs(session, found, fixed.get(ticket.key, frozenset()))
            ended = [one.stays[-1].until for one in runs if one.since is None and one.stays]
            if ticket.closed_at is not None and any(until > ticket.closed_at for until in ended):
                yield ticket, TicketState.REOPENED, None


def _since(session: Session, ticket: Ticket, versions: frozenset[str]) -> datetime | None:
    """Since when the fix runs at all the customer's installations where anything runs; None when it does not."""
    found = installations.everything(session, product_id=ticket.product_id, customer_id=ticket.customer_id)
    each: Sequence[datetime | None] = [one.since for one in thread.runs(session, found, versions)]
    known = [at for at in each if at is not None]
    return max(known) if known and len(known) == len(each) else None


def _reopened_at(session: Session, ticket: Ticket) -> datetime | None:
    if ticket.state is not TicketState.REOPENED:
        return None
    history = moves.history(session, "tickets", ticket.id)
    return max((move.at for move in history if move.to == TicketState.REOPENED.value), default=None)


def _move(ports: Ports, seen: Ticket, to: TicketState, solved_at: datetime | None) -> bool:
    """Move one request; False when somebody else moved it in between."""
    now = ports.clock.now()
    reason = "The fix runs." if solved_at else "The fix does not run any more: an older version was installed."
    try:
        with ports.database.transaction() as session:
            ticket = session.get(Ticket, seen.id)
            if ticket is None or ticket.state is not seen.state:
                return False
            values = {"closed_at": None, "close_reason": None} if to is TicketState.REOPENED else {}
            moves.move(
                session,
                ticket,
                to,
                moves=MOVES,
                now=now,
                by="releaser",
                reason=reason,
                solved_at=solved_at,
                **values,
            )
    except MoveConflictError:
        return False
    return True
