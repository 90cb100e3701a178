"""Declared state <-> rows, and who changed it when.

`read` tells what the rows say as a declaration, `write` makes the rows say what a declaration does. Rules: a row that anything
else refers to is never removed, so history stays; `holders` names what does. Only values that are declared are touched:
what runs on a target, what was collected of a product and the like stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, String, Table, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.declaration import (
    Action,
    Change,
    Declaration,
    DeclaredContact,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredLine,
    DeclaredModule,
    DeclaredObject,
    DeclaredProduct,
    DeclaredTarget,
    Noun,
)
from releaser.domain.gate_policy import gate_from_mapping, gate_to_mapping
from releaser.domain.regulation import from_mapping, to_mapping
from releaser.domain.train import TrainRules
from releaser.store import customers, installations, lines, products
from releaser.store.base import Base
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.plain import dump, load, load_spec
from releaser.store.products import Module, Product


class DeclaredChange(Base):
    """What an apply changed of one object: field by field, when and by whom. Never changed itself."""

    __tablename__ = "declared_changes"
    __table_args__ = (Index("ix_declared_changes_noun_name", "noun", "name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    noun: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    fields: Mapped[list[dict[str, Any]]]


TABLES: dict[Noun, type[Product | Customer | Host | Installation]] = {
    Noun.PRODUCT: Product,
    Noun.CUSTOMER: Customer,
    Noun.HOST: Host,
    Noun.INSTALLATION: Installation,
}
_REMOVED_IN_ORDER = ("targets", "installations", "lines", "modules", "contacts", "hosts", "customers", "products")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A row that is to go: its table, its name for people and its id."""

    table: str
    label: str
    row_id: int


_PRODUCT = (
    "repository",
    "title",
    "branch",
    "line_branch",
    "scheme",
    "tag_format",
    "profile",
    "first_train_on",
    "cadence_days",
    "zone",
    "line_policy",
    "maintained_days",
    "supported_days",
)
_LINE = ("policy", "phase", "maintained_until_on", "supported_until_on")


def read(session: Session) -> Declaration:
    """What the rows say, by name."""
    return Declaration(
        products=tuple(_product(session, row) for row in products.everything(session)),
        customers=tuple(_customer(row) for row in customers.everyone(session)),
        hosts=tuple(
            DeclaredHost(name=row.name, address=row.address, host_class=row.host_class)
            for row in installations.hosts(session)
        ),
        installations=tuple(_installation(row) for row in installations.everything(session)),
    )


def _product(session: Session, row: Product) -> DeclaredProduct:
    stated = lines.stated(session, row)
    return DeclaredProduct(
        name=row.name,
        ticket_patterns=tuple(row.ticket_patterns),
        trains=load(TrainRules, row.trains),
        gate=gate_from_mapping(row.gate),
        support_notice_days=tuple(row.support_notice_days),
        paths=tuple(row.paths),
        changelog=load(ChangelogKeeping, row.changelog),
        lines=tuple(DeclaredLine(name=one.name, **{key: getattr(one, key) for key in _LINE}) for one in stated),
        modules=tuple(DeclaredModule(name=m.name, image=m.image, artifact=m.artifact) for m in row.modules),
        **{name: getattr(row, name) for name in _PRODUCT},
    )


def _customer(row: Customer) -> DeclaredCustomer:
    contacts = [
        DeclaredContact(email=c.email, name=c.name, role=c.role, language=c.language, zone=c.zone) for c in row.contacts
    ]
    return DeclaredCustomer(
        name=row.name,
        title=row.title,
        language=row.language,
        zone=row.zone,
        regulation=from_mapping(row.regulation, zone=row.zone),
        contacts=tuple(contacts),
    )


def _installation(row: Installation) -> DeclaredInstallation:
    targets = [
        DeclaredTarget(module=t.module.name, host=t.host.name, driver=t.driver, spec=load_spec(t.spec))
        for t in row.targets
    ]
    return DeclaredInstallation(
        name=row.name,
        title=row.title,
        customer=row.customer.name,
        product=row.product.name,
        ring=row.ring,
        delivery=row.delivery,
        labels=row.labels,
        targets=tuple(sorted(targets, key=lambda target: target.name)),
    )


def write(
    session: Session, wanted: Declaration, changes: Sequence[Change], gone: Sequence[Gone], *, now: datetime, by: str
) -> None:
    """Carry out `changes`, which lead to `wanted`, and remove what is `gone`, which has no holders."""
    writing = _Writing(session, now)
    for noun in Noun:
        objects = {one.name: one for one in noun.of(wanted)}
        for change in changes:
            if change.noun is noun and change.action is not Action.REMOVED:
                writing.write(objects[change.name])
        session.flush()
    for table in _REMOVED_IN_ORDER:
        rows = Base.metadata.tables[table]
        for some in _some([one.row_id for one in gone if one.table == table]):
            session.execute(delete(rows).where(rows.c.id.in_(some)))
    session.add_all(
        DeclaredChange(at=now, by=by, noun=c.noun, name=c.name, action=c.action, fields=_kept(c)) for c in changes
    )
    session.flush()
    session.expire_all()


def _kept(change: Change) -> list[dict[str, Any]]:
    """A change's fields as JSON can hold them."""
    return [{"field": f.field, "old": _as_json(f.old), "new": _as_json(f.new)} for f in change.fields]


def remember_change(
    session: Session,
    product: str,
    fields: Sequence[tuple[str, Any, Any]],
    *,
    now: datetime,
    by: str,
    action: Action = Action.CHANGED,
) -> None:
    """Remember a change of a declared product that was not applied from a declaration, as `(field, old, new)`."""
    told = [{"field": field, "old": _as_json(old), "new": _as_json(new)} for field, old, new in fields]
    session.add(DeclaredChange(at=now, by=by, noun=Noun.PRODUCT, name=product, action=action, fields=told))


def _as_json(value: Any) -> Any:  # noqa: ANN401 -- a field's value
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    if isinstance(value, dict):
        return {key: _as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


class _Writing:
    """Writes declared objects into rows; every row is read once, whatever the number of objects."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self._products = {row.name: row for row in products.everything(session)}
        self._customers = {row.name: row for row in customers.everyone(session)}
        self._hosts = {row.name: row for row in installations.hosts(session)}
        self._installations = {row.name: row for row in installations.everything(session)}

    def write(self, wanted: DeclaredObject) -> None:
        """Make the object's row say what is wanted, with all that is inside."""
        with self._session.no_autoflush:
            if isinstance(wanted, DeclaredProduct):
                self._product(wanted)
            elif isinstance(wanted, DeclaredCustomer):
                self._customer(wanted)
            elif isinstance(wanted, DeclaredHost):
                self._host(wanted)
            else:
                self._installation(wanted)

    def _product(self, wanted: DeclaredProduct) -> None:
        row = self._products.get(wanted.name)
        if row is None:
            row = self._products[wanted.name] = Product(name=wanted.name, created_at=self._now, modules=[])
            self._session.add(row)
        for name in _PRODUCT:
            setattr(row, name, getattr(wanted, name))
        row.ticket_patterns = list(wanted.ticket_patterns)
        row.paths, row.changelog = list(wanted.paths), dump(wanted.changelog)
        row.trains = dump(wanted.trains)
        row.gate = gate_to_mapping(wanted.gate)
        row.support_notice_days = list(wanted.support_notice_days)
        there = {module.name: module for module in row.modules}
        for module in wanted.modules:
            if module.name in there:
                there[module.name].image, there[module.name].artifact = module.image, module.artifact
            else:
                row.modules.append(Module(name=module.name, image=module.image, artifact=module.artifact))
        self._lines(row, wanted)

    def _lines(self, row: Product, wanted: DeclaredProduct) -> None:
        """What is stated of lines; of the others nothing is stated any more. A line itself stays: releases are on it."""
        self._session.flush()
        stated = {one.name: one for one in wanted.lines}
        for name in {*stated, *(one.name for one in lines.stated(self._session, row))}:
            line = lines.row(self._session, row, name)
            for key in _LINE:
                setattr(line, key, getattr(stated[name], key) if name in stated else None)

    def _customer(self, wanted: DeclaredCustomer) -> None:
        row = self._customers.get(wanted.name)
        if row is None:
            row = self._customers[wanted.name] = Customer(name=wanted.name, contacts=[])
            self._session.add(row)
        row.title, row.language, row.zone = wanted.title, wanted.language, wanted.zone
        row.regulation = to_mapping(wanted.regulation)
        there = {contact.email: contact for contact in row.contacts}
        row.contacts = [_contact(there.get(one.email) or Contact(email=one.email), one) for one in wanted.contacts]

    def _host(self, wanted: DeclaredHost) -> None:
        row = self._hosts.get(wanted.name)
        if row is None:
            row = self._hosts[wanted.name] = Host(name=wanted.name)
            self._session.add(row)
        row.address, row.host_class = wanted.address, wanted.host_class

    def _installation(self, wanted: DeclaredInstallation) -> None:
        row = self._installations.get(wanted.name)
        if row is None:
            row = self._installations[wanted.name] = Installation(name=wanted.name, targets=[])
            self._session.add(row)
        row.product, row.customer = self._products[wanted.product], self._customers[wanted.customer]
        row.title, row.ring, row.delivery = wanted.title, wanted.ring, wanted.delivery
        row.labels = dict(wanted.labels)
        there = {_target_name(target): target for target in row.targets}
        for target in wanted.targets:
            old = there.get(target.name)
            if old is None:
                old = Target(host=self._hosts[target.host])
                row.targets.append(old)
            old.module = products.module(row.product, target.module)
            old.driver, old.spec = target.driver, dump(target.spec)


def _contact(row: Contact, wanted: DeclaredContact) -> Contact:
    row.name, row.role, row.language, row.zone = wanted.name, wanted.role, wanted.language, wanted.zone
    return row


def holders(session: Session, gone: Sequence[Gone], *, tables: Sequence[Table]) -> list[tuple[Gone, dict[str, int]]]:
    """Which rows others refer to that are not to go themselves, and how many rows of which of `tables` those are."""
    going = {(one.table, one.row_id): one for one in gone}
    found: dict[Gone, Counter[str]] = {}
    for table in tables:
        for column in table.c:
            for held in {key.column.table.name for key in column.foreign_keys} & set(_REMOVED_IN_ORDER):
                ids = [one.row_id for one in gone if one.table == held]
                for row_id, count in _referring(session, table, column, ids, going):
                    found.setdefault(going[held, row_id], Counter())[table.name] += count
    return [(one, dict(found[one])) for one in gone if one in found]


def _referring(
    session: Session, table: Table, column: Column[Any], ids: Sequence[int], going: Mapping[tuple[str, int], Gone]
) -> Iterator[tuple[int, int]]:
    """How many rows refer to each of the rows with these ids by that column, those that are to go left out."""
    for some in _some(ids):
        if table.name not in _REMOVED_IN_ORDER:
            for row_id, count in session.execute(select(column, func.count()).where(column.in_(some)).group_by(column)):
                yield row_id, count
            continue
        for row_id, referring in session.execute(select(column, table.c.id).where(column.in_(some))):
            if (table.name, referring) not in going:
                yield row_id, 1


def _some(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as any database takes in one statement."""
    for start in range(0, len(ids), 500):
        yield ids[start : start + 500]


def gone(session: Session, wanted: Declaration) -> list[Gone]:
    """Every row that `wanted` has no more: objects, and modules, contacts and targets inside."""
    found = []
    for noun in Noun:
        kind, stays = TABLES[noun], {one.name for one in noun.of(wanted)}
        found += [
            Gone(table=kind.__tablename__, label=f"{noun.value} '{name}'", row_id=row_id)
            for row_id, name in session.execute(select(kind.id, kind.name).order_by(kind.name))
            if name not in stays
        ]
    modules = {(one.name, module.name) for one in wanted.products for module in one.modules}
    targets = {(one.name, target.name) for one in wanted.installations for target in one.targets}
    people = {one.name for one in wanted.customers}
    found += [
        Gone(table="modules", label=f"module '{product.name}/{module.name}'", row_id=module.id)
        for product in products.everything(session)
        for module in product.modules
        if (product.name, module.name) not in modules
    ]
    found += [
        Gone(table="targets", label=f"target '{row.name}/{_target_name(target)}'", row_id=target.id)
        for row in installations.everything(session)
        for target in row.targets
        if (row.name, _target_name(target)) not in targets
    ]
    # What is stated of lines goes with the product; of one that stays it is taken back when that is written.
    kept = {one.name for one in wanted.products}
    found += [
        Gone(table="lines", label=f"line '{product.name}/{line.name}'", row_id=line.id)
        for product in products.everything(session)
        if product.name not in kept
        for line in products.lines(session, product.id)
    ]
    # Contacts of customers that stay are written with them.
    found += [
        Gone(table="contacts", label=f"contact '{contact.email}'", row_id=contact.id)
        for customer in customers.everyone(session)
        for contact in customer.contacts
        if customer.name not in people
    ]
    return found


def _target_name(row: Target) -> str:
    """As `DeclaredTarget.name`."""
    return f"{row.module.name}@{row.host.name}"
