"""Close a request, with the reason why."""

from __future__ import annotations

from releaser.domain.request import MOVES, CloseReason, TicketState
from releaser.errors import ConflictError
from releaser.flows.find_ticket import request_of
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, tickets


class TicketClosedError(ConflictError):
    """It is closed already."""


def close_ticket(ports: Ports, *, key: str, reason: CloseReason, by: str, product: str | None = None) -> Facts:
    """Close it. Raises `TicketNotFoundError`, `AmbiguousTicketError`, `TicketClosedError`."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        ticket = request_of(session, key=key, product=product)
        if ticket.state is TicketState.CLOSED:
            why = f" ({ticket.close_reason.value})" if ticket.close_reason else ""
            raise TicketClosedError(
                f"{key} is closed already{why}.",
                advice=f"See `releaser ticket show {key}`.",
                field="key",
            )
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
