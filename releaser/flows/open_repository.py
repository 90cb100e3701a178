"""The mirror of a product's repository: where it lies is decided here, for every flow that reads or tags."""

from __future__ import annotations

from releaser.errors import RefusedError
from releaser.flows.narrow_repository import narrow_repository
from releaser.flows.ports import Ports
from releaser.sources.source import Repository
from releaser.store.products import Product


def open_repository(ports: Ports, product: Product) -> Repository:
    """The product's mirror as of its last fetch, narrowed to the product's paths where it has any. It touches files, so no transaction may be open: hand in a row that is read.

    Raises `RefusedError` (rule `no-repository`) and what `Repositories.mirror` raises.
    """
    if not product.repository:
        raise RefusedError(
            f"Product '{product.name}' has no repository.",
            rule="no-repository",
            advice="Name one with `releaser apply` or `releaser product add`.",
            field="repository",
        )
    mirror = ports.repositories.mirror(product.repository, folder=ports.home / "repositories" / f"{product.id}.git")
    return narrow_repository(mirror, product.paths)
