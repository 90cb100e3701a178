"""What customers said of updates of their installations, and whose contract asks for it.

The table is a journal: a new word stands above the older one of the same version, work and installation. Nothing in it is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.consent import Answer, Word
from releaser.domain.plan import Plan
from releaser.domain.rollout import UpdateState
from releaser.store import rollout_work
from releaser.store.base import Base, words
from releaser.store.customers import Customer
from releaser.store.installations import Installation, Target
from releaser.store.plain import load
from releaser.store.products import Module
from releaser.store.rollouts import Rollout, TargetUpdate

_LONGEST_WORK = 200


class Consent(Base):
    """One word of a customer on one version at one installation, given for `rollout_id` and recorded by `by`.

    `work` is empty for an update, else the operation that was asked about, as `Plan.work` tells it; `stopping` are the modules that were to stop.
    """

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_place", "release_id", "installation_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), index=True)
    work: Mapped[str] = mapped_column(String(_LONGEST_WORK), default="")
    answer: Mapped[Answer] = mapped_column(words(Answer))
    who: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text, default="")
    stopping: Mapped[list[str]] = mapped_column(default=list)
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One update at a customer whose contract asks for a consent. `steps` are `domain.target.Step` as plain data."""

    state: UpdateState
    steps: Sequence[dict[str, Any]]
    module: str
    installation_id: int
    installation: str
    title: str
    customer: str
    zone: str
    regulation: dict[str, Any]


_ASKED = (
    select(
        TargetUpdate.state,
        TargetUpdate.steps,
        Module.name,
        Installation.id,
        Installation.name,
        Installation.title,
        Customer.name,
        Customer.zone,
        Customer.regulation,
    )
    .join(Target, Target.id == TargetUpdate.target_id)
    .join(Module, Module.id == Target.module_id)
    .join(Installation, Installation.id == Target.installation_id)
    .join(Customer, Customer.id == Installation.customer_id)
    .join(Rollout, Rollout.id == TargetUpdate.rollout_id)
    .where(Customer.regulation["consent"]["by"].as_string().is_not(None), Rollout.rehearsal.is_(False))
    .order_by(TargetUpdate.position)
)


def asked(session: Session, rollout_id: int) -> Sequence[AskedRow]:
    """The updates of a rollout at customers whose contracts ask for a consent, in their order; a rehearsal needs none."""
    return [AskedRow(*row) for row in session.execute(_ASKED.where(TargetUpdate.rollout_id == rollout_id))]


def asking(session: Session) -> Sequence[Customer]:
    """The customers whose contracts ask for a consent."""
    query = select(Customer).where(Customer.regulation["consent"]["by"].as_string().is_not(None))
    return session.scalars(query.order_by(Customer.id)).unique().all()


def work_of(session: Session, rollout_id: int) -> str:
    """What a word is about besides the version: empty for an update, else the operation, from how many instances to how many."""
    if not rollout_work.options(session, rollout_id).get("operation"):
        return ""
    plan = session.scalars(select(Rollout.plan).where(Rollout.id == rollout_id)).one()
    return load(Plan, plan).work[:_LONGEST_WORK]


def standing(session: Session, rollout_id: int) -> dict[int, Word]:
    """Installation's number -> the word that stands there for what the rollout does, whichever rollout it was given for."""
    release_id = select(Rollout.release_id).where(Rollout.id == rollout_id).scalar_subquery()
    return _standing(session, release_id, work_of(session, rollout_id))


def standing_of(session: Session, release_id: int, *, work: str) -> dict[int, Word]:
    """As `standing`, for work that has no rollout yet."""
    return _standing(session, release_id, work[:_LONGEST_WORK])


def _standing(session: Session, release_id: Any, work: str) -> dict[int, Word]:  # noqa: ANN401 -- a number or a query
    query = select(Consent).where(Consent.release_id == release_id, Consent.work == work).order_by(Consent.id)
    return {
        row.installation_id: Word(
            answer=row.answer, who=row.who, note=row.note, by=row.by, at=row.at, stopping=frozenset(row.stopping)
        )
        for row in session.scalars(query)
    }
