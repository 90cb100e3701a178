"""Hosts as they stand."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import installations


def list_hosts(ports: Ports) -> list[Facts]:
    """Every host by name, with its engine's address."""
    with ports.database.reading() as session:
        return [{"name": row.name, "address": row.address} for row in installations.hosts(session)]
