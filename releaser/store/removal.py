"""Removing a product with everything that is its own: found by following the foreign keys, so that no table is forgotten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, or_, select
from sqlalchemy.orm import Session

from releaser.store.moves import Move
from releaser.store.products import Product
from releaser.store.schema import metadata


def remove_product(session: Session, product: Product) -> None:
    """Delete the product's row and all that refers to it, however far. Nothing may run it any more: that is not looked at here."""
    products = metadata.tables[Product.__tablename__]
    ids: dict[Table, Select[Any]] = {products: select(products.c.id).where(products.c.id == product.id)}
    doomed: list[tuple[Table, ColumnElement[bool]]] = [(products, products.c.id == product.id)]
    for table in metadata.sorted_tables:
        keys = [
            key.parent.in_(ids[key.column.table].scalar_subquery())
            for key in table.foreign_keys
            if key.column.table in ids and key.column.table is not table
        ]
        if keys and table is not products:
            condition = or_(*keys)
            doomed.append((table, condition))
            if "id" in table.c:
                ids[table] = select(table.c.id).where(condition)
    for table, condition in reversed(doomed):
        if "id" in table.c:
            # Numbers of rows are given out again, and what happened to one must not be told of another.
            gone = select(table.c.id).where(condition).scalar_subquery()
            session.execute(delete(Move).where(Move.noun == table.name, Move.row_id.in_(gone)))
        session.execute(delete(table).where(condition))
    session.expire_all()
