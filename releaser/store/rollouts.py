"""Rollouts, their waves, the update of each target and the journal of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    exists,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, defer, mapped_column, relationship, selectinload

from releaser.domain.experience import Witness
from releaser.domain.rollout import (
    AT_WORK,
    ENDED,
    PauseReason,
    RolloutState,
    StepState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.waiting import DEFAULT_WAIT_FOR
from releaser.errors import NotFoundError
from releaser.store.base import Base, words
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module, Product
from releaser.store.releases import Release


class RolloutNotFoundError(NotFoundError):
    """No rollout of that number."""


class Rollout(Base):
    """One release to a set of installations.

    `plan` is the frozen plan (`domain.plan.Plan` as plain data) and `plan_hash` its name, to which an approval binds. `authors` are
    those who asked for what is planned; a `rehearsal` prepares everywhere and cuts nothing over. A scheduled one is begun from `begins_at` on and
    given up at `begin_by_at`; one with `superseded_by_id` ends at the next boundary, so that the other can begin. `late` tells who
    came while it ran and did not join it. `wait_s` is how long a target may
    wait beyond the time it is known to have to, `wave_soak_s` how long a wave is watched before the next one, `gated`
    whether a person lets each next wave begin. `paused_at` is since when it is paused.
    """

    __tablename__ = "rollouts"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"), index=True)
    selector: Mapped[str] = mapped_column(Text)
    state: Mapped[RolloutState] = mapped_column(words(RolloutState), index=True)
    pause_reason: Mapped[PauseReason | None] = mapped_column(words(PauseReason))
    reason: Mapped[str] = mapped_column(Text, default="")
    plan: Mapped[dict[str, Any]]
    plan_hash: Mapped[str] = mapped_column(String(64))
    max_parallel: Mapped[int] = mapped_column(default=1)
    threshold: Mapped[int] = mapped_column(default=0)
    wait_s: Mapped[float] = mapped_column(default=DEFAULT_WAIT_FOR.total_seconds())
    wave_soak_s: Mapped[float] = mapped_column(default=0.0)
    gated: Mapped[bool] = mapped_column(default=False)
    needs_approval: Mapped[bool] = mapped_column(default=False)
    approved_by: Mapped[str] = mapped_column(String(200), default="")
    ticket: Mapped[str] = mapped_column(String(120), default="")
    created_by: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    authors: Mapped[list[str]] = mapped_column(default=list)
    rehearsal: Mapped[bool] = mapped_column(default=False)
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("rollouts.id"))
    late: Mapped[str] = mapped_column(Text, default="")
    begins_at: Mapped[datetime | None]
    begin_by_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    release: Mapped[Release] = relationship(lazy="joined", innerjoin=True)
    waves: Mapped[list[Wave]] = relationship(back_populates="rollout", order_by="Wave.number")
    updates: Mapped[list[TargetUpdate]] = relationship(back_populates="rollout", order_by="TargetUpdate.position")


class Wave(Base):
    """A part of a rollout's targets that goes before the next part.

    `max_parallel` and `threshold` hold for this wave; None: those of the rollout.
    """

    __tablename__ = "waves"
    __table_args__ = (UniqueConstraint("rollout_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    number: Mapped[int]
    state: Mapped[WaveState] = mapped_column(words(WaveState), default=WaveState.PENDING)
    max_parallel: Mapped[int | None]
    threshold: Mapped[int | None]
    started_at: Mapped[datetime | None]
    soak_until_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    rollout: Mapped[Rollout] = relationship(back_populates="waves")


class TargetUpdate(Base):
    """What a rollout does to one target.

    `desired` and `previous` are `domain.target.Desired` as plain data, frozen when the rollout starts; `steps` is
    the plan of the attempt; `ends_as` is the state a roll-back leads to, `repeats` how often it was begun again. `lease_*` say which worker is at it; `active` is true from the start of the
    rollout until a terminal state, and a target has at most one active update. `stopped_at` is when the service
    was about to be stopped the last time, `served_at` the first good look after it, `stopped_before_s` how long stops took that were
    over by then; all as `measured_by` says, `predicted` what was
    expected (`domain.experience.Prediction` as plain data); `cut_over` whether the cutover began, `one_way` whether
    what was cut over must not be rolled back. `waiting_since_at` is since
    when it waits for what it waits for now, or its host has not answered; `deadline_at` is None while it queues for a worker.
    """

    __tablename__ = "target_updates"
    __table_args__ = (
        UniqueConstraint("rollout_id", "target_id"),
        Index("ix_target_updates_wave_state", "rollout_id", "wave", "state"),
        Index(
            "uq_target_updates_one_active",
            "target_id",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"), index=True)
    wave: Mapped[int]
    position: Mapped[int]
    state: Mapped[UpdateState] = mapped_column(words(UpdateState), default=UpdateState.PENDING)
    active: Mapped[bool] = mapped_column(default=False)
    waits_for: Mapped[WaitsFor | None] = mapped_column(words(WaitsFor))
    reason: Mapped[str] = mapped_column(Text, default="")
    attempt: Mapped[int] = mapped_column(default=1)
    generation: Mapped[int] = mapped_column(default=0)
    desired: Mapped[dict[str, Any]]
    previous: Mapped[dict[str, Any] | None]
    steps: Mapped[list[dict[str, Any]]]
    cut_over: Mapped[bool] = mapped_column(default=False)
    one_way: Mapped[bool] = mapped_column(default=False)
    ends_as: Mapped[UpdateState] = mapped_column(words(UpdateState), default=UpdateState.FAILED)
    repeats: Mapped[int] = mapped_column(default=0)
    planned_stop_s: Mapped[float] = mapped_column(default=0.0)
    predicted: Mapped[dict[str, Any] | None]
    stopped_before_s: Mapped[float] = mapped_column(default=0.0)
    stopped_at: Mapped[datetime | None]
    served_at: Mapped[datetime | None]
    measured_by: Mapped[Witness | None] = mapped_column(words(Witness))
    waiting_since_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    soak_until_at: Mapped[datetime | None]
    not_before_at: Mapped[datetime | None]
    lease_owner: Mapped[str] = mapped_column(String(120), default="")
    lease_until_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    rollout: Mapped[Rollout] = relationship(back_populates="updates")
    target: Mapped[Target] = relationship(lazy="joined", innerjoin=True)

    @property
    def measured_stop_s(self) -> float | None:
        """Seconds that the service was away; 0 when nothing was stopped; None while not known."""
        return measured_stop_s(self.stopped_at, self.served_at, self.stopped_before_s)


class StepRecord(Base):
    """One step of one attempt in the journal: the intent is written before the step, `done` after it was seen."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("update_id", "attempt", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    update_id: Mapped[int] = mapped_column(ForeignKey("target_updates.id"))
    attempt: Mapped[int]
    name: Mapped[str] = mapped_column(String(60))
    state: Mapped[StepState] = mapped_column(words(StepState))
    tries: Mapped[int] = mapped_column(default=1)
    intent_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")


def measured_stop_s(stopped_at: datetime | None, served_at: datetime | None, before_s: float) -> float | None:
    """As `TargetUpdate.measured_stop_s`, of these columns."""
    if served_at is None:
        return None
    return before_s + ((served_at - stopped_at).total_seconds() if stopped_at is not None else 0.0)


def get(session: Session, rollout_id: int) -> Rollout:
    """The rollout of that number. Raises `RolloutNotFoundError`."""
    rollout = session.get(Rollout, rollout_id)
    if rollout is None:
        raise _not_found(rollout_id)
    return rollout


def head(session: Session, rollout_id: int) -> Rollout:
    """As `get`, with its waves and without its plan (see `rollout_facts.of_plans`). Raises `RolloutNotFoundError`."""
    query = select(Rollout).options(defer(Rollout.plan), selectinload(Rollout.waves)).where(Rollout.id == rollout_id)
    rollout = session.scalars(query).unique().one_or_none()
    if rollout is None:
        raise _not_found(rollout_id)
    return rollout


def state_of(session: Session, rollout_id: int) -> RolloutState:
    """Its state alone: a plan is as long as the rollout is large. Raises `RolloutNotFoundError`."""
    state = session.scalar(select(Rollout.state).where(Rollout.id == rollout_id))
    if state is None:
        raise _not_found(rollout_id)
    return state


def _not_found(rollout_id: int) -> RolloutNotFoundError:
    return RolloutNotFoundError(f"There is no rollout {rollout_id}.", advice="See `releaser rollout list`.")


def in_states(session: Session, *states: RolloutState) -> Sequence[Rollout]:
    """Rollouts in one of `states`, oldest first."""
    return session.scalars(select(Rollout).where(Rollout.state.in_(states)).order_by(Rollout.id)).unique().all()


def of_release(session: Session, release_id: int, states: Iterable[RolloutState]) -> Sequence[Rollout]:
    """Rollouts of a release in one of `states`, oldest first."""
    query = select(Rollout).where(Rollout.release_id == release_id, Rollout.state.in_(list(states)))
    return session.scalars(query.order_by(Rollout.id)).unique().all()


def giving_way(session: Session, rollout_id: int) -> Sequence[int]:
    """Numbers of the rollouts that this one takes over from and that have not ended."""
    query = select(Rollout.id).where(Rollout.superseded_by_id == rollout_id, Rollout.state.not_in(ENDED))
    return session.scalars(query.order_by(Rollout.id)).all()


def heir(session: Session, rollout_id: int) -> tuple[int, RolloutState] | None:
    """Number and state of what took its place, or the place of that one, and so on; None where nothing did."""
    found = None
    number = session.scalar(select(Rollout.superseded_by_id).where(Rollout.id == rollout_id))
    while number is not None:
        query = select(Rollout.id, Rollout.state, Rollout.superseded_by_id).where(Rollout.id == number)
        number_of, state, number = session.execute(query).one()
        found = (number_of, state)
    return found


def late(session: Session, rollout_id: int) -> str:
    """Who came while the rollout ran and did not join it, empty when nobody."""
    return session.scalar(select(Rollout.late).where(Rollout.id == rollout_id)) or ""


def newest_target_planned(session: Session, rollout_id: int) -> int:
    """The highest number that a target had when the rollout's plan was made."""
    number: int | None = session.scalar(
        select(Rollout.plan["newest_target"].as_integer()).where(Rollout.id == rollout_id)
    )
    return number or 0


def newest(session: Session, *, limit: int = 50, offset: int = 0, product_id: int | None = None) -> Sequence[Rollout]:
    """Rollouts, newest first, with their waves, without their targets and their plans (see `rollout_facts.of_plans`)."""
    query = select(Rollout).options(defer(Rollout.plan), selectinload(Rollout.waves))
    query = query.order_by(Rollout.id.desc()).limit(limit).offset(offset)
    if product_id is not None:
        query = query.where(Rollout.product_id == product_id)
    return session.scalars(query).unique().all()


def updates(
    session: Session,
    rollout_id: int,
    *,
    wave: int | None = None,
    state: UpdateState | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Sequence[TargetUpdate]:
    """Targets of a rollout in their order: of a wave, in a state, or all."""
    query = select(TargetUpdate).options(defer(TargetUpdate.steps)).where(TargetUpdate.rollout_id == rollout_id)
    if wave is not None:
        query = query.where(TargetUpdate.wave == wave)
    if state is not None:
        query = query.where(TargetUpdate.state == state)
    query = query.order_by(TargetUpdate.position, TargetUpdate.id).limit(limit).offset(offset)
    return session.scalars(query).unique().all()


def holder(session: Session, target_id: int) -> TargetUpdate | None:
    """The active update of a target, or None."""
    return session.scalars(
        select(TargetUpdate).where(TargetUpdate.target_id == target_id, TargetUpdate.active)
    ).one_or_none()


def holders(
    session: Session, rollout_id: int, *, states: Iterable[UpdateState] = tuple(UpdateState)
) -> Sequence[Rollout]:
    """Other rollouts that are at work on targets whose update in this one is in one of `states`."""
    mine = select(TargetUpdate.target_id).where(
        TargetUpdate.rollout_id == rollout_id, TargetUpdate.state.in_(list(states))
    )
    held = select(TargetUpdate.rollout_id).where(
        TargetUpdate.active, TargetUpdate.rollout_id != rollout_id, TargetUpdate.target_id.in_(mine)
    )
    return session.scalars(select(Rollout).where(Rollout.id.in_(held)).order_by(Rollout.id)).unique().all()


def older_scheduled(session: Session, rollout_id: int) -> Sequence[Rollout]:
    """Scheduled rollouts of a lower number that have a target in common with this one, oldest first."""
    mine = select(TargetUpdate.target_id).where(TargetUpdate.rollout_id == rollout_id)
    there = select(TargetUpdate.rollout_id).where(
        TargetUpdate.rollout_id < rollout_id, TargetUpdate.target_id.in_(mine)
    )
    query = select(Rollout).where(Rollout.state == RolloutState.SCHEDULED, Rollout.id.in_(there)).order_by(Rollout.id)
    return session.scalars(query).unique().all()


def at_work_on(session: Session, target_ids: Sequence[int]) -> Sequence[Rollout]:
    """The rollouts that are at work on any of these targets, oldest first."""
    wanted = set(target_ids)
    active = session.execute(select(TargetUpdate.rollout_id, TargetUpdate.target_id).where(TargetUpdate.active))
    numbers = {rollout_id for rollout_id, target_id in active if target_id in wanted}
    return session.scalars(select(Rollout).where(Rollout.id.in_(numbers)).order_by(Rollout.id)).unique().all()


def begun(session: Session) -> Sequence[tuple[int, str, str, str]]:
    """Rollout, installation, module and host of each active update by which something was begun at its host.

    One whose host has been silent ever since it was asked for the first time has begun nothing there.
    """
    of_attempt = (StepRecord.update_id == TargetUpdate.id, StepRecord.attempt == TargetUpdate.attempt)
    step = exists().where(*of_attempt)
    touched = or_(
        TargetUpdate.cut_over,
        and_(TargetUpdate.state.in_(AT_WORK), step),
        step.where(StepRecord.state == StepState.DONE),
    )
    query = (
        select(TargetUpdate.rollout_id, Installation.name, Module.name, Host.name)
        .join(Target, Target.id == TargetUpdate.target_id)
        .join(Installation, Installation.id == Target.installation_id)
        .join(Module, Module.id == Target.module_id)
        .join(Host, Host.id == Target.host_id)
        .where(TargetUpdate.active, touched)
        .order_by(TargetUpdate.id)
    )
    return session.execute(query).all()


def steps(session: Session, update_id: int, attempt: int | None = None) -> Sequence[StepRecord]:
    """The journal of one update (of one attempt where given), in the order of intent."""
    query = select(StepRecord).where(StepRecord.update_id == update_id).order_by(StepRecord.id)
    if attempt is not None:
        query = query.where(StepRecord.attempt == attempt)
    return session.scalars(query).all()
