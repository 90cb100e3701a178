"""YAML text -> nodes that know where they were written. Text stays text: what a value means is for its reader to say.

So `NO` is no truth value, `22:00` no number of minutes and `1.10` not 1.1. Rules: names in a mapping are unique, depth and
size are bounded (aliases count as what they stand for), tags are refused, `<<` merges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

LARGEST_TEXT = 8 * 1024 * 1024
MOST_NODES = 400_000
DEEPEST = 40
_NOTHING = {"", "~", "null", "Null", "NULL"}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Mark: TypeAlias = tuple[int, int]
"""Line and column, counted from 1."""


class YamlError(Exception):
    """The text is no YAML that is read here; never leaves `sources`."""

    def __init__(self, detail: str, advice: str, mark: Mark) -> None:
        super().__init__(detail)
        self.detail, self.advice, self.mark = detail, advice, mark


@dataclass(slots=True)
class Node:
    """A value: text or None, a list, or a mapping whose keys know where they stand."""

    mark: Mark
    value: str | list[Node] | dict[str, tuple[Mark, Node]] | None
    size: int = 1

    def data(self) -> Any:  # noqa: ANN401 -- whatever was written
        """The same as plain texts, lists and dicts."""
        if isinstance(self.value, list):
            return [item.data() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.data() for key, (_, item) in self.value.items()}
        return self.value

    def places(self, *, deep: int) -> Iterator[tuple[tuple[str | int, ...], Mark]]:
        """Every place inside and where it stands, down to so many levels; a mapping's entry stands where its name does."""
        if not deep:
            return
        entries: list[tuple[str | int, Mark, Node]] = []
        if isinstance(self.value, list):
            entries = [(index, item.mark, item) for index, item in enumerate(self.value)]
        elif isinstance(self.value, dict):
            entries = [(key, mark, item) for key, (mark, item) in self.value.items()]
        for key, mark, item in entries:
            yield (key,), mark
            for place, inner in item.places(deep=deep - 1):
                yield (key, *place), inner


def read_nodes(text: str) -> list[Node]:
    """One node per document of the text. Raises `YamlError`."""
    if len(text) > LARGEST_TEXT:
        raise YamlError(f"The text has {len(text)} characters.", f"{LARGEST_TEXT} are the most; split it.", (1, 1))
    building = _Building()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            building.take(event)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise YamlError("There is a character that no text has.", "Remove it.", (line, column)) from error
    except yaml.MarkedYAMLError as error:
        raise _said_simply(error, text) from error
    return building.documents


def _said_simply(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    at = error.problem_mark or error.context_mark
    mark = (at.line + 1, at.column + 1) if at else (1, 1)
    lines = text.split("\n")
    line = lines[mark[0] - 1] if mark[0] <= len(lines) else ""
    if "\t" in line[: mark[1]]:
        return YamlError(
            "There is a tab where YAML wants spaces.", "Indent with spaces.", (mark[0], line.index("\t") + 1)
        )
    detail = ", ".join(part for part in (error.context, error.problem) if part)
    return YamlError(f"This is no YAML: {detail}.", "Look at this line and the one above it.", mark)


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended yet."""

    node: Node
    anchor: str | None
    key: tuple[Mark, str] | None = None
    merges: list[tuple[Mark, Node]] = field(default_factory=list)


class _Building:
    """Takes the parser's events one by one; never deeper than it allows, so nothing recurses without bound."""

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        at = event.start_mark
        mark = (at.line + 1, at.column + 1) if at else (1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}
        elif isinstance(event, yaml.ScalarEvent):
            _refuse_tag(event.tag, mark)
            nothing = event.implicit[0] and event.value in _NOTHING
            self._end(Node(mark, None if nothing else event.value), event.anchor, plain=event.implicit[0])
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlError(f"There is no anchor '{event.anchor}' above.", "Write the value out.", mark)
            self._end(self._anchors[event.anchor], None, at=mark)
        elif isinstance(event, yaml.CollectionStartEvent):
            _refuse_tag(event.tag, mark)
            if len(self._open) >= DEEPEST:
                raise YamlError(f"This is nested deeper than {DEEPEST} levels.", "Write it flatter.", mark)
            value: list[Node] | dict[str, tuple[Mark, Node]] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self._open.append(_Open(Node(mark, value), event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            _merge(ended)
            self._end(ended.node, ended.anchor)

    def _end(self, node: Node, anchor: str | None, *, plain: bool = False, at: Mark | None = None) -> None:
        """A value is complete: give it to what it stands in."""
        if anchor:
            self._anchors[anchor] = node
        self._count += node.size if at else 1
        mark = at or node.mark
        if self._count > MOST_NODES:
            raise YamlError(f"This is more than {MOST_NODES} values.", "Split it, and use fewer aliases.", mark)
        if not self._open:
            self.documents.append(node)
            return
        around = self._open[-1]
        around.node.size += node.size
        if isinstance(around.node.value, list):
            around.node.value.append(node)
        elif isinstance(around.node.value, dict):
            self._enter(around, around.node.value, node, mark, plain=plain)

    @staticmethod
    def _enter(around: _Open, entries: dict[str, tuple[Mark, Node]], node: Node, mark: Mark, *, plain: bool) -> None:
        if around.key is None:
            if not isinstance(node.value, str):
                raise YamlError("A name in a mapping must be a text.", "Write NAME: VALUE.", mark)
            if node.value in entries:
                first = entries[node.value][0]
                raise YamlError(
                    f"'{node.value[:80]}' is there twice; first in line {first[0]}.", "Keep one of them.", mark
                )
            around.key = (mark, "" if plain and node.value == "<<" else node.value)
            return
        key_mark, name = around.key
        around.key = None
        if name:
            entries[name] = (key_mark, node)
        else:
            around.merges.append((key_mark, node))


def _merge(ended: _Open) -> None:
    """Add the entries of mappings named after `<<` that are not there themselves."""
    if not isinstance(ended.node.value, dict):
        return
    for mark, node in ended.merges:
        for one in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(one.value, dict):
                raise YamlError("'<<' merges mappings, and this is none.", "Name a mapping.", mark)
            for key, entry in one.value.items():
                ended.node.value.setdefault(key, entry)


def _refuse_tag(tag: str | None, mark: Mark) -> None:
    if tag is not None and tag != "!":
        raise YamlError(f"Tags such as '{tag[:40]}' are not read here.", "Write the plain value.", mark)
