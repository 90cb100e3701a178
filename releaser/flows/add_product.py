"""Adds one product; `apply_declaration` changes it later."""

from __future__ import annotations

from releaser.domain.declaration import Declaration, DeclaredProduct, InvalidDeclarationError, check
from releaser.errors import ConflictError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_product import show_product
from releaser.store import products


class ProductExistsError(ConflictError):
    """There is a product of that name."""


def add_product(ports: Ports, *, product: DeclaredProduct, by: str) -> Facts:
    """Add it and tell it. Raises `ProductExistsError`, `InvalidDeclarationError`, and what `Repositories.check` raises."""
    with ports.database.reading() as session:
        if products.find(session, product.name) is not None:
            raise ProductExistsError(
                f"There is a product '{product.name}' already.",
                advice="Change it with `releaser apply`, or choose another name.",
                field="name",
            )
    if problems := check(Declaration(products=(product,))):
        raise InvalidDeclarationError(problems)
    ports.repositories.check(product.repository)
    apply_declaration(ports, declaration=Declaration(products=(product,)), dry_run=False, prune=False, by=by)
    return show_product(ports, product=product.name)
