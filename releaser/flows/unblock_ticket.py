"""Let go of a release blocker: all blocks of a ticket, or the one of a line or train."""

from __future__ import annotations

from releaser.domain.version import line_named
from releaser.errors import NotFoundError
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import blockers, products


class NotBlockingError(NotFoundError):
    """The ticket blocks nothing."""


def unblock_ticket(
    ports: Ports, *, product: str, ticket: str, line: str | None, train: str | None, reason: str, by: str
) -> list[Facts]:
    """Lift them; answers what was lifted. Raises `ProductNotFoundError`, `NotBlockingError`, `MissingReasonError`."""
    reason = checked_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        on_line = line_named(line, scheme=row.scheme) if line else None
        train_on = timetable_of(session, row, now=now).named(train).slot_on if train else None
        found = [
            one
            for one in blockers.standing(session, row.id, ticket=ticket.strip())
            if on_line in {None, one.line} and train_on in {None, one.train_on}
        ]
        if not found:
            known = ", ".join(dict.fromkeys(one.ticket for one in blockers.standing(session, row.id)))
            raise NotBlockingError(
                f"Ticket {ticket[:120]} blocks nothing of that kind.",
                advice=f"These block: {known}." if known else "No ticket blocks anything.",
                field="ticket",
            )
        for one in found:
            one.lifted_at, one.lifted_by, one.lift_reason = now, by, reason
        session.flush()
        return [{"product": row.name, **blockers.facts(one)} for one in found]
