"""Products and their modules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.domain.gate_policy import gate_from_mapping, gate_modes
from releaser.domain.line import NOTICE_DAYS, LinePhase, LinePolicy
from releaser.domain.version import Scheme
from releaser.errors import NotFoundError
from releaser.store.base import Base, words


class ProductNotFoundError(NotFoundError):
    """No product of that name."""


class Product(Base):
    """Something that is released: a repository, a numbering scheme, a rhythm and ticket key patterns.

    `fingerprint` names the state of the repository's refs at the last collect, `history_state` what was written of it then, and
    `counted` how many commits, releases, lines and tickets that were; `first_train_on` and
    `cadence_days` are the rhythm in the local time of `zone`, `trains` its rules (`domain.train.TrainRules`). `gate` is what
    `domain.gate_policy` writes; `line_policy` is that of lines without one of their own, `maintained_days` and
    `supported_days` the rule for lines without dates, and `support_notice_days` the days before a line's end at which its
    customers are told. `paths` are the folders of the repository that are the product's, none for all of it; `changelog`
    is what `domain.changelog.keeping` says.
    """

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    repository: Mapped[str] = mapped_column(Text, default="")
    branch: Mapped[str] = mapped_column(String(200), default="")
    line_branch: Mapped[str] = mapped_column(String(200), default="{line}")
    scheme: Mapped[Scheme] = mapped_column(words(Scheme), default=Scheme.TWO_PART)
    tag_format: Mapped[str] = mapped_column(String(200), default="v{version}")
    ticket_patterns: Mapped[list[str]]
    profile: Mapped[str] = mapped_column(String(80), default="")
    first_train_on: Mapped[date | None]
    cadence_days: Mapped[int] = mapped_column(default=14)
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    trains: Mapped[dict[str, Any]] = mapped_column(default=dict)
    line_policy: Mapped[LinePolicy] = mapped_column(words(LinePolicy), default=LinePolicy.OPEN)
    gate: Mapped[dict[str, Any]] = mapped_column(default=dict)
    maintained_days: Mapped[int | None]
    supported_days: Mapped[int | None]
    support_notice_days: Mapped[list[int]] = mapped_column(default=lambda: list(NOTICE_DAYS))
    paths: Mapped[list[str]] = mapped_column(default=list)
    changelog: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    history_state: Mapped[str] = mapped_column(String(64), default="")
    counted: Mapped[dict[str, Any]] = mapped_column(default=dict)
    collected_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    modules: Mapped[list[Module]] = relationship(back_populates="product", order_by="Module.name")


class Module(Base):
    """A part of a product that is versioned and updated by itself; `image` and `artifact` are templates with `{version}`."""

    __tablename__ = "modules"
    __table_args__ = (UniqueConstraint("product_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    name: Mapped[str] = mapped_column(String(80))
    image: Mapped[str] = mapped_column(Text, default="")
    artifact: Mapped[str] = mapped_column(Text, default="")

    product: Mapped[Product] = relationship(back_populates="modules")


class Line(Base):
    """`X.Y` and everything patched onto it: its branch and, where stated, its policy and the end of its support.

    `phase`, `policy` and both dates are what a person states; what holds is told by `store.lines`.
    """

    __tablename__ = "lines"
    __table_args__ = (UniqueConstraint("product_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    sort_key: Mapped[int] = mapped_column(default=0)
    branch: Mapped[str] = mapped_column(String(200), default="")
    phase: Mapped[LinePhase | None] = mapped_column(words(LinePhase))
    policy: Mapped[LinePolicy | None] = mapped_column(words(LinePolicy))
    maintained_until_on: Mapped[date | None]
    supported_until_on: Mapped[date | None]


def find(session: Session, name: str) -> Product | None:
    """The product called `name`, or None."""
    return session.scalars(select(Product).where(Product.name == name)).one_or_none()


def get(session: Session, name: str) -> Product:
    """The product called `name`. Raises `ProductNotFoundError`."""
    product = find(session, name)
    if product is None:
        known = session.scalars(select(Product.name).order_by(Product.name).limit(5)).all()
        advice = f"Known products: {', '.join(known)}." if known else "Add one with `releaser product add`."
        raise ProductNotFoundError(f"There is no product '{name[:80]}'.", advice=advice, field="product")
    return product


def everything(session: Session, *, limit: int | None = None, offset: int = 0) -> Sequence[Product]:
    """Every product by name, or a page of them."""
    return session.scalars(select(Product).order_by(Product.name).limit(limit).offset(offset)).all()


def lines(session: Session, product_id: int) -> Sequence[Line]:
    """A product's lines, newest number first."""
    return session.scalars(select(Line).where(Line.product_id == product_id).order_by(Line.sort_key.desc())).all()


def some_lines(session: Session, product_id: int, names: Collection[str]) -> Sequence[Line]:
    """Those of a product's lines that are called so, in no order."""
    return session.scalars(select(Line).where(Line.product_id == product_id, Line.name.in_(names))).all()


def line(session: Session, product_id: int, name: str) -> Line | None:
    """One line by its number."""
    return session.scalars(select(Line).where(Line.product_id == product_id, Line.name == name)).one_or_none()


def module(product: Product, name: str) -> Module:
    """A product's module. Raises `NotFoundError`."""
    for one in product.modules:
        if one.name == name:
            return one
    raise NotFoundError(
        f"Product '{product.name}' has no module '{name}'.",
        advice=f"It has: {', '.join(m.name for m in product.modules) or 'none'}.",
        field="module",
    )


def facts(product: Product) -> dict[str, Any]:
    """A product as plain data: the one shape that commands and the API show."""
    return {
        "name": product.name,
        "title": product.title or product.name,
        "repository": product.repository,
        "branch": product.branch,
        "line_branch": product.line_branch,
        "scheme": product.scheme.value,
        "tag_format": product.tag_format,
        "ticket_patterns": product.ticket_patterns,
        "cadence_days": product.cadence_days,
        "first_train_on": product.first_train_on,
        "zone": product.zone,
        "trains": dict(product.trains),
        "line_policy": product.line_policy.value,
        "gate": gate_modes(gate_from_mapping(product.gate)),
        "maintained_days": product.maintained_days,
        "supported_days": product.supported_days,
        "support_notice_days": product.support_notice_days,
        "collected_at": product.collected_at,
        "modules": [{"name": m.name, "image": m.image, "artifact": m.artifact} for m in product.modules],
    }
