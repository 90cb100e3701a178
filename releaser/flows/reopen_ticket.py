"""Reopen a request that was solved or closed; a fix that came before does not solve it again."""

from __future__ import annotations

from releaser.domain.request import MOVES, TicketState
from releaser.errors import InvalidError
from releaser.flows.find_ticket import request_of
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, tickets


class ReopenReasonMissingError(InvalidError):
    """Reopening needs a reason."""


def reopen_ticket(ports: Ports, *, key: str, reason: str, by: str, product: str | None = None) -> Facts:
    """Reopen it. Raises `ReopenReasonMissingError`, `TicketNotFoundError`, `AmbiguousTicketError`, `MoveConflictError`."""
    if not reason.strip():
        raise ReopenReasonMissingError("Reopening a request needs a reason.", field="reason")
    now = ports.clock.now()
    with ports.database.transaction() as session:
        ticket = request_of(session, key=key, product=product)
        moves.move(
            session,
            ticket,
            TicketState.REOPENED,
            moves=MOVES,
            now=now,
            by=by,
            reason=reason.strip(),
            solved_at=None,
            closed_at=None,
            close_reason=None,
        )
        return tickets.facts(ticket)
