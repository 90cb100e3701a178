"""The present state in the form of a declaration: applied again it changes nothing."""

from __future__ import annotations

from releaser.domain.declaration import sparse
from releaser.flows.ports import Facts, Ports
from releaser.store import declared


def export_declaration(ports: Ports) -> Facts:
    """Products, customers, hosts and installations as plain data, without what equals its default.

    Written as YAML (`sources.declaration.to_yaml`) or JSON it is what `apply_declaration` takes.
    """
    with ports.database.reading() as session:
        facts: Facts = sparse(declared.read(session))
    return facts
