"""Customers, the people to tell there, and the regulation of their contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.errors import NotFoundError
from releaser.store.base import Base


class CustomerNotFoundError(NotFoundError):
    """No customer of that name."""


class Customer(Base):
    """Who runs the product; `licensee_of` names the customer whose end user it is, if any.

    `regulation` is the contract's: windows and lead times (`domain.regulation.Regulation` as plain data).
    """

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(8), default="en")
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    regulation: Mapped[dict[str, Any]]

    contacts: Mapped[list[Contact]] = relationship(
        back_populates="customer", order_by="Contact.email", cascade="all, delete-orphan"
    )


class Contact(Base):
    """A person (or box) at a customer that notices go to."""

    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("customer_id", "email"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(40), default="operations")
    language: Mapped[str] = mapped_column(String(8), default="")
    zone: Mapped[str] = mapped_column(String(64), default="")

    customer: Mapped[Customer] = relationship(back_populates="contacts")


def find(session: Session, name: str) -> Customer | None:
    """The customer called `name`, or None."""
    return session.scalars(select(Customer).where(Customer.name == name)).one_or_none()


def get(session: Session, name: str) -> Customer:
    """The customer called `name`. Raises `CustomerNotFoundError`."""
    customer = find(session, name)
    if customer is None:
        raise CustomerNotFoundError(
            f"There is no customer '{name[:80]}'.", advice="See `releaser customer list`.", field="customer"
        )
    return customer


def everyone(session: Session, *, limit: int | None = None, offset: int = 0) -> Sequence[Customer]:
    """Every customer by name, or a page of them."""
    return session.scalars(select(Customer).order_by(Customer.name).limit(limit).offset(offset)).all()


def facts(customer: Customer) -> dict[str, Any]:
    """A customer as plain data: the one shape that commands and the API show."""
    return {
        "name": customer.name,
        "title": customer.title or customer.name,
        "language": customer.language,
        "zone": customer.zone,
        "regulation": customer.regulation,
        "contacts": [
            {"email": c.email, "name": c.name, "role": c.role, "language": c.language, "zone": c.zone}
            for c in customer.contacts
        ],
    }
