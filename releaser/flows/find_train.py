"""Find a product's trains in the caller's transaction, and tell one as plain data."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.freeze import phases_of
from releaser.domain.train import Because, Decision, Timetable, Train, TrainState, decided
from releaser.domain.train_text import late_reason, reason
from releaser.errors import InvalidError, RefusedError
from releaser.flows.ports import Facts
from releaser.i18n import Phrase, Translator, mark, translator
from releaser.store import trains
from releaser.store.products import Product

MAX_REASON = 2_000


class TrainReasonMissingError(InvalidError):
    """Something is decided of a train or its freeze without a reason, or with an endless one."""


def reason_given(reason: str) -> str:
    """The reason as it is kept. Raises `TrainReasonMissingError`."""
    why = reason.strip()
    if not why or len(why) > MAX_REASON:
        raise TrainReasonMissingError(
            "A reason is needed." if not why else f"The reason is longer than {MAX_REASON} characters.",
            advice="Say why: everybody who looks at the train sees it.",
            field="reason",
        )
    return why


def timetable_of(session: Session, product: Product, *, now: datetime, past: int = 0) -> Timetable:
    """What is known of the product's trains, `past` ones among them. Raises `RefusedError` (rule `no-rhythm`)."""
    table = trains.timetable(session, product, now=now, back=timedelta(days=product.cadence_days * past))
    if table is None:
        raise RefusedError(
            Phrase(mark("Product '{product}' has no trains: no first one is declared."), product=product.name),
            rule="no-rhythm",
            advice=Phrase(
                mark("Declare {setting} with `{command}`."), setting="first_train_on", command="releaser apply"
            ),
            field="product",
        )
    return table


def decide(session: Session, product: Product, table: Timetable, train: Train, decision: Decision) -> Facts:
    """Write down what a person decided of a train; the facts are the train as it stands then, and the day it `was_on`.

    Raises `RefusedError` (rules `train-left`, `train-in-past`, `train-order`), `MoveConflictError`.
    """
    decided(table.rhythm, table.decisions, train, decision)
    trains.decide(session, product.id, train.slot_on, decision, was_on=train.on)
    after = timetable_of(session, product, now=table.now)
    return {**train_facts(after, train), "product": product.name, "was_on": train.on, "unchanged": False}


def unchanged(product: Product, table: Timetable, train: Train) -> Facts:
    """A train that stands already as somebody wants it."""
    return {**train_facts(table, train), "product": product.name, "was_on": train.on, "unchanged": True}


def train_facts(table: Timetable, train: Train, *, t: Translator | None = None) -> Facts:
    """A train as plain data: the one shape that commands, the API and pages show. It is looked up anew by its slot.

    `train` is the slot, the train's identity; `on` and `departs_at` are None when it is skipped; `state` is scheduled, moved (by
    the calendar), shifted or skipped (by a person or the calendar), expected, where the calendar is not known, late (it left
    without a stable, which may still be cut), and once it is over left (with a stable) or missed.
    """
    now_stands = table.at(train.slot_on) or train
    phases = phases_of(now_stands, table.rhythm)
    decision = now_stands.decision if now_stands.because is Because.PERSON else None
    late = table.late
    is_late = late is not None and late.slot_on == now_stands.slot_on
    t = t or translator("en")
    return {
        "train": now_stands.slot_on,
        "on": None if now_stands.skipped else now_stands.on,
        "departs_at": None if now_stands.skipped else now_stands.departs_at,
        "version": None if now_stands.skipped else table.version_of(now_stands.slot_on),
        "state": "late" if is_late else _state(table, now_stands),
        "because": now_stands.because.value,
        "reason": late_reason(table, t) if is_late else reason(now_stands, table.rhythm, t),
        "known_until": now_stands.known_until,
        "decided_by": decision.by if decision else None,
        "decided_at": decision.at if decision else None,
        "branch_point_at": phases.branch_point_at,
        "soft_freeze_at": phases.soft_freeze_at,
        "freeze_at": phases.freeze_at,
        "thaw_at": phases.thaw_at,
    }


def _state(table: Timetable, train: Train) -> str:
    if train.skipped:
        return TrainState.SKIPPED.value
    if train.departs_at <= table.now:
        return "left" if train.slot_on in table.given else "missed"
    if train.because is Because.PERSON:
        return TrainState.SHIFTED.value
    if not train.certain:
        return "expected"
    return "moved" if train.moved else TrainState.SCHEDULED.value
