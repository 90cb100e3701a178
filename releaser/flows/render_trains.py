"""A product's trains as a calendar (iCalendar) that people subscribe to."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import quote

from releaser.domain.freeze import phases_of
from releaser.domain.train import PREVIEW, Timetable, Train
from releaser.domain.train_calendar import TrainEntry, trains_as_ics
from releaser.domain.train_text import reason
from releaser.flows.find_train import timetable_of
from releaser.flows.ports import Ports
from releaser.i18n import Translator, mark, translator
from releaser.store import products, trains
from releaser.store.products import Product


def render_trains(ports: Ports, *, product: str, language: str = "en") -> bytes:
    """The next 26 trains and as many that left. Raises `ProductNotFoundError`, `RefusedError` (rule `no-rhythm`)."""
    t = translator(language)
    with ports.database.reading() as session:
        row = products.get(session, product)
        table = timetable_of(session, row, now=ports.clock.now(), past=PREVIEW)
        revisions = trains.revisions(session, row.id)
        changes, changed_at = trains.rule_changes(session, row)
    origin = hashlib.sha256(f"{row.name} {row.created_at.isoformat()}".encode()).hexdigest()[:12]
    url = f"{ports.address}/products/{quote(row.name, safe='')}/trains"
    entries = [
        TrainEntry(
            train=train,
            product=row.name,
            origin=origin,
            sequence=changes + revisions.get(train.slot_on, 0),
            stamped_at=_stamped(train, table, changed_at),
            summary=_summary(row, train, t),
            description="\n".join(_lines(train, table, t)),
            url=url,
        )
        for train in (*table.left(PREVIEW), *table.coming(PREVIEW))
    ]
    return trains_as_ics(entries, title=t("Trains of {product}", product=row.title or row.name))


def _stamped(train: Train, table: Timetable, changed_at: datetime) -> datetime:
    """When this entry's content came to be: by the rules, by a decision about it, or because numbers were given."""
    decided = [train.decision.at] if train.decision is not None else []
    return max([changed_at, *decided, *(cut.at for cut in table.cuts if cut.at <= table.now)])


def _summary(product: Product, train: Train, t: Translator) -> str:
    title = product.title or product.name
    if train.skipped:
        return t("{product}: train skipped", product=title)
    if train.expected is None:
        return t("{product}: train", product=title)
    return t("{product}: train of {version}", product=title, version=train.expected)


_PHASES: tuple[tuple[str, str], ...] = (
    ("branch_point_at", mark("Branch point: {when}")),
    ("soft_freeze_at", mark("Soft freeze: {when}")),
    ("freeze_at", mark("Freeze: {when}")),
    ("thaw_at", mark("Thaw: {when}")),
)


def _lines(train: Train, table: Timetable, t: Translator) -> list[str]:
    """Why it leaves when it does, and when its phases begin."""
    phases: Any = phases_of(train, table.rhythm)
    found = [(message, getattr(phases, name)) for name, message in _PHASES]
    why = reason(train, table.rhythm, t)
    return [
        *([why] if why else []),
        *(t(message, when=t.instant(at, table.rhythm.zone)) for message, at in found if at is not None),
    ]
