"""What people made of single trains, when and why.

A train has a row only when something is remembered of it; all others follow from the rhythm. Rows are of *slots*, which stay
when a train is shifted. A slot that the rhythm no longer has keeps its row and counts for nothing.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, ForeignKey, String, Text, UniqueConstraint, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.release import ReleaseState
from releaser.domain.train import MOVES, Cut, Decision, Decisions, Rhythm, Timetable, TrainRules, TrainState
from releaser.domain.version import VersionKind, parse
from releaser.errors import MoveConflictError
from releaser.store.base import Base, words
from releaser.store.declared import DeclaredChange
from releaser.store.plain import load
from releaser.store.products import Product
from releaser.store.releases import Release

_OF_RHYTHM = frozenset({"first_train_on", "cadence_days", "zone"})


class KnownTrain(Base):
    """One slot of which something is remembered. `leaves_on` is the day of a shifted train.

    `revision` counts what people decided of it.
    """

    __tablename__ = "trains"
    __table_args__ = (UniqueConstraint("product_id", "slot_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    slot_on: Mapped[date]
    state: Mapped[TrainState] = mapped_column(words(TrainState), default=TrainState.SCHEDULED)
    leaves_on: Mapped[date | None]
    revision: Mapped[int] = mapped_column(default=0)


class TrainChange(Base):
    """One decision about a train: from which day to which, by whom and why. Never changed."""

    __tablename__ = "train_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    train_id: Mapped[int] = mapped_column(ForeignKey("trains.id"), index=True)
    source: Mapped[TrainState] = mapped_column(words(TrainState))
    to: Mapped[TrainState] = mapped_column(words(TrainState))
    was_on: Mapped[date]
    leaves_on: Mapped[date | None]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)


def rhythm(product: Product) -> Rhythm | None:
    """When the product's trains leave; None for one without a first train."""
    if product.first_train_on is None:
        return None
    return Rhythm(
        first_on=product.first_train_on,
        cadence_days=product.cadence_days,
        zone=product.zone,
        rules=load(TrainRules, product.trains),
    )


def decisions(session: Session, product_id: int) -> Decisions:
    """Slot -> what a person last decided about its train."""
    newest = select(func.max(TrainChange.id)).group_by(TrainChange.train_id).scalar_subquery()
    query = (
        select(KnownTrain.slot_on, TrainChange)
        .join(TrainChange, TrainChange.train_id == KnownTrain.id)
        .where(KnownTrain.product_id == product_id, TrainChange.id.in_(newest))
    )
    return {
        slot_on: Decision(state=change.to, on=change.leaves_on, by=change.by, reason=change.reason, at=change.at)
        for slot_on, change in session.execute(query)
    }


def timetable(session: Session, product: Product, *, now: datetime, back: timedelta = timedelta(0)) -> Timetable | None:
    """What is known of a product's trains; None for one without a rhythm.

    Stables that were tagged elsewhere are looked at so far `back`, and some cadences more.
    """
    known = rhythm(product)
    if known is None:
        return None
    versions = session.scalars(select(Release.version).where(Release.product_id == product.id))
    return Timetable(
        rhythm=known,
        decisions=decisions(session, product.id),
        cuts=cuts(session, product, since=now - back - 8 * timedelta(days=known.cadence_days)),
        versions=[parse(one, scheme=product.scheme) for one in versions],
        scheme=product.scheme,
        now=now,
    )


def find(session: Session, product_id: int, slot_on: date) -> KnownTrain | None:
    """What is remembered of a slot, or None."""
    return session.scalars(
        select(KnownTrain).where(KnownTrain.product_id == product_id, KnownTrain.slot_on == slot_on)
    ).one_or_none()


def remembered(session: Session, product_id: int, slot_on: date) -> KnownTrain:
    """The row of a slot, made when there is none."""
    row = find(session, product_id, slot_on)
    if row is None:
        row = KnownTrain(product_id=product_id, slot_on=slot_on, state=TrainState.SCHEDULED, revision=0)
        session.add(row)
        session.flush()
    return row


def decide(session: Session, product_id: int, slot_on: date, decision: Decision, *, was_on: date) -> None:
    """Write a decision down by compare-and-set, with its history. Raises `MoveConflictError`."""
    row = remembered(session, product_id, slot_on)
    source = row.state
    if decision.state not in MOVES[source]:
        raise MoveConflictError(f"The train of {slot_on}", source=source.value, to=decision.state.value)
    result = cast(
        "CursorResult[Any]",
        session.execute(
            update(KnownTrain)
            .where(KnownTrain.id == row.id, KnownTrain.state == source, KnownTrain.revision == row.revision)
            .values(state=decision.state, leaves_on=decision.on, revision=row.revision + 1)
            .execution_options(synchronize_session=False)
        ),
    )
    if result.rowcount != 1:
        raise MoveConflictError(f"The train of {slot_on}", source=source.value, to=decision.state.value)
    session.add(
        TrainChange(
            train_id=row.id,
            source=source,
            to=decision.state,
            was_on=was_on,
            leaves_on=decision.on,
            at=decision.at,
            by=decision.by,
            reason=decision.reason,
        )
    )
    session.flush()
    session.refresh(row)


def story(session: Session, product_id: int, slot_on: date) -> list[dict[str, Any]]:
    """Every decision about one train, oldest first, as plain data."""
    query = (
        select(TrainChange)
        .join(KnownTrain, KnownTrain.id == TrainChange.train_id)
        .where(KnownTrain.product_id == product_id, KnownTrain.slot_on == slot_on)
        .order_by(TrainChange.id)
    )
    return [
        {
            "state": row.to.value,
            "was_on": row.was_on,
            "on": row.leaves_on,
            "at": row.at,
            "by": row.by,
            "reason": row.reason,
        }
        for row in session.scalars(query)
    ]


def revisions(session: Session, product_id: int) -> dict[date, int]:
    """Slot -> how often people decided about its train."""
    query = select(KnownTrain.slot_on, KnownTrain.revision).where(KnownTrain.product_id == product_id)
    return {row[0]: row[1] for row in session.execute(query)}


def cuts(session: Session, product: Product, *, since: datetime | None = None) -> list[Cut]:
    """The stable releases that were not abandoned, those cut or tagged before `since` left out where they tell no slot."""
    at = func.coalesce(Release.tagged_at, Release.cut_at, Release.published_at)
    query = select(Release.version, at.label("at"), Release.planned_on).where(
        Release.product_id == product.id,
        Release.kind == VersionKind.STABLE,
        Release.state != ReleaseState.ABANDONED,
        at.is_not(None),
    )
    if since is not None:
        query = query.where(or_(Release.planned_on.is_not(None), at >= since))
    return [
        Cut(version=parse(row.version, scheme=product.scheme), at=row.at, slot_on=row.planned_on)
        for row in session.execute(query)
    ]


def stables_out(session: Session, product_id: int, *, collected: bool) -> frozenset[str]:
    """Stable versions that customers can see (or could): those a collect has told the content of, or those it has not yet."""
    query = select(Release.version).where(
        Release.product_id == product_id,
        Release.kind == VersionKind.STABLE,
        Release.state.in_((ReleaseState.PUBLISHED, ReleaseState.YANKED)),
        Release.rank.is_not(None) if collected else Release.rank.is_(None),
    )
    return frozenset(session.scalars(query))


def rule_changes(session: Session, product: Product) -> tuple[int, datetime]:
    """How often the product's rhythm was declared otherwise, and when it last was (or the product was added)."""
    query = select(DeclaredChange).where(DeclaredChange.noun == "product", DeclaredChange.name == product.name)
    changes = [
        row.at
        for row in session.scalars(query.order_by(DeclaredChange.id))
        if any(one["field"] in _OF_RHYTHM or one["field"].partition(".")[0] == "trains" for one in row.fields)
    ]
    return len(changes), max(changes, default=product.created_at)
