"""A product's history as it was last collected, ready to be asked: kept in memory until the next collect."""

from __future__ import annotations

from releaser.domain.history import History
from releaser.errors import RefusedError
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Ports
from releaser.flows.read_rules import read_rules
from releaser.flows.recall_tags import recall_tags
from releaser.flows.refresh_history import refresh_history
from releaser.i18n import Phrase, mark
from releaser.store import products, releases


def open_history(ports: Ports, *, product: str) -> History:
    """The history of `product`; nothing is fetched. It touches files the first time, so no transaction may be open.

    Raises `ProductNotFoundError`, `RefusedError` (rules `no-repository`, `not-collected`).
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        burned = releases.abandoned_tags(session, row.id)
    if not row.fingerprint:
        raise RefusedError(
            Phrase(mark("The history of product '{product}' is not collected yet."), product=row.name),
            rule="not-collected",
            advice=Phrase(mark("Run `{command}`."), command=f"releaser collect {row.name}"),
            field="product",
        )
    held = ports.histories.get(row.id)
    if held is not None and held[0] == row.fingerprint:
        return held[1]
    repository = open_repository(ports, row)
    reading = refresh_history(
        repository,
        recall_tags(ports, repository, row, repository.refs().without_tags(burned)),
        rules=read_rules(row),
        known=held[1] if held is not None else None,
        with_tickets=True,
    )
    ports.histories[row.id] = (row.fingerprint, reading.history)
    return reading.history
