"""Declared state from YAML: a text, a file, or a folder of files -> `domain.declaration.Declaration`.

Rules: everything that is wrong is told at once, with file, line and column. Unknown keys are refused. Short forms that
people know are understood: ports `8080:80`, volumes `data:/var/lib/app:ro`. JSON is YAML as well.

What does not live here: whether what is declared makes sense (`domain.declaration`), and references to what is only in the
database (`flows.apply_declaration`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import time
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from releaser.domain.declaration import (
    Declaration,
    InvalidDeclarationError,
    Origin,
    Place,
    Problem,
    is_zone,
)
from releaser.domain.regulation import NO_REGULATION, Regulation, from_mapping
from releaser.domain.spec import SPEC_KINDS, AnySpec, ContainerSpec, PortBinding, SwarmPort, TargetSpec, Volume
from releaser.domain.target import DriverName
from releaser.errors import InvalidError, NotFoundError
from releaser.sources.yaml_nodes import LARGEST_TEXT, Node, YamlError, read_nodes

GROUPS = ("products", "customers", "hosts", "installations")
_SUFFIXES = {".yaml", ".yml"}
# Deep enough for a port of a target; beyond that the nearest place around is named.
_DEEP = 9
_PORT = re.compile(
    r"(?:(?:(?P<ip>[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<host>[0-9]+):)?(?P<container>[0-9]+)(?:/(?P<protocol>[a-z]+))?"
)
_TIME = re.compile(r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])")
_SWARM_PORT = re.compile(r"(?P<published>[0-9]{1,5}):(?P<target>[0-9]{1,5})(?:/(?P<protocol>[a-z]{1,5}))?")
_VOLUME = re.compile(r"(?P<source>[^:]+):(?P<target>/[^:]*)(?::(?P<mode>ro|rw))?")


class DeclarationNotFoundError(NotFoundError):
    """There is no such file or folder, or no declaration in it."""


def read_declaration(path: Path) -> Declaration:
    """Read a file, or every `*.yaml` and `*.yml` of a folder (hidden ones aside) as one declaration.

    Raises `DeclarationNotFoundError`, `InvalidDeclarationError`.
    """
    files = sorted(_files(path)) if path.is_dir() else [path]
    if not files:
        raise DeclarationNotFoundError(f"There is no *.yaml in '{path}'.", advice="Name a file or folder that has one.")
    return _declaration([(str(file), _text(file)) for file in files])


def parse_declaration(text: str, *, name: str = "declaration") -> Declaration:
    """Read a text; `name` stands for the file in errors. Raises `InvalidDeclarationError`."""
    return _declaration([(name, text)])


def to_yaml(data: Mapping[str, Any]) -> str:
    """Write what `flows.export_declaration` tells as the YAML that is read here."""
    return yaml.dump(dict(data), Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)


class _Writer(yaml.SafeDumper):
    """Writes texts of several lines (templates) as lines, as a person would."""


def _text_of(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Writer.add_representer(str, _text_of)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in _SUFFIXES and path.is_file() and not hidden:
            yield path


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise DeclarationNotFoundError(
            f"'{path}' cannot be read: {error.strerror}.",
            advice="Name a file or folder that can be read.",
            field="file",
        ) from error
    if len(content) > LARGEST_TEXT:
        raise _single(str(path), (1, 1), f"The file is larger than {LARGEST_TEXT} bytes.", "Split it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        mark = (before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise _single(str(path), mark, "The file is not written in UTF-8.", "Save it as UTF-8.") from error


def _single(name: str, mark: tuple[int, int], detail: str, advice: str) -> InvalidDeclarationError:
    origin = Origin(file=name, line=mark[0], column=mark[1])
    return InvalidDeclarationError([Problem(place=(), detail=detail, advice=advice, origin=origin)])


def _declaration(texts: Sequence[tuple[str, str]]) -> Declaration:
    reading = _Reading()
    for name, text in texts:
        reading.add(name, text)
    return reading.declaration()


class _Reading:
    """Collects what several files say, and everything that is wrong with it."""

    def __init__(self) -> None:
        self._data: dict[str, list[Any]] = {group: [] for group in GROUPS}
        self._origins: dict[Place, Origin] = {}
        self._problems: list[Problem] = []

    def add(self, name: str, text: str) -> None:
        """Take the documents of one file."""
        try:
            documents = [node for node in read_nodes(text) if node.value is not None]
        except YamlError as error:
            raise _single(name, error.mark, error.detail, error.advice) from error
        if not documents:
            raise _single(
                name, (1, 1), "Nothing is declared here.", f"Declare {', '.join(GROUPS)}, or remove the file."
            )
        for node in documents:
            if not isinstance(node.value, dict):
                raise _single(name, node.mark, "A declaration is a mapping.", f"Begin with one of {', '.join(GROUPS)}.")
            for group, (mark, items) in node.value.items():
                self._add_group(name, group, mark, items)

    def _add_group(self, name: str, group: str, mark: tuple[int, int], items: Node) -> None:
        origin = Origin(file=name, line=mark[0], column=mark[1])
        if group not in GROUPS:
            advice = _nearest(group, GROUPS)
            self._problems.append(
                Problem(place=(group,), detail="This is no part of a declaration.", advice=advice, origin=origin)
            )
            return
        if items.value is None:
            return
        if not isinstance(items.value, list):
            self._problems.append(
                Problem(place=(group,), detail="This is no list.", advice="Write each with '- name: …'.", origin=origin)
            )
            return
        self._origins.setdefault((group,), origin)
        first = len(self._data[group])
        for index, item in enumerate(items.value, start=first):
            self._data[group].append(item.data())
            here = Origin(file=name, line=item.mark[0], column=item.mark[1])
            self._origins[group, index] = here
            for place, (line, column) in item.places(deep=_DEEP):
                self._origins[(group, index, *place)] = Origin(file=name, line=line, column=column)

    def declaration(self) -> Declaration:
        """What was declared. Raises `InvalidDeclarationError`."""
        shaped = self._shaped(Declaration, self._data, ())
        found: Declaration | None = None
        try:
            found = _adapter().validate_python({**shaped, "origins": {}})
        except ValidationError as error:
            self._problems.extend(self._problem(one) for one in error.errors(include_url=False))
        if self._problems or found is None:
            raise InvalidDeclarationError(self._problems)
        return Declaration(
            products=found.products,
            customers=found.customers,
            hosts=found.hosts,
            installations=found.installations,
            origins=self._origins,
        )

    def _wrong(self, place: Place, detail: str, advice: str) -> None:
        origin = Declaration(origins=self._origins).origin(place)
        self._problems.append(Problem(place=place, detail=detail, advice=advice, origin=origin))

    def _shaped(self, kind: Any, value: Any, place: Place) -> Any:  # noqa: ANN401 -- types and data alike
        """The data in the shape of the type: unknown keys told, short forms written out, nothings left out."""
        inner = _one_of(kind)
        if is_dataclass(inner) and isinstance(value, dict):
            return self._shaped_fields(inner, value, place)
        if get_origin(inner) is tuple and isinstance(value, list):
            return [self._shaped(get_args(inner)[0], item, (*place, n)) for n, item in enumerate(value)]
        if inner in _SHORT and isinstance(value, str):
            pattern, example = _SHORT[inner]
            match = pattern.fullmatch(value)
            if match is None:
                self._wrong(place, f"'{value[:80]}' cannot be read.", f"Write it like {example}.")
                return _PLACEHOLDERS[inner]
            return _written_out(inner, match.groupdict())
        return value

    def _shaped_fields(self, kind: Any, value: dict[str, Any], place: Place) -> dict[str, Any]:  # noqa: ANN401 -- a type
        known = _hints(kind)
        shaped: dict[str, Any] = {}
        for key, item in value.items():
            if key not in known:
                self._wrong((*place, key), "There is no such key here.", _nearest(key, known))
            elif item is not None:
                regulated = known[key] is Regulation and isinstance(item, dict)
                if known[key] == AnySpec:
                    shaped[key] = self._spec(item, value, (*place, key))
                else:
                    shaped[key] = (
                        self._regulation(item, value, (*place, key))
                        if regulated
                        else self._shaped(known[key], item, (*place, key))
                    )
        return shaped

    def _spec(self, data: Any, target: Mapping[str, Any], place: Place) -> TargetSpec:  # noqa: ANN401 -- whatever was written
        """A target's specification, of the kind that its driver needs."""
        kind: Any = SPEC_KINDS.get(str(target.get("driver") or DriverName.DOCKER))
        if kind is None:
            return _NO_SPEC  # the driver itself is told
        try:
            return _spec_adapter(kind).validate_python(self._shaped(kind, data, place))
        except ValidationError as error:
            self._problems.extend(self._problem(one, inside=place) for one in error.errors(include_url=False))
            return _NO_SPEC

    def _regulation(self, data: dict[str, Any], customer: Mapping[str, Any], place: Place) -> Regulation:
        """A contract's regulation; its zone is the customer's when it names none."""
        zone = customer.get("zone")
        try:
            # A customer's zone that does not exist is told where it stands, by the rules.
            known = zone if isinstance(zone, str) and is_zone(zone) else "UTC"
            return from_mapping(_with_numbers(data), zone=known)
        except InvalidError as error:
            parts = (error.field or "").split(".")[1:]
            inner: Place = tuple(int(part) if part.isdigit() else part for part in parts)
            self._wrong((*place, *(inner or ("zone",))), error.detail, error.advice)
            return NO_REGULATION

    def _problem(self, error: ErrorDetails, *, inside: Place = ()) -> Problem:
        place: Place = (*inside, *(part for part in error["loc"] if part != "[key]"))
        # A union adds the name of the type that was tried.
        while place and isinstance(place[-1], str) and place not in self._origins and place[:-1] in self._origins:
            if error["type"] == "missing":
                break
            place = place[:-1]
        detail, advice = _said(error)
        origin = Declaration(origins=self._origins).origin(place)
        return Problem(place=place, detail=detail, advice=advice, origin=origin)


def _said(error: ErrorDetails) -> tuple[str, str]:
    """What pydantic found, in our words."""
    kind, value = error["type"], error["input"]
    shown = f"'{str(value)[:80]}'" if isinstance(value, str) else "This"
    if kind == "missing":
        return "It is missing.", f"Add '{error['loc'][-1]}'."
    if kind == "enum":
        return f"{shown} is not known here.", f"Use {error.get('ctx', {}).get('expected', 'another word')}."
    for start, detail, advice in _KINDS:
        if kind.startswith(start):
            return f"{shown} {detail}.", advice
    return f"{shown} is not accepted: {error['msg']}.", ""


_KINDS = (
    ("int", "is no whole number", "Write for instance 8080."),
    ("float", "is no number", "Write for instance 1.5."),
    ("bool", "is neither true nor false", "Write true or false."),
    ("date", "is no date", "Write it like 2026-03-02."),
    ("string", "is no text", "Write a text, '' for an empty one."),
    ("tuple", "is no list", "Write each entry after '- ' in a line of its own, or [a, b]."),
    ("dataclass", "is no mapping", "Write its keys below it: KEY: VALUE."),
    ("mapping", "is no mapping", "Write its keys below it: KEY: VALUE."),
    ("dict", "is no mapping", "Write its keys below it: KEY: VALUE."),
)


@cache
def _adapter() -> TypeAdapter[Declaration]:
    """Made once, when it is needed: it takes some milliseconds."""
    return TypeAdapter(Declaration)


@cache
def _spec_adapter(kind: Any) -> TypeAdapter[TargetSpec]:  # noqa: ANN401 -- a type
    return TypeAdapter(kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:  # noqa: ANN401 -- a type
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.compare}


def _one_of(kind: Any) -> Any:  # noqa: ANN401 -- a type
    """The type itself, of `X | None` X."""
    if get_origin(kind) in {Union, UnionType}:
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _nearest(key: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else f"Use {', '.join(known)}."


def _with_numbers(value: Any) -> Any:  # noqa: ANN401 -- whatever was written
    """Whole numbers as numbers: a regulation's reader expects them so."""
    if isinstance(value, dict):
        return {key: _with_numbers(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value) else value


_SHORT = {
    PortBinding: (_PORT, "8080:80, 127.0.0.1:8080:80 or 8080:80/udp"),
    SwarmPort: (_SWARM_PORT, "80:8080 or 53:53/udp"),
    Volume: (_VOLUME, "data:/var/lib/app or /srv/app:/data:ro"),
    time: (_TIME, "10:00"),
}
_NO_SPEC = ContainerSpec(name="none")
_PLACEHOLDERS: dict[Any, Any] = {
    PortBinding: PortBinding(container_port=1, host_port=0),
    SwarmPort: SwarmPort(published=1, target=1),
    Volume: Volume(source="none", target="/none"),
    time: time(12),
}


def _written_out(kind: Any, parts: dict[str, str | None]) -> Any:  # noqa: ANN401 -- types and data alike
    if kind is time:
        return time(int(parts["hour"] or 0), int(parts["minute"] or 0))
    if kind is Volume:
        return {"source": parts["source"], "target": parts["target"], "read_only": parts["mode"] == "ro"}
    if kind is SwarmPort:
        return {"published": parts["published"], "target": parts["target"], "protocol": parts["protocol"] or "tcp"}
    written = {"container_port": parts["container"], "host_port": parts["host"] or "0"}
    if parts["ip"]:
        written["host_ip"] = parts["ip"].strip("[]")
    if parts["protocol"]:
        written["protocol"] = parts["protocol"]
    return written
