"""The list of rollouts: what each is, and how its targets stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from releaser.domain.rollout import ENDED, RolloutState
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.rollout_view import HEAD
from releaser.store.rollouts import Rollout, TargetUpdate

_STATE = type_coerce(TargetUpdate.state, String)


def listed(
    session: Session, *, state: str = "", product: str = "", text: str = "", limit: int, offset: int = 0
) -> list[dict[str, Any]]:
    """Rollouts, newest first, each with `counts`: how many of its targets stand in which state."""
    query = (
        select(*HEAD).join(Product, Product.id == Rollout.product_id).join(Release, Release.id == Rollout.release_id)
    )
    if state:
        query = query.where(type_coerce(Rollout.state, String).in_(_states(state)))
    if product:
        query = query.where(Product.name == product)
    if text:
        columns = (Release.version, Rollout.selector, Rollout.ticket, Rollout.created_by, Product.name)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    rows = session.execute(query.order_by(Rollout.id.desc()).limit(limit).offset(offset)).mappings().all()
    found = counts(session, [row["id"] for row in rows])
    return [{**row, "counts": found[row["id"]]} for row in rows]


def counts(session: Session, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Of each of these rollouts, how many of its targets stand in which state."""
    found: dict[int, dict[str, int]] = {one: {} for one in ids}
    grouped = (
        select(TargetUpdate.rollout_id, _STATE, func.count())
        .where(TargetUpdate.rollout_id.in_(ids))
        .group_by(TargetUpdate.rollout_id, TargetUpdate.state)
    )
    for rollout_id, name, count in session.execute(grouped):
        found[rollout_id][name] = count
    return found


def _states(state: str) -> list[str]:
    """A state, or `open`: every state that is not the end."""
    from_now = [one.value for one in RolloutState if one not in ENDED]
    return from_now if state == "open" else [state]


def in_use(session: Session) -> dict[str, list[str]]:
    """The states that rollouts are in and the products they are of: what a list can be narrowed to."""
    states = session.scalars(select(type_coerce(Rollout.state, String)).distinct()).all()
    products = session.scalars(select(Product.name).join(Rollout, Rollout.product_id == Product.id).distinct()).all()
    return {"states": sorted(states), "products": sorted(products)}
