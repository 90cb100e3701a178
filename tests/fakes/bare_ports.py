"""Ports with a store and a clock, and nobody outside: for flows that only keep and tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from releaser.flows.ports import Ports
from releaser.sources.template import TemplateProcess
from releaser.store.session import Database
from tests.fakes.clock import FakeClock


class Nobody:
    """A port that must not be used."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- it has nothing
        raise AssertionError(name)


class UnreadRepositories(Nobody):
    """Repositories that are named, and never read."""

    def check(self, address: str) -> None:
        """Whatever is named is believed."""


def bare_ports(database: Database, home: Path, **given: Any) -> Ports:  # noqa: ANN401 -- fields of Ports
    """Ports over `database`; `given` replaces what a test needs besides."""
    ports: dict[str, Any] = {
        "database": database,
        "clock": FakeClock(),
        "repositories": UnreadRepositories(),
        "registry": Nobody(),
        "drivers": {},
        "channels": {},
        "home": home,
        "address": "http://127.0.0.1:8080",
        "owner": "test",
        "wake": lambda: None,
        "templates": TemplateProcess(),
    }
    return Ports(**{**ports, **given})
