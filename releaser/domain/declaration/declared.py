"""What is declared, as data. A name is the identity: another name is another thing.

Rules: every field but the identity has a default, which is what leaving it out means. `plain` writes any of it as data that
JSON and YAML can hold, `sparse` likewise without what equals its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import date, time
from enum import Enum
from typing import Any, TypeAlias

from releaser.domain.changelog.keeping import DEFAULT_KEEPING, ChangelogKeeping
from releaser.domain.gate_policy import NO_GATE_POLICY, GatePolicy
from releaser.domain.line import NOTICE_DAYS, LinePhase, LinePolicy
from releaser.domain.regulation import NO_REGULATION, Regulation, to_mapping
from releaser.domain.spec import AnySpec
from releaser.domain.target import DriverName
from releaser.domain.ticket_patterns import DEFAULT_PATTERN
from releaser.domain.train import DEFAULT_RULES, TrainRules
from releaser.domain.version import Scheme

Place: TypeAlias = tuple[str | int, ...]
"""Where in a declaration: `("installations", 0, "targets", 1, "host")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where it was written; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredModule:
    """A part of a product that is versioned and updated by itself; `image` and `artifact` are templates with `{version}`.

    Containers are made from `image`; `artifact` is an archive or another file that is put on hosts: a path or a URL.
    """

    name: str
    image: str = ""
    artifact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredLine:
    """What is stated of a line; what is left out is the product's, or follows from its releases."""

    name: str
    policy: LinePolicy | None = None
    phase: LinePhase | None = None
    maintained_until_on: date | None = None
    supported_until_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredProduct:
    """Something that is released. The rhythm is `first_train_on` and every `cadence_days` after it, in `zone`, by `trains`.

    `paths` are the folders of the repository that are this product's, none for all of it.
    """

    name: str
    repository: str
    title: str = ""
    branch: str = ""
    line_branch: str = "{line}"
    scheme: Scheme = Scheme.TWO_PART
    tag_format: str = "v{version}"
    ticket_patterns: tuple[str, ...] = (DEFAULT_PATTERN,)
    profile: str = ""
    first_train_on: date | None = None
    cadence_days: int = 14
    zone: str = "UTC"
    trains: TrainRules = DEFAULT_RULES
    line_policy: LinePolicy = LinePolicy.OPEN
    gate: GatePolicy = NO_GATE_POLICY
    maintained_days: int | None = None
    supported_days: int | None = None
    support_notice_days: tuple[int, ...] = NOTICE_DAYS
    modules: tuple[DeclaredModule, ...] = ()
    lines: tuple[DeclaredLine, ...] = ()
    paths: tuple[str, ...] = ()
    changelog: ChangelogKeeping = DEFAULT_KEEPING


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredContact:
    """A person or box at a customer that notices go to; language and zone are the customer's when left out."""

    email: str
    name: str = ""
    role: str = "operations"
    language: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCustomer:
    """Who runs the product, whom to tell there, and what the contract says about planned work."""

    name: str
    title: str = ""
    language: str = "en"
    zone: str = "UTC"
    regulation: Regulation = NO_REGULATION
    contacts: tuple[DeclaredContact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredHost:
    """A machine; `address` is its container engine's URL (`unix://`, `tcp://`, `ssh://`), or how its files are reached: `ssh://`, `local://`.

    `host_class` names the machines whose cutovers are alike, such as `small-vm`; left out, those reached in the same way.
    """

    name: str
    address: str
    host_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTarget:
    """One module of the installation on one host: which driver updates it, and what it is made from."""

    module: str
    host: str
    spec: AnySpec
    driver: DriverName = DriverName.DOCKER

    @property
    def name(self) -> str:
        """The identity: `module@host`."""
        return f"{self.module}@{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredInstallation:
    """One running copy of a product at a customer."""

    name: str
    customer: str
    product: str
    title: str = ""
    ring: str = ""
    delivery: str = "cloud"
    labels: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[DeclaredTarget, ...] = ()


DeclaredObject: TypeAlias = DeclaredProduct | DeclaredCustomer | DeclaredHost | DeclaredInstallation


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What shall be. `origins` tell where each place was written, where it was written in a file."""

    products: tuple[DeclaredProduct, ...] = ()
    customers: tuple[DeclaredCustomer, ...] = ()
    hosts: tuple[DeclaredHost, ...] = ()
    installations: tuple[DeclaredInstallation, ...] = ()
    origins: Mapping[Place, Origin] = field(default_factory=dict, compare=False, repr=False)

    def origin(self, place: Place) -> Origin | None:
        """Where the place, or the nearest one around it, was written."""
        return next((self.origins[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.origins), None)


def plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a declaration holds
    """The same as dicts, lists, texts, numbers and dates."""
    return _plain(value, sparse=False)


def sparse(value: Any) -> Any:  # noqa: ANN401 -- whatever a declaration holds
    """The same without what equals its default, as a person would write it."""
    return _plain(value, sparse=True)


def _plain(value: Any, *, sparse: bool) -> Any:  # noqa: ANN401 -- whatever a declaration holds
    if isinstance(value, Regulation):
        return to_mapping(value)
    if is_dataclass(value) and not isinstance(value, type):
        shown = [one for one in fields(value) if one.compare and not (sparse and _is_default(value, one))]
        return {one.name: _plain(getattr(value, one.name), sparse=sparse) for one in shown}
    if isinstance(value, Mapping):
        return {key: _plain(item, sparse=sparse) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item, sparse=sparse) for item in value]
    if isinstance(value, time):
        return value.isoformat(timespec="minutes")
    return value.value if isinstance(value, Enum) else value


def _is_default(value: object, one: Field[Any]) -> bool:
    given = getattr(value, one.name)
    if one.default is not MISSING:
        return bool(given == one.default)
    return one.default_factory is not MISSING and bool(given == one.default_factory())
