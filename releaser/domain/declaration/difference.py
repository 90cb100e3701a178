"""What one declaration has that another has not: objects created, changed and removed, field by field.

Rules: objects are matched by name, modules, contacts and targets by theirs inside; the order in which things are written
means nothing, except where a list is a value (networks, commands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from releaser.domain.declaration.declared import (
    Declaration,
    DeclaredInstallation,
    DeclaredLine,
    DeclaredModule,
    DeclaredObject,
    DeclaredProduct,
    DeclaredTarget,
    plain,
    sparse,
)


class Noun(StrEnum):
    """What kinds of objects are declared; what comes later may refer to what comes before."""

    PRODUCT = "product"
    CUSTOMER = "customer"
    HOST = "host"
    INSTALLATION = "installation"

    @property
    def group(self) -> str:
        """The field of `Declaration` that holds them."""
        return f"{self.value}s"

    def of(self, declaration: Declaration) -> tuple[DeclaredObject, ...]:
        """All of them in a declaration."""
        found: tuple[DeclaredObject, ...] = getattr(declaration, self.group)
        return found


class Action(StrEnum):
    """What happens to an object."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field before and after; None is not there. Inner objects are named: `modules.web.image`."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object's change."""

    noun: Noun
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The change as plain data."""
        return {
            "noun": self.noun.value,
            "name": self.name,
            "action": self.action.value,
            "fields": [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields],
        }


def differences(before: Declaration, after: Declaration) -> tuple[Change, ...]:
    """What it takes to come from one to the other, by noun and name."""
    return tuple(change for noun in Noun for change in _of_noun(noun, before, after))


def _of_noun(noun: Noun, before: Declaration, after: Declaration) -> Iterator[Change]:
    was, will = ({one.name: one for one in noun.of(side)} for side in (before, after))
    for name in sorted(was.keys() | will.keys()):
        if name not in was:
            yield Change(noun=noun, name=name, action=Action.CREATED, fields=_fields({}, _named(sparse(will[name]))))
        elif name not in will:
            yield Change(noun=noun, name=name, action=Action.REMOVED)
        elif was[name] != will[name] and (changed := _fields(_named(plain(was[name])), _named(plain(will[name])))):
            yield Change(noun=noun, name=name, action=Action.CHANGED, fields=changed)


# Lists of inner objects, and what names one.
_INNER = {"modules": "{name}", "lines": "{name}", "contacts": "{email}", "targets": "{module}@{host}"}


def _named(data: Mapping[str, Any]) -> dict[str, Any]:
    """Inner objects by their names, so that order means nothing."""
    return {
        key: {_INNER[key].format_map(one): one for one in value} if key in _INNER else value
        for key, value in data.items()
        if key != "name"
    }


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> tuple[FieldChange, ...]:
    found: list[FieldChange] = []
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found.extend(_fields(before, after, f"{prefix}{key}."))
        else:
            found.append(FieldChange(field=f"{prefix}{key}", old=before, new=after))
    return tuple(found)


def kept(declaration: Declaration, current: Declaration) -> Declaration:
    """The declaration with everything of `current` that it leaves out, after what it names itself."""
    products = {one.name: one for one in current.products}
    installations = {one.name: one for one in current.installations}
    return Declaration(
        products=_with_rest(
            [_with_parts(one, products.get(one.name)) for one in declaration.products], current.products
        ),
        customers=_with_rest(declaration.customers, current.customers),
        hosts=_with_rest(declaration.hosts, current.hosts),
        installations=_with_rest(
            [_with_targets(one, installations.get(one.name)) for one in declaration.installations],
            current.installations,
        ),
        origins=declaration.origins,
    )


def left_out(declaration: Declaration, current: Declaration) -> list[dict[str, str]]:
    """What `current` has and the declaration does not name, as `{noun, name}`."""
    found = [
        {"noun": noun.value, "name": one.name} for noun in Noun for one in _rest(noun.of(declaration), noun.of(current))
    ]
    known = {one.name: one for one in current.products}
    for product in declaration.products:
        rest = _rest(product.modules, known[product.name].modules) if product.name in known else ()
        found.extend({"noun": "module", "name": f"{product.name}/{one.name}"} for one in rest)
        unsaid = _rest(product.lines, known[product.name].lines) if product.name in known else ()
        found.extend({"noun": "line", "name": f"{product.name}/{one.name}"} for one in unsaid)
    here = {one.name: one for one in current.installations}
    for installation in declaration.installations:
        left = _rest(installation.targets, here[installation.name].targets) if installation.name in here else ()
        found.extend({"noun": "target", "name": f"{installation.name}/{one.name}"} for one in left)
    return found


Named = TypeVar("Named", bound=DeclaredObject | DeclaredModule | DeclaredLine | DeclaredTarget)


def _rest(given: Iterable[Named], current: Iterable[Named]) -> tuple[Named, ...]:
    names = {one.name for one in given}
    return tuple(one for one in current if one.name not in names)


def _with_rest(given: Iterable[Named], current: Iterable[Named]) -> tuple[Named, ...]:
    first = tuple(given)
    return (*first, *_rest(first, current))


def _with_parts(product: DeclaredProduct, current: DeclaredProduct | None) -> DeclaredProduct:
    if current is None:
        return product
    return replace(
        product,
        modules=_with_rest(product.modules, current.modules),
        lines=_with_rest(product.lines, current.lines),
    )


def _with_targets(installation: DeclaredInstallation, current: DeclaredInstallation | None) -> DeclaredInstallation:
    return replace(installation, targets=_with_rest(installation.targets, current.targets)) if current else installation
