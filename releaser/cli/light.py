"""Commands that are asked once and answered at once: their command line is understood without loading what reads all others.

A light command is a function whose parameters say, by `Argument` and `Option`, what a person may write. Of what is written in
plain ways the values are read here, in a millisecond. Whatever is not plain (help, a wrong option, a value that is none)
is left to the whole command line (`whole`), which is made of the same function and tells it as it does for every command.

What does not live here: which commands there are (`main`).
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from releaser.errors import InvalidError


class UsageError(InvalidError):
    """The command line cannot be understood."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A word that stands by itself; `default` is how a default that is no value is told."""

    help: str
    default: str = ""
    metavar: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """A word behind one of its names, or, of a truth, the name itself. Without names it is called like the parameter."""

    help: str
    names: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A light command; `epilog` is its example, what the function's docstring tells is its help."""

    function: Callable[..., None]
    name: str
    epilog: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One parameter. `kind` is what a word becomes; None is left out of it, a list is `repeated`."""

    name: str
    kind: type
    repeated: bool
    annotation: Any
    said: Argument | Option
    default: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The option's names; none of an argument."""
        if isinstance(self.said, Argument):
            return ()
        return self.said.names or (f"--{self.name.replace('_', '-')}",)


_KINDS = (str, bool, int, Path)
_Read = tuple[list[str], list[tuple[Place, str | bool]]]


def places(function: Callable[..., None]) -> list[Place]:
    """What a person may write, in the order of the function's parameters."""
    hints = typing.get_type_hints(function, include_extras=True)
    found = []
    for parameter in signature(function).parameters.values():
        annotation, said = typing.get_args(hints[parameter.name])
        kind, repeated = _kind(annotation)
        found.append(
            Place(
                name=parameter.name,
                kind=kind,
                repeated=repeated,
                annotation=annotation,
                said=said,
                default=parameter.default,
            )
        )
    return found


def _kind(annotation: Any) -> tuple[type, bool]:  # noqa: ANN401 -- an annotation is anything
    """`str | None` is a str, `list[str] | None` a repeated one."""
    origin = typing.get_origin(annotation)
    if origin in {types.UnionType, typing.Union}:
        (inner,) = (one for one in typing.get_args(annotation) if one is not types.NoneType)
        return _kind(inner)
    if origin is list:
        return typing.get_args(annotation)[0], True
    if annotation not in _KINDS and not (isinstance(annotation, type) and issubclass(annotation, enum.Enum)):
        raise TypeError(f"{annotation} is nothing that can be written on a command line")
    return annotation, False


def understood(function: Callable[..., None], words: Sequence[str]) -> dict[str, Any] | None:
    """The function's values, or None when the words are not plain."""
    known = places(function)
    read = _read(known, words)
    if read is None:
        return None
    alone, named = read
    arguments = [place for place in known if isinstance(place.said, Argument)]
    if len(alone) > len(arguments):
        return None
    given: dict[str, Any] = {}
    for place, word in [*zip(arguments, alone, strict=False), *named]:
        value = _value(place, word)
        if value is None or (place.name in given and not place.repeated):
            return None
        given[place.name] = [*given.get(place.name, ()), value] if place.repeated else value
    missing = [place for place in known if place.name not in given]
    if any(place.default is Parameter.empty for place in missing):
        return None
    return {**{place.name: place.default for place in missing}, **given}


def _read(known: Sequence[Place], words: Sequence[str]) -> _Read | None:
    """Words that stand alone, and options with their words."""
    by_name = {name: place for place in known for name in place.names}
    alone: list[str] = []
    named: list[tuple[Place, str | bool]] = []
    left = list(reversed(words))
    while left:
        word = left.pop()
        if word == "--":
            alone += reversed(left)
            break
        if not word.startswith("-") or word == "-":
            alone.append(word)
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2:
            # `-ojson`; several short flags in one word are not plain.
            name, equals, value = word[:2], "behind", word[2:]
        place = by_name.get(name)
        if place is None or (place.kind is bool and equals) or (equals == "behind" and value.startswith("=")):
            return None
        if place.kind is bool:
            named.append((place, True))
        elif equals or left:
            named.append((place, value if equals else left.pop()))
        else:
            return None
    return alone, named


def _value(place: Place, word: str | bool) -> Any:  # noqa: ANN401, FBT001 -- whatever the parameter takes
    """The word as the parameter's kind; None when it is none, which the whole command line tells."""
    if isinstance(word, bool) or place.kind is str:
        return word
    try:
        return place.kind(word)
    except ValueError:
        return None
