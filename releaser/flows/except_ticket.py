"""Let one ticket land in one train after its freeze: approved by a person, for a reason, for a time."""

from __future__ import annotations

from datetime import datetime

from releaser.errors import InvalidError, RefusedError
from releaser.flows.find_ticket import check_key
from releaser.flows.find_train import reason_given, timetable_of
from releaser.flows.ports import Facts, Ports
from releaser.store import freezes, products
from releaser.store.freezes import FreezeLeave

MAX_NAME = 200


class ApproverMissingError(InvalidError):
    """Nobody is named who approves."""


class ExpiryError(InvalidError):
    """The exception would expire before it begins."""


def except_ticket(
    ports: Ports,
    *,
    product: str,
    ticket: str,
    approver: str,
    reason: str,
    by: str,
    train: str = "current",
    expires_at: datetime | None = None,
) -> Facts:
    """Make the exception; the facts are the exception, with its `id`.

    It holds until it expires (when the train leaves, where nothing else is said) or is revoked. A later one for the same ticket
    stands beside it. `train` is a day, `next`, or `current`: the one that a cut made now leaves with.
    Raises `TicketKeyError`, `ApproverMissingError`, `ExpiryError`, `TrainReasonMissingError`, `TrainNotFoundError`,
    `RefusedError` (rules `no-rhythm`, `no-freeze`, `train-over`).
    """
    why, who = reason_given(reason), approver.strip()
    if not who or len(who) > MAX_NAME:
        raise ApproverMissingError(
            "An exception names the person who approves it.", advice="Say who approves.", field="approver"
        )
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = products.get(session, product)
        check_key(row, ticket)
        table = timetable_of(session, row, now=now)
        if not table.rhythm.rules.freezes:
            raise RefusedError(
                f"Product '{row.name}' has no freeze, so there is nothing to make an exception of.",
                rule="no-freeze",
                advice="Declare trains.freeze_days with `releaser apply`.",
                field="product",
            )
        found = table.named(train)
        if table.is_over(found):
            raise RefusedError(
                f"The train of {found.slot_on} is over.", rule="train-over", advice="Name a later one.", field="train"
            )
        until = expires_at or found.departs_at
        if until <= now:
            raise ExpiryError(
                f"The exception would have expired at {until:%Y-%m-%d %H:%M}Z already.",
                advice="Say until when it holds.",
                field="expires_at",
            )
        leave = FreezeLeave(
            product_id=row.id,
            slot_on=found.slot_on,
            ticket=ticket,
            approver=who,
            reason=why,
            made_at=now,
            made_by=by,
            expires_at=until,
        )
        session.add(leave)
        session.flush()
        return {"product": row.name, **freezes.facts(leave, now=now)}
