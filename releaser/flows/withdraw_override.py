"""Take back a person's word on a ticket's status on a line: what the evidence says counts again. The word stays in the story."""

from __future__ import annotations

from releaser.errors import NotFoundError
from releaser.flows.find_ticket import product_of
from releaser.flows.override_status import line_of, reason_given
from releaser.flows.ports import Facts, Ports
from releaser.store import overrides
from releaser.store.overrides import Stating


class OverrideNotFoundError(NotFoundError):
    """Nobody overrides that ticket on that line."""


def withdraw_override(ports: Ports, *, key: str, line: str, reason: str, by: str, product: str | None = None) -> Facts:
    """Withdraw it; the facts tell what was `withdrawn`.

    Raises `OverrideNotFoundError`, `OverrideReasonMissingError`, `LineNotFoundError`, `InvalidVersionError`, and as `product_of`.
    """
    why = reason_given(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = product_of(session, key=key, product=product)
        name = line_of(session, row, line)
        before = overrides.of_ticket(session, row.id, key).get(name)
        if before is None:
            raise OverrideNotFoundError(
                f"Nobody overrides {key[:120]} on line {name}.",
                advice=f"See `releaser evidence {key[:120]}`.",
                field="line",
            )
        session.add(Stating(product_id=row.id, ticket=key, line=name, status=None, reason=why, by=by, at=now))
        return {
            "product": row.name,
            "ticket": key,
            "line": name,
            "reason": why,
            "by": by,
            "at": now,
            "withdrawn": overrides.facts(before),
        }
