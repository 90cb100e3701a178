"""Everything a flow may reach, as one frozen value that `releaser.assembly` makes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from releaser.channels.channel import Channel
from releaser.clock import Clock
from releaser.domain.history import History
from releaser.domain.status_table import StatusTable
from releaser.domain.target import DriverName
from releaser.sources.source import Artifacts, Escape, ImageRegistry, Repositories, TemplateEngine
from releaser.store.session import Database
from releaser.targets.target import Driver
from releaser.targets.watch import NoWatch, Watch

Facts = dict[str, Any]
"""What a flow tells its caller: plain data (dates and instants included), the same for commands, API and pages."""

Progress = Callable[[str, int, int | None], None]
"""`(what, done, total)`; total None while it is not known."""


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Report progress to nobody."""


class NoTemplates:
    """Renders nothing: for a program that was assembled without users' templates."""

    def render(self, template: str, data: Mapping[str, Any], *, name: str, escape: Escape) -> str:  # noqa: ARG002 -- the port
        raise AssertionError(name)

    def check(self, template: str, *, name: str) -> None:  # noqa: ARG002 -- the port
        raise AssertionError(name)


class NoArtifacts:
    """Has nothing: for a program that puts no files on hosts."""

    def resolve(self, address: str) -> str:
        raise AssertionError(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The store, the clock and the outside. `owner` names this process in leases; `address` is the readers' URL.

    `sender` is who notices come from: a mail address, with or without a name. `histories` keeps what was read of
    products' repositories, with the fingerprint it was read at, by the product's row; see `open_history`.
    `status_tables` keeps what was judged on them, likewise; see `judge_tickets`.
    """

    database: Database
    clock: Clock
    repositories: Repositories
    registry: ImageRegistry
    drivers: Mapping[DriverName, Driver]
    channels: Mapping[str, Channel]
    home: Path
    address: str
    owner: str
    wake: Callable[[], None]
    sender: str = "releases@example.com"
    templates: TemplateEngine = field(default_factory=NoTemplates)
    artifacts: Artifacts = field(default_factory=NoArtifacts)
    watch: Watch = field(default_factory=NoWatch)
    histories: dict[int, tuple[str, History]] = field(default_factory=dict)
    status_tables: dict[int, tuple[Hashable, StatusTable]] = field(default_factory=dict)
