"""Adds one customer; `apply_declaration` changes it later."""

from __future__ import annotations

from releaser.domain.declaration import Declaration, DeclaredCustomer
from releaser.errors import ConflictError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_customer import show_customer
from releaser.store import customers


class CustomerExistsError(ConflictError):
    """There is a customer of that name."""


def add_customer(ports: Ports, *, customer: DeclaredCustomer, by: str) -> Facts:
    """Add it and tell it. Raises `CustomerExistsError`, `InvalidDeclarationError`."""
    with ports.database.reading() as session:
        if customers.find(session, customer.name) is not None:
            raise CustomerExistsError(
                f"There is a customer '{customer.name}' already.",
                advice="Change it with `releaser apply`, or choose another name.",
                field="name",
            )
    apply_declaration(ports, declaration=Declaration(customers=(customer,)), dry_run=False, prune=False, by=by)
    return show_customer(ports, customer=customer.name)
