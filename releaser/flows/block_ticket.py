"""Mark a ticket as a release blocker: it holds the cuts of a line, of a train, or every one, until it is fixed or let go."""

from __future__ import annotations

from releaser.domain.ticket_patterns import MAX_KEY
from releaser.domain.version import line_named
from releaser.errors import InvalidError
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import blockers, products
from releaser.store.blockers import Blocker


class InvalidBlockError(InvalidError):
    """What is said of the block makes no sense."""


def block_ticket(
    ports: Ports, *, product: str, ticket: str, line: str | None, train: str | None, reason: str, by: str
) -> Facts:
    """Block; the same block again changes nothing (`unchanged`). The ticket need not be known yet.

    `train` is the day of a train, or `next`.
    Raises `ProductNotFoundError`, `InvalidVersionError`, `InvalidBlockError`, `MissingReasonError`, and of a train `RefusedError`
    (rule `no-rhythm`) and `TrainNotFoundError`.
    """
    reason = checked_reason(reason)
    key = ticket.strip()
    if not key or len(key) > MAX_KEY:
        raise InvalidBlockError("This is no key of a ticket.", advice="Give one such as SHOP-12.", field="ticket")
    if line and train:
        raise InvalidBlockError(
            "A ticket blocks a line or a train, not both in one.", advice="Block each by itself.", field="train"
        )
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        train_on = timetable_of(session, row, now=now).named(train).slot_on if train else None
        on_line = line_named(line, scheme=row.scheme) if line else ""
        for standing in blockers.standing(session, row.id, ticket=key):
            if (standing.line, standing.train_on) == (on_line, train_on):
                return {"product": row.name, **blockers.facts(standing), "unchanged": True}
        blocker = Blocker(
            product_id=row.id,
            ticket=key,
            line=on_line,
            train_on=train_on,
            reason=reason,
            by=by,
            at=now,
        )
        session.add(blocker)
        session.flush()
        return {"product": row.name, **blockers.facts(blocker), "unchanged": False}
