"""Hosts, installations and their targets, with what was last recorded to run there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from releaser.domain.target import DriverName
from releaser.errors import NotFoundError
from releaser.store.base import Base, words
from releaser.store.customers import Customer
from releaser.store.products import Module, Product
from releaser.store.releases import Release


class InstallationNotFoundError(NotFoundError):
    """No installation of that name."""


class Host(Base):
    """A machine; `address` is its container engine's URL (`unix:///…`, `tcp://…`), or leads to its files (`ssh://…`, `local://`).

    `host_class` names what it is compared with when cutovers are predicted; empty: hosts reached in the same way.
    """

    __tablename__ = "hosts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    address: Mapped[str] = mapped_column(Text, default="")
    host_class: Mapped[str] = mapped_column(String(40), default="")


class Installation(Base):
    """One running copy of a product at a customer. `pin` says why mass rollouts pass it over, see `store.pins`."""

    __tablename__ = "installations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    ring: Mapped[str] = mapped_column(String(40), default="")
    delivery: Mapped[str] = mapped_column(String(40), default="cloud")
    labels: Mapped[dict[str, Any]]
    pin: Mapped[dict[str, Any] | None]

    customer: Mapped[Customer] = relationship(lazy="joined", innerjoin=True)
    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    targets: Mapped[list[Target]] = relationship(back_populates="installation", order_by="Target.id")


class Target(Base):
    """One module of one installation on one host.

    `spec` is the declared specification (`domain.spec` as plain data). What runs: `version`, `image`,
    `digest` and `running_spec` of the last update that succeeded (or rolled back to), since `installed_at`.
    `generation` is the fencing number: it grows with every attempt. `adopted` says what was taken over, when and by whom.
    `configuration` are its settings at the first look after an update, `drift` how it differs now, see `store.drifts`.
    """

    __tablename__ = "targets"
    __table_args__ = (UniqueConstraint("installation_id", "module_id", "host_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    module_id: Mapped[int] = mapped_column(ForeignKey("modules.id"))
    host_id: Mapped[int] = mapped_column(ForeignKey("hosts.id"))
    driver: Mapped[DriverName] = mapped_column(words(DriverName), default=DriverName.DOCKER)
    spec: Mapped[dict[str, Any]]
    version: Mapped[str] = mapped_column(String(80), default="")
    image: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(80), default="")
    running_spec: Mapped[dict[str, Any] | None]
    installed_at: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(default=0)
    adopted: Mapped[dict[str, Any] | None]
    configuration: Mapped[dict[str, Any] | None]
    drift: Mapped[dict[str, Any] | None]
    looked_at: Mapped[datetime | None] = mapped_column(index=True)

    installation: Mapped[Installation] = relationship(back_populates="targets", lazy="joined", innerjoin=True)
    module: Mapped[Module] = relationship(lazy="joined", innerjoin=True)
    host: Mapped[Host] = relationship(lazy="joined", innerjoin=True)


class Installed(Base):
    """The story of what ran: one row per change of a target's version. `at` is when it was observed to serve."""

    __tablename__ = "installed"

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"), index=True)
    rollout_id: Mapped[int | None] = mapped_column(ForeignKey("rollouts.id"))
    version: Mapped[str] = mapped_column(String(80))
    previous: Mapped[str] = mapped_column(String(80), default="")
    digest: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(index=True)


def gone_back(session: Session, *, since: datetime) -> list[tuple[int, int, datetime]]:
    """Where an older version came to run since then: product, customer, and when it did the last time."""
    older, newer = aliased(Release), aliased(Release)
    query = (
        select(Installation.product_id, Installation.customer_id, func.max(Installed.at))
        .join(Target, Target.id == Installed.target_id)
        .join(Installation, Installation.id == Target.installation_id)
        .join(older, (older.product_id == Installation.product_id) & (older.version == Installed.version))
        .join(newer, (newer.product_id == Installation.product_id) & (newer.version == Installed.previous))
        .where(Installed.at > since, older.sort_key < newer.sort_key)
        .group_by(Installation.product_id, Installation.customer_id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def find(session: Session, name: str) -> Installation | None:
    """The installation called `name`, or None."""
    return session.scalars(select(Installation).where(Installation.name == name)).unique().one_or_none()


def get(session: Session, name: str) -> Installation:
    """The installation called `name`. Raises `InstallationNotFoundError`."""
    row = find(session, name)
    if row is None:
        raise InstallationNotFoundError(
            f"There is no installation '{name[:80]}'.", advice="See `releaser installation list`.", field="installation"
        )
    return row


def everything(
    session: Session,
    *,
    product_id: int | None = None,
    customer_id: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Sequence[Installation]:
    """Installations by name, of one product or one customer where given; all of them, or a page."""
    query = select(Installation).order_by(Installation.name)
    if product_id is not None:
        query = query.where(Installation.product_id == product_id)
    if customer_id is not None:
        query = query.where(Installation.customer_id == customer_id)
    return session.scalars(query.limit(limit).offset(offset)).unique().all()


def newest_target(session: Session) -> int:
    """The highest number of any target, 0 without targets: what is added later has a higher one."""
    return session.scalar(select(func.max(Target.id))) or 0


def targets_since(session: Session, product_id: int, number: int) -> Sequence[int]:
    """Numbers of a product's targets that are higher than `number`."""
    query = select(Target.id).join(Installation, Installation.id == Target.installation_id)
    return session.scalars(query.where(Installation.product_id == product_id, Target.id > number)).all()


def begin_generations_anew(session: Session) -> None:
    """Lift every fencing number above any that was given out since the database was as it is: after a restore."""
    session.execute(update(Target).values(generation=Target.generation + 1000))


def hosts(session: Session) -> Sequence[Host]:
    """Every host by name."""
    return session.scalars(select(Host).order_by(Host.name)).all()


def hosts_of(session: Session, driver: DriverName) -> frozenset[int]:
    """The ids of hosts with a target of this driver."""
    return frozenset(session.scalars(select(Target.host_id).where(Target.driver == driver).distinct()))


def facts(installation: Installation) -> dict[str, Any]:
    """An installation as plain data: the one shape that commands and the API show."""
    return {
        "name": installation.name,
        "title": installation.title or installation.name,
        "customer": installation.customer.name,
        "product": installation.product.name,
        "ring": installation.ring,
        "delivery": installation.delivery,
        "labels": installation.labels,
        "pin": _dated(installation.pin, "at"),
        "targets": [
            {
                "module": t.module.name,
                "host": t.host.name,
                "driver": t.driver.value,
                "spec": t.spec,
                "version": t.version or None,
                "digest": t.digest or None,
                "installed_at": t.installed_at,
                "adopted": _dated(t.adopted, "at"),
                "drift": _dated(t.drift, "since", "seen_at"),
                "looked_at": t.looked_at,
            }
            for t in installation.targets
        ],
    }


def _dated(kept: dict[str, Any] | None, *names: str) -> dict[str, Any] | None:
    """What a JSON column keeps, with its instants as such."""
    if kept is None:
        return None
    return {key: datetime.fromisoformat(value) if key in names else value for key, value in kept.items()}
