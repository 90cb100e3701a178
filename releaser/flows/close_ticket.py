"""Close a request, with the reason why."""

from __future__ import annotations

from releaser.domain.request import MOVES, CloseReason, TicketState
from releaser.flows.find_ticket import request_of
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, tickets


def close_ticket(ports: Ports, *, key: str, reason: CloseReason, by: str, product: str | None = None) -> Facts:
    """Close it. Raises `TicketNotFoundError`, `AmbiguousTicketError`, `MoveConflictError` (it is closed already)."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        ticket = request_of(session, key=key, product=product)
        moves.move(
            session,
            ticket,
            TicketState.CLOSED,
            moves=MOVES,
            now=now,
            by=by,
            reason=reason.value,
            close_reason=reason,
            closed_at=now,
        )
        return tickets.facts(ticket)
