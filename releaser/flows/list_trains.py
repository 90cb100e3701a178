"""A product's trains: those to come with the numbers they will give and the reason for every moved day, and those that left."""

from __future__ import annotations

from collections import Counter

from sqlalchemy.orm import Session

from releaser.domain.freeze import Phase, phases_of
from releaser.domain.train import PREVIEW, Timetable, Train, TrainRules
from releaser.errors import InvalidError
from releaser.flows.find_train import timetable_of, train_facts
from releaser.flows.list_plans import journeys_of
from releaser.flows.ports import Facts, Ports
from releaser.i18n import Translator, translator
from releaser.store import products
from releaser.store.products import Product

MOST = 1000


def list_trains(ports: Ports, *, product: str, count: int = PREVIEW, past: int = 0, language: str = "en") -> Facts:
    """The rhythm, the phase it is in now, the next `count` `trains` and the last `past` that `left`, oldest first.

    Before the next ones stands the train that left without a stable, as long as that may still be cut.

    Each train is what `find_train.train_facts` tells, with how many tickets are `planned` for it and how many of those were
    `carried` to it. `language` is for the reasons. Raises `ProductNotFoundError`, `RefusedError` (rule `no-rhythm`).
    """
    if not (0 <= count <= MOST and 0 <= past <= MOST):
        raise InvalidError(f"{count} and {past} trains are out of range.", advice=f"Use 0 to {MOST}.", field="count")
    now, t = ports.clock.now(), translator(language)
    with ports.database.reading() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=now, past=past)
        late = (table.late,) if table.late is not None else ()
        coming = (*late, *table.coming(count))
        left = [one for one in table.left(past + len(late)) if one not in late][-past:] if past else []
        planned, carried = _counts(session, row, table)

        def told(train: Train) -> Facts:
            facts = _with_number(train_facts(table, train, t=t), train)
            return {**facts, "planned": planned[train.slot_on], "carried": carried[train.slot_on]}

        return {
            "product": row.name,
            "title": row.title or row.name,
            **_rules(table),
            **_phase(table, t),
            "trains": [told(train) for train in coming],
            "left": [told(train) for train in left],
        }


def _with_number(facts: Facts, train: Train) -> Facts:
    """The preview knows the numbers of trains that are far away."""
    return {**facts, "version": facts["version"] or (None if train.skipped else train.expected)}


def _counts(session: Session, product: Product, table: Timetable) -> tuple[Counter[object], Counter[object]]:
    open_ones = [one for one in journeys_of(session, product, table) if one.planned_for is not None]
    return (
        Counter(one.planned_for for one in open_ones),
        Counter(one.planned_for for one in open_ones if one.carries),
    )


def _rules(table: Timetable) -> Facts:
    rhythm, rules = table.rhythm, table.rhythm.rules
    return {
        "first_on": rhythm.first_on,
        "cadence_days": rhythm.cadence_days,
        "zone": rhythm.zone,
        "at": f"{rules.at:%H:%M}",
        "on_day_off": rules.on_day_off.value,
        "calendar": rules.country,
        "calendar_known_until": rules.calendar.known_until,
        "freezes": rules.freezes,
        **{name: getattr(rules, name) for name in _FREEZE},
    }


_FREEZE = ("branch_point_days", "soft_freeze_days", "freeze_days", "thaw_hours", "alert_after_carries")
assert all(name in TrainRules.__dataclass_fields__ for name in _FREEZE)  # noqa: S101 -- names of its fields


def _phase(table: Timetable, t: Translator) -> Facts:
    """The current train, the one that a cut made now leaves with, and its phase; None while the first is far away."""
    train = table.of_cut
    if train is None:
        return {"phase": Phase.OPEN.value, "current": None}
    return {"phase": phases_of(train, table.rhythm).at(table.now).value, "current": train_facts(table, train, t=t)}
