"""Remove a product with its history. What somebody runs is never removed."""

from __future__ import annotations

import shutil

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from releaser.domain.declaration import Action
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.store import declared, installations, products, removal
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.tickets import Ticket


class ProductInUseError(RefusedError):
    """Installations run the product, or are meant to."""


class ProductHasWorkError(RefusedError):
    """People's work would be lost: releases cut here, requests."""


def remove_product(ports: Ports, *, product: str, force: bool, by: str) -> Facts:
    """Remove it; its repository is left as it is. With `force` also what was cut, noted and requested here.

    Raises `ProductNotFoundError`, `ProductInUseError`, `ProductHasWorkError`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        _check(session, row, force=force)
        product_id = row.id
        mirror = ports.home / "repositories" / f"{product_id}.git"
    # Before the row: the mirror can be made again, and another product with this number must not find it.
    shutil.rmtree(mirror, ignore_errors=True)
    with ports.database.transaction() as session:
        row = products.get(session, product)
        _check(session, row, force=force)
        name = row.name
        counts = {"releases": _count(session, row, only_ours=False), "requests": _requests(session, row)}
        removal.remove_product(session, row)
        declared.remember_change(session, name, [], now=ports.clock.now(), by=by, action=Action.REMOVED)
    ports.histories.pop(product_id, None)
    ports.status_tables.pop(product_id, None)
    return {"product": name, "removed": True, **counts}


def _check(session: Session, product: Product, *, force: bool) -> None:
    found = installations.everything(session, product_id=product.id)
    if found:
        names = ", ".join(one.name for one in found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise ProductInUseError(
            f"Product '{product.name}' has installations: {names}.",
            rule="in-use",
            advice="Remove them from what is declared first: `releaser apply --prune`.",
            field="product",
        )
    ours, requests = _count(session, product, only_ours=True), _requests(session, product)
    if (ours or requests) and not force:
        raise ProductHasWorkError(
            f"Product '{product.name}' has {ours} releases that were cut here and {requests} requests.",
            rule="has-work",
            advice="Take a backup with `releaser backup`, then remove it with --force.",
            field="product",
        )


def _count(session: Session, product: Product, *, only_ours: bool) -> int:
    query = select(func.count()).select_from(Release).where(Release.product_id == product.id)
    return session.scalars(query.where(~Release.imported) if only_ours else query).one()


def _requests(session: Session, product: Product) -> int:
    return session.scalars(select(func.count()).select_from(Ticket).where(Ticket.product_id == product.id)).one()
