"""Replay a dead letter: a delivery that was given up goes back to the outbox, with the same message id."""

from __future__ import annotations

from releaser.domain.notice import DELIVERY_MOVES, DeliveryState
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, outbox


class OvertakenError(RefusedError):
    """The recipient was told something later about the same notice."""


def replay_delivery(ports: Ports, *, delivery_id: int, by: str) -> Facts:
    """Queue it again, with all its tries. Raises `DeliveryNotFoundError`, `MoveConflictError` (it was not given up), `OvertakenError`."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        delivery = outbox.get(session, delivery_id)
        if delivery.state is DeliveryState.GIVEN_UP and outbox.overtaken(session, delivery):
            raise OvertakenError(
                f"Delivery {delivery_id} is not true any more: {delivery.address} was told something later about notice "
                f"{delivery.notice_id}.",
                rule="overtaken",
                advice="Replay the newest one to that address, if that was given up as well.",
            )
        moves.move(
            session,
            delivery,
            DeliveryState.QUEUED,
            moves=DELIVERY_MOVES,
            now=now,
            by=by,
            due_at=now,
            attempts_before=delivery.attempts,
            lease_until_at=None,
        )
        facts = {"id": delivery.id, "notice": delivery.notice_id, "state": delivery.state.value}
    ports.wake()
    return facts
