"""An index as bytes, and back: columns as they lie in memory, so that hundreds of thousands of commits are there at once.

There are two parts: the whole, as it was at some time, and what has come since, so that what is written each time grows with what
is new. What is small and irregular is JSON. The bytes are for this program on a machine like this one: what another version wrote,
or a machine with other numbers, and what is not whole, is no index.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from releaser.domain.history.index import Index, Kept
from releaser.domain.history.relations import Relations
from releaser.domain.history.views import PickLayer

FORMAT = 3
LAYERS = tuple(PickLayer)
Piece = bytes | bytearray | memoryview
Sections = dict[str, memoryview]
_MAGIC = b"releaser history\n"
_MACHINE = f"{sys.byteorder} {array('i').itemsize} {array('q').itemsize}"
# A tail is written as long as it is short; so the whole is written the more seldom, the longer it is.
_FEW = 1000
_PART = 16


def is_worn(index: Index) -> bool:
    """Whether so much has come since the whole was written that it should be written again."""
    kept, now = index.kept, Kept.of(index)
    if kept is None or (kept.has_dates, kept.has_classes) != (now.has_dates, now.has_classes):
        return True
    fresh = now.commits - kept.commits + len(kept.moved) + len(kept.reclassed)
    return fresh > max(_FEW, now.commits // _PART)


def pack(index: Index) -> list[Piece]:
    """The bytes of a whole index, in pieces."""
    kept = Kept.of(index)
    pieces, kept.checksum = _wrapped(_sections(index, Kept(), whole=True), of=0)
    index.kept = kept
    return pieces


def pack_tail(index: Index) -> list[Piece]:
    """The bytes of what came since the whole was packed. Raises `AssertionError` when it never was."""
    if index.kept is None:
        raise AssertionError(index.state)
    return _wrapped(_sections(index, index.kept, whole=False), of=index.kept.checksum)[0]


def unwrapped(raw: bytes, *, of: int) -> tuple[Sections, int] | None:
    """The sections of a part, and its checksum; None when it is not whole, or no part of that one."""
    view, start = memoryview(raw), len(_MAGIC) + 8
    if len(view) < start or bytes(view[: len(_MAGIC)]) != _MAGIC:
        return None
    size, checksum = (int.from_bytes(view[start - at : start - at + 4], "little") for at in (8, 4))
    text, rest = view[start : start + size], view[start + size :]
    if crc32(text) != checksum:
        return None
    header = json.loads(bytes(text))
    if (header["format"], header["machine"], header["of"]) != (FORMAT, _MACHINE, of):
        return None
    if sum(length for _, length in header["sections"]) != len(rest) or crc32(rest) != header["checksum"]:
        return None
    found: Sections = {}
    for name, length in header["sections"]:
        found[name], rest = rest[:length], rest[length:]
    return found, header["checksum"]


def _wrapped(sections: dict[str, array[int] | Piece], *, of: int) -> tuple[list[Piece], int]:
    pieces = [memoryview(one).cast("B") if len(one) else memoryview(b"") for one in sections.values()]
    checksum = 0
    for piece in pieces:
        checksum = crc32(piece, checksum)
    sizes = [[name, len(piece)] for name, piece in zip(sections, pieces, strict=True)]
    about = {"format": FORMAT, "machine": _MACHINE, "of": of, "checksum": checksum, "sections": sizes}
    header = json.dumps(about).encode()
    start = _MAGIC + len(header).to_bytes(4, "little") + crc32(header).to_bytes(4, "little") + header
    return [start, *pieces], checksum


def _sections(index: Index, since: Kept, *, whole: bool) -> dict[str, array[int] | Piece]:
    return {**_columns(index, since, whole=whole), **_tables(index, since, whole=whole), "rest": _rest(index)}


def _columns(index: Index, since: Kept, *, whole: bool) -> dict[str, array[int] | Piece]:
    graph, said, links, contained = index.graph, index.statements, index.links, index.contained
    at, link = since.commits, since.links
    dates = zip(graph.when[at:], index.committed[at:], strict=True)
    later = [place for place, (when, date) in enumerate(dates, start=at) if when != date]
    columns: dict[str, array[int] | Piece] = {
        "ids": memoryview(graph.ids.raw)[at * graph.ids.width :],
        "first": graph.edges.first[at:],
        "second": graph.edges.second[at:],
        "later": array("i", later),
        "when": array("q", [graph.when[place] for place in later]),
        "committed": index.committed[at:],
        "authored": said.authored[at:],
        "author": said.author[at:],
        "name": said.name[at:],
        "more named": said.more_names.commits[since.more_names :],
        "more names": said.more_names.keys[since.more_names :],
        "set of": contained.set_of[at:],
        "link commits": links.commits[link:],
        "link tickets": links.tickets[link:],
        "link fixes": links.fixes[link:],
    }
    if whole:
        columns |= {"link earlier": links.earlier, "link last": links.last}
        if graph.ids.chains is not None:
            columns["id heads"], columns["id nexts"] = graph.ids.chains.columns
        if said.dates is not None:
            columns["date heads"], columns["date nexts"] = said.dates.columns
    else:
        columns |= _patch("set of", contained.set_of, since.moved)
    if index.classes is not None:
        columns["class of"] = index.classes.of[since.tickets :]
        columns |= _patch("class of", index.classes.of, since.reclassed)
    return columns


def _patch(name: str, column: array[int], places: set[int]) -> dict[str, array[int]]:
    """What now stands at some places of a column."""
    ordered = sorted(places)
    return {f"{name}, at": array("i", ordered), f"{name}, now": array("i", [column[place] for place in ordered])}


def _tables(index: Index, since: Kept, *, whole: bool) -> dict[str, Piece]:
    said, relations, at = index.statements, index.relations, since.commits
    related = relations.related if whole else since.related
    return {
        "keys": "\n".join(index.links.keys[since.tickets :]).encode("utf-8", "surrogatepass"),
        "authors": _json(said.authors[since.authors :]),
        "sources": _json([one for one in said.sources.items() if one[0] >= at]),
        "claims": _json(
            [[commit, one.ids, one.names, one.quoted] for commit, one in said.claims.items() if commit >= at]
        ),
        "octopuses": _json([one for one in index.graph.edges.rest.items() if one[0] >= at]),
        "relations": _json([_related(commit, relations) for commit in sorted(related)]),
        "classes": _json(index.classes.keys[since.classes :] if index.classes is not None else []),
    }


def _related(commit: int, relations: Relations) -> list[Any]:
    """What one commit is a copy of, what it names to take back, and what it takes back."""
    picks = relations.copies.picks_of.get(commit, ())
    reverts = relations.reverts.get(commit, ())
    return [
        commit,
        [[one.source, one.source_id if one.source is None else "", LAYERS.index(one.layer)] for one in picks],
        [[one.reverted, one.by_id] for one in reverts],
        relations.force.reverts_of.get(commit, ()),
    ]


def _rest(index: Index) -> bytes:
    """What is kept whole each time."""
    width = max(one.bit_length() for one in index.contained.sets) // 8 + 1
    return _json(
        {
            "state": index.state,
            "mark": index.mark,
            "rules": index.rules,
            "width": index.graph.ids.width,
            "sets": b"".join([bits.to_bytes(width, "little") for bits in index.contained.sets]).hex(),
            "set width": width,
            "counts": index.contained.counts,
            "lost": sorted(index.graph.lost),
            "doubtful": sorted(index.relations.doubtful),
            "tips": {
                "releases": index.tips.releases,
                "heads": index.tips.heads,
                "others": index.tips.others,
                "tags": index.tips.tags,
            },
        }
    )


def _json(what: object) -> bytes:
    return json.dumps(what, separators=(",", ":"), ensure_ascii=True).encode()


def numbers(parts: Iterable[Sections], name: str, typecode: str = "i") -> array[int]:
    """A column that parts continue, where they have it."""
    found = array(typecode)
    for part in parts:
        if name in part:
            found.frombytes(part[name])
    return found


def table(parts: Sequence[Sections], name: str) -> list[Any]:
    """A table that parts continue."""
    return [row for part in parts for row in json.loads(bytes(part[name]))]
