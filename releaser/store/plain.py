"""Frozen domain data <-> the JSON columns that keep it."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from releaser.domain.spec import AnySpec

Kind = TypeVar("Kind")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Making an adapter costs milliseconds, so each is made once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: object) -> dict[str, Any]:
    """A domain dataclass as data that JSON can hold."""
    return cast("dict[str, Any]", _adapter(type(value)).dump_python(value, mode="json"))


def load(kind: type[Kind], data: object) -> Kind:
    """A domain dataclass from what `dump` made."""
    return cast("Kind", _adapter(kind).validate_python(data))


def load_spec(data: object) -> AnySpec:
    """A target's specification, of whatever kind it says that it is."""
    return _spec_adapter().validate_python(data)


@cache
def _spec_adapter() -> TypeAdapter[AnySpec]:
    return TypeAdapter(AnySpec)
