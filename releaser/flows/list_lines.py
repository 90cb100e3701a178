"""The lines of a product as they stand today: phase, policy, dates, and what runs on them."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from releaser.domain.line import notices_due
from releaser.flows.ports import Facts, Ports
from releaser.store import blockers, lines, overview, products
from releaser.store.lines import Standing
from releaser.store.products import Product

_NOTHING: dict[str, Any] = {"releases": 0, "newest": None}


def list_lines(ports: Ports, *, product: str) -> list[Facts]:
    """Every line, newest number first. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        counts = lines.counts(session, row.id)
        on_line = overview.installations_on_lines(session, row.id)
        return [
            {
                "product": row.name,
                **lines.facts(one),
                **counts.get(name, _NOTHING),
                "installations": on_line.get(name, 0),
            }
            for name, one in lines.standing(session, row, now=ports.clock.now()).items()
        ]


def show_line(ports: Ports, *, product: str, line: str) -> Facts:
    """One line with its installations, whom its end was told to, and what blocks it.

    Raises `ProductNotFoundError`, `InvalidVersionError`, `UnknownLineError`.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        one = lines.of(session, row, line, now=now)
        found = lines.installations_on(session, row.id, one.name)
        return {
            "product": row.name,
            **lines.facts(one),
            **lines.counts(session, row.id).get(one.name, _NOTHING),
            "installations": [
                {"installation": each.name, "customer": each.customer.name, "contacts": len(each.customer.contacts)}
                for each in found
            ],
            "blockers": [
                blockers.facts(each)
                for each in blockers.standing(session, row.id)
                if each.train_on is None and each.line in {"", one.name}
            ],
            "notices": _notices(session, row, one, today=lines.today(row, now)),
        }


def _notices(session: Session, product: Product, line: Standing, *, today: date) -> list[Facts]:
    """Every day before the end at which customers are told, the farthest first; `told` when that is done."""
    ends_on = line.support.supported_until_on
    if ends_on is None:
        return []
    kept = products.line(session, product.id, line.name)
    told = lines.told(session, kept.id, ends_on) if kept else frozenset()
    days = sorted({*product.support_notice_days, *told}, reverse=True)
    due = notices_due(ends_on=ends_on, days_before=days, told=told, today=today)
    return [
        {"days": one, "told": one in told, "due": one in due, "missed": one not in told and today > ends_on}
        for one in days
    ]
