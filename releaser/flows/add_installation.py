"""Adds one installation, with hosts that are not there yet; `apply_declaration` changes it later."""

from __future__ import annotations

from releaser.domain.declaration import Declaration, DeclaredHost, DeclaredInstallation
from releaser.errors import ConflictError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_installation import show_installation
from releaser.store import installations


class InstallationExistsError(ConflictError):
    """There is an installation of that name."""


def add_installation(
    ports: Ports, *, installation: DeclaredInstallation, hosts: tuple[DeclaredHost, ...] = (), by: str
) -> Facts:
    """Add it and tell it. A host of `hosts` that is there already gets the address given.

    Raises `InstallationExistsError`, `InvalidDeclarationError` (a customer, product, module or host that is not there, too).
    """
    with ports.database.reading() as session:
        if installations.find(session, installation.name) is not None:
            raise InstallationExistsError(
                f"There is an installation '{installation.name}' already.",
                advice="Change it with `releaser apply`, or choose another name.",
                field="name",
            )
    declaration = Declaration(hosts=hosts, installations=(installation,))
    apply_declaration(ports, declaration=declaration, dry_run=False, prune=False, by=by)
    return show_installation(ports, installation=installation.name)
