"""Whether a declaration makes sense: names, references, and what two targets of one host cannot share.

Rules: everything that is wrong is told at once, each with its place, what is wrong and what would be right. Lengths are
those of the store's columns, so that every database takes what is accepted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from releaser.domain.calendar import zone_named
from releaser.domain.changelog.keeping import is_path, keeping_faults
from releaser.domain.declaration.declared import (
    Declaration,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredLine,
    DeclaredModule,
    DeclaredProduct,
    DeclaredTarget,
    Origin,
    Place,
)
from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.declaration.train_rules import LONGEST_ADDRESS, MAIL_ADDRESS, train_faults
from releaser.domain.line import MOST_DAYS, checked_support
from releaser.domain.regulation import checked
from releaser.domain.spec import ComposeSpec, ContainerSpec, FilesSpec, TargetSpec
from releaser.domain.target import DriverName
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat, line_named
from releaser.errors import InvalidError

Fault = tuple[Place, str, str]
"""Where inside the object, what is wrong, what would be right."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/+ -]*[A-Za-z0-9])?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")
_ENGINE = re.compile(
    r"unix:///[^\s\x00?]+|local://|tcp://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}"
    r"(?:\?tls=/[^\s\x00?&]+|\?ca=/[^\s\x00?&]+&cert=/[^\s\x00?&]+&key=/[^\s\x00?&]+)?"
    r"|ssh://(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
    r"(?:/[^\s\x00?#:'\"]*)?"
)
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9-]+[.:][A-Za-z0-9.:-]+|localhost|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/[a-z0-9][A-Za-z0-9._/:-]*"
)
_ARTIFACT = re.compile(r"(?:https://[^\s/@{}]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?|file://)?/[^\s{}]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTHS = {"name": 80, "title": 200, "branch": 200, "line_branch": 200, "profile": 80, "role": 40, "ring": 40}
_LENGTHS |= {"delivery": 40, "host_class": 40, "repository": 2000, "image": 500, "artifact": 2000, "address": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a declaration."""

    place: Place
    detail: str
    advice: str
    origin: Origin | None = None

    @property
    def field(self) -> str:
        """The place as text: `installations[0].targets[1].host`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")

    def __str__(self) -> str:
        where = " ".join(str(part) for part in (self.origin, self.field) if part)
        return f"{where}: {self.detail}" if where else self.detail


class InvalidDeclarationError(InvalidError):
    """What is declared makes no sense; `problems` tells each place, what is wrong and what would be right."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Tell one problem as it is, several in lines of their own."""
        ordered = sorted(problems, key=lambda p: (p.origin.file, p.origin.line, p.origin.column) if p.origin else ("",))
        first = ordered[0]
        one = len(ordered) == 1
        super().__init__(
            str(first) if one else "\n".join(f"{problem} {problem.advice}".strip() for problem in ordered[:50]),
            advice=first.advice if one else "",
            field=first.field or None,
            problems=[
                {
                    "file": p.origin.file if p.origin else None,
                    "line": p.origin.line if p.origin else None,
                    "column": p.origin.column if p.origin else None,
                    "field": p.field,
                    "detail": p.detail,
                    "advice": p.advice,
                }
                for p in ordered
            ],
        )


def check(declaration: Declaration, *, known: Declaration | None = None) -> list[Problem]:
    """Everything wrong with the declaration, seen beside what is `known` already and stays as it is."""
    known = known or Declaration()
    faults = [
        *_each(declaration, "products", _product),
        *_each(declaration, "customers", _customer),
        *_each(declaration, "hosts", _host),
        *_each(declaration, "installations", _installation),
        *_references(declaration, known),
        *_collisions(declaration, known),
    ]
    return [
        Problem(place=place, detail=detail, advice=advice, origin=declaration.origin(place))
        for place, detail, advice in faults
    ]


def _each(declaration: Declaration, group: str, rule: Callable[[Any], Iterator[Fault]]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, item in enumerate(getattr(declaration, group)):
        for place, detail, advice in (*_name(item.name), *_lengths(item), *rule(item)):
            yield (group, index, *place), detail, advice
        if item.name in seen:
            first = declaration.origin((group, seen[item.name])) or f"{group}[{seen[item.name]}]"
            yield (group, index, "name"), f"'{item.name}' is declared twice, first in {first}.", "Keep one of them."
        seen.setdefault(item.name, index)


def _name(name: str, key: str = "name") -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        yield (key,), f"'{name[:80]}' is no name.", "Use lower-case letters, digits and '-', such as acme-shop."


def _lengths(item: object, place: Place = ()) -> Iterator[Fault]:
    """Texts that no column holds, in the object and in those inside."""
    for one in fields(item) if is_dataclass(item) else ():
        value = getattr(item, one.name)
        if isinstance(value, str):
            most = _LENGTHS.get(one.name, 4000)
            if len(value) > most:
                yield (*place, one.name), f"The text has {len(value)} characters; {most} are the most.", "Shorten it."
            if _CONTROL.search(value) or _is_broken(value):
                yield (*place, one.name), "The text has characters that cannot be shown.", "Remove them."
        elif isinstance(value, tuple):
            for index, inner in enumerate(value):
                yield from _lengths(inner, (*place, one.name, index))


def _is_broken(text: str) -> bool:
    """Whether it has halves of characters, which is how Python keeps bytes that are no text."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    return not list(_zone(name))


def _zone(zone: str, *place: str | int) -> Iterator[Fault]:
    try:
        zone_named(zone)
    except InvalidError as error:
        yield place, error.detail, error.advice


def _language(language: str, *place: str | int) -> Iterator[Fault]:
    if not _LANGUAGE.fullmatch(language):
        yield place, f"'{language[:20]}' is no language.", "Use a code such as en or ru."


def _product(product: DeclaredProduct) -> Iterator[Fault]:
    if not product.repository.strip():
        yield ("repository",), "The product has no repository.", "Name its git repository: a URL or an absolute path."
    elif product.repository.startswith("-"):
        yield ("repository",), "A repository's address cannot begin with '-'.", "Give a URL or an absolute path."
    yield from _zone(product.zone, "zone")
    if product.line_branch.count("{line}") != 1:
        yield (
            ("line_branch",),
            f"'{product.line_branch[:80]}' does not have {{line}} once.",
            "Write it like {line} or release/{line}.",
        )
    try:
        TagFormat(scheme=product.scheme, text=product.tag_format)
    except InvalidError as error:
        yield ("tag_format",), error.detail, error.advice
    for index, pattern in enumerate(product.ticket_patterns):
        try:
            TicketPatterns((pattern,))
        except InvalidError as error:
            yield ("ticket_patterns", index), error.detail, error.advice
    yield from _changelog(product)
    yield from _modules(product)
    yield from train_faults(product)
    yield from _support(product)
    yield from _lines(product)


def _changelog(product: DeclaredProduct) -> Iterator[Fault]:
    for index, path in enumerate(product.paths):
        if not is_path(path):
            yield ("paths", index), f"'{path[:80]}' is no path inside a repository.", "Write it like services/shop."
    for place, detail, advice in keeping_faults(product.changelog):
        yield ("changelog", *place), detail, advice


def _support(product: DeclaredProduct) -> Iterator[Fault]:
    for name in ("maintained_days", "supported_days"):
        days = getattr(product, name)
        if days is not None and not 1 <= days <= MOST_DAYS:
            yield (
                (name,),
                f"{days} days are no length of support.",
                f"Use 1 to {MOST_DAYS}, or leave it out for no end.",
            )
    if product.maintained_days and product.supported_days and product.maintained_days > product.supported_days:
        yield (
            ("maintained_days",),
            f"A line would be maintained for {product.maintained_days} days, and supported for {product.supported_days} only.",
            "Use at most as many days as it is supported.",
        )
    for index, days in enumerate(product.support_notice_days):
        if not 1 <= days <= MOST_DAYS:
            yield ("support_notice_days", index), f"{days} is no number of days before the end.", "Use for instance 30."
        if days in product.support_notice_days[:index]:
            yield ("support_notice_days", index), f"{days} is there twice.", "Keep one of them."


def _lines(product: DeclaredProduct) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, line in enumerate(product.lines):
        try:
            named = line_named(line.name, scheme=product.scheme)
        except InvalidError as error:
            yield ("lines", index, "name"), error.detail, error.advice
            continue
        if named != line.name:
            yield ("lines", index, "name"), f"Line '{line.name}' is written {named}.", f"Write {named}."
        if named in seen:
            yield ("lines", index, "name"), f"Line '{named}' is there twice.", "Keep one of them."
        seen.add(named)
        if line == DeclaredLine(name=line.name):
            yield (
                ("lines", index),
                f"Nothing is stated of line '{named}'.",
                "Give a policy, a phase or a date, or leave it out.",
            )
        try:
            checked_support(maintained_until_on=line.maintained_until_on, supported_until_on=line.supported_until_on)
        except InvalidError as error:
            yield ("lines", index, "maintained_until_on"), error.detail, error.advice


def _modules(product: DeclaredProduct) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, module in enumerate(product.modules):
        if module.name in seen:
            yield ("modules", index, "name"), f"Module '{module.name}' is there twice.", "Keep one of them."
        seen.add(module.name)
        for place, detail, advice in _module(module):
            yield ("modules", index, *place), detail, advice


def _module(module: DeclaredModule) -> Iterator[Fault]:
    yield from _name(module.name)
    image = module.image
    if image and (image.count("{version}") != 1 or not _IMAGE.fullmatch(image.replace("{version}", "1.0"))):
        yield (
            ("image",),
            f"'{image[:120]}' is no image template.",
            "Name the registry and the tag, such as registry.example.com/shop/web:{version}.",
        )
    artifact = module.artifact
    if artifact and ("{version}" not in artifact or not _ARTIFACT.fullmatch(artifact.replace("{version}", "1.0"))):
        yield (
            ("artifact",),
            f"'{artifact[:120]}' is no artifact template.",
            "Write an absolute path or a URL, such as https://files.example.com/shop-{version}.tar.gz.",
        )


def _customer(customer: DeclaredCustomer) -> Iterator[Fault]:
    yield from _zone(customer.zone, "zone")
    yield from _language(customer.language, "language")
    try:
        checked(customer.regulation)
    except InvalidError as error:
        yield ("regulation", "country"), error.detail, error.advice
    seen: set[str] = set()
    for index, contact in enumerate(customer.contacts):
        at = ("contacts", index)
        if not MAIL_ADDRESS.fullmatch(contact.email) or len(contact.email) > LONGEST_ADDRESS:
            yield (*at, "email"), f"'{contact.email[:80]}' is no mail address.", "Write it like ops@example.com."
        if contact.email in seen:
            yield (*at, "email"), f"'{contact.email}' is there twice.", "Keep one of them."
        seen.add(contact.email)
        if contact.language:
            yield from _language(contact.language, *at, "language")
        if contact.zone:
            yield from _zone(contact.zone, *at, "zone")


def _host(host: DeclaredHost) -> Iterator[Fault]:
    if not _ENGINE.fullmatch(host.address):
        yield (
            ("address",),
            f"'{host.address[:120]}' is no address of a host.",
            "Write it like unix:///var/run/docker.sock, tcp://10.0.0.5:2376?tls=/folder, ssh://user@host or local://.",
        )
    if host.host_class and not _NAME.fullmatch(host.host_class):
        yield ("host_class",), f"'{host.host_class[:60]}' is no host class.", "Use a name such as small-vm."


def _installation(installation: DeclaredInstallation) -> Iterator[Fault]:
    words = (("ring", installation.ring), ("delivery", installation.delivery))
    for key, value in (*words, *((f"labels.{name}", text) for name, text in installation.labels.items())):
        if value and not _WORD.fullmatch(value):
            yield tuple(key.split(".")), f"'{value[:80]}' cannot be selected by.", "Use letters, digits and . _ - / +."
    for name in installation.labels:
        if not _WORD.fullmatch(name) or len(name) > 80:
            yield ("labels", name), f"'{name[:80]}' is no label.", "Use letters, digits and . _ - / +."
    if not installation.delivery:
        yield ("delivery",), "The delivery is empty.", "Use cloud, or a word of your own such as server."
    seen: set[str] = set()
    for index, target in enumerate(installation.targets):
        if target.name in seen:
            yield (
                ("targets", index),
                f"Module '{target.module}' is there twice on host '{target.host}'.",
                "Keep one of them, or use another host.",
            )
        seen.add(target.name)
        if target.spec.kind != target.driver:
            yield (
                ("targets", index, "driver"),
                f"The specification is one for the driver '{target.spec.kind}', not for '{target.driver}'.",
                "Write the specification that the driver needs.",
            )
        for place, detail, advice in spec_faults(target.spec):
            yield ("targets", index, "spec", *place), detail, advice


def _references(declaration: Declaration, known: Declaration) -> Iterator[Fault]:
    customers = {one.name for one in (*known.customers, *declaration.customers)}
    hosts = {one.name: one.address for one in (*known.hosts, *declaration.hosts)}
    modules = {one.name: [m.name for m in one.modules] for one in (*known.products, *declaration.products)}
    for index, one in enumerate(declaration.installations):
        at: Place = ("installations", index)
        yield from _known("customer", one.customer, customers, (*at, "customer"))
        yield from _known("product", one.product, modules, (*at, "product"))
        for number, target in enumerate(one.targets):
            yield from _known("host", target.host, hosts, (*at, "targets", number, "host"))
            yield from _fitting(target, hosts.get(target.host, ""), (*at, "targets", number, "host"))
            if one.product in modules and target.module not in modules[one.product]:
                yield (
                    (*at, "targets", number, "module"),
                    f"Product '{one.product}' has no module '{target.module[:80]}'.",
                    f"It has: {', '.join(modules[one.product]) or 'none; declare one'}.",
                )


def _fitting(target: DeclaredTarget, address: str, place: Place) -> Iterator[Fault]:
    """A host is reached in the way that the driver speaks."""
    if target.driver in {DriverName.FILES, DriverName.COMPOSE} and address.startswith(("unix:", "tcp:")):
        yield (
            place,
            f"Host '{target.host}' is a container engine's ({address[:80]}), and the target is updated by {target.driver.value}.",
            "Declare a host with the address ssh://user@host or local://.",
        )
    elif target.driver in {DriverName.DOCKER, DriverName.SWARM} and address == "local://":
        yield (
            place,
            f"Host '{target.host}' is this machine's files, and the target is updated by {target.driver.value}.",
            "Declare a host with its engine's address, such as unix:///var/run/docker.sock.",
        )


def _known(noun: str, name: str, names: Iterable[str], place: Place) -> Iterator[Fault]:
    if name not in names:
        shown = ", ".join(sorted(names)[:5])
        yield place, f"There is no {noun} '{name[:80]}'.", f"Known: {shown}." if shown else f"Declare it under {noun}s."


def _collisions(declaration: Declaration, known: Declaration) -> Iterator[Fault]:
    """Two targets of one host cannot have one name, publish one port or write into one place."""
    names: dict[tuple[str, str], str] = {}
    ports: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
    paths: dict[tuple[str, str], str] = {}
    for index, one in (*((None, one) for one in known.installations), *enumerate(declaration.installations)):
        for number, target in enumerate(one.targets):
            me, spec = f"{one.name}/{target.name}", target.spec
            faults: list[tuple[Place, str]] = []
            if (holder := names.setdefault((target.host, spec.name), me)) != me:
                faults.append((("name",), f"Name '{spec.name}' is taken on host '{target.host}' by {holder}."))
            for place, path in _places(spec):
                if (writer := paths.setdefault((target.host, path), me)) != me:
                    faults.append((place, f"'{path[:80]}' is taken on host '{target.host}' by {writer}."))
            for at, port in enumerate(spec.ports if isinstance(spec, ContainerSpec) else ()):
                held = ports.setdefault((target.host, port.host_port, port.protocol), [])
                if port.host_port and (other := _overlapping(port.host_ip, held)):
                    faults.append(
                        (("ports", at), f"Port {port.host_port} is taken on host '{target.host}' by {other}.")
                    )
                held.append((port.host_ip, me))
            for inner, detail in faults if index is not None else ():
                yield ("installations", index or 0, "targets", number, "spec", *inner), detail, "Choose another one."


def _places(spec: TargetSpec) -> Iterator[tuple[Place, str]]:
    """What a target writes that no other may write."""
    if isinstance(spec, FilesSpec):
        yield ("root",), spec.root
        for index, file in enumerate(spec.configuration):
            yield ("configuration", index, "path"), file.path
    if isinstance(spec, ComposeSpec):
        yield ("service",), f"{spec.folder}/releaser.{spec.service}.yaml"


def _overlapping(address: str, held: Iterable[tuple[str, str]]) -> str | None:
    """Who publishes the same port where `address` would."""
    everywhere = {"", "0.0.0.0", "::"}  # nosec B104  # noqa: S104 -- compared with, not listened on
    return next((who for ip, who in held if ip == address or ip in everywhere or address in everywhere), None)
