"""An index as bytes, and back: columns as they lie in memory, so that hundreds of thousands of commits are there at once.

What is small and irregular is JSON. The bytes are for this program on a machine like this one: what another version wrote, or a
machine with other numbers, and what is not whole, is no index.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from zlib import crc32

from releaser.domain.history.classes import TicketClasses
from releaser.domain.history.containment import Containment
from releaser.domain.history.graph import Graph, Parents
from releaser.domain.history.ids import Chains, Ids
from releaser.domain.history.index import Index, ReleaseTip, Tips
from releaser.domain.history.links import Links
from releaser.domain.history.relations import Claims, MoreNames, Relations, Sources, Statements
from releaser.domain.history.said import Claim
from releaser.domain.history.views import Pick, PickLayer, Revert

FORMAT = 1
_MAGIC = b"releaser history\n"
_MACHINE = f"{sys.byteorder} {array('i').itemsize} {array('q').itemsize}"
_LAYERS = tuple(PickLayer)
Piece = bytes | bytearray | memoryview


def pack(index: Index) -> list[Piece]:
    """The bytes of an index, in pieces."""
    sections = {**_columns(index), **_tables(index)}
    pieces = [_view(one) for one in sections.values()]
    checksum = 0
    for piece in pieces:
        checksum = crc32(piece, checksum)
    sizes = [[name, len(piece)] for name, piece in zip(sections, pieces, strict=True)]
    header = json.dumps({"format": FORMAT, "machine": _MACHINE, "checksum": checksum, "sections": sizes}).encode()
    start = _MAGIC + len(header).to_bytes(4, "little") + crc32(header).to_bytes(4, "little") + header
    return [start, *pieces]


def unpack(raw: bytes) -> Index | None:
    """The index of these bytes; None when they are not, or no longer, what `pack` made."""
    try:
        sections = _sections(memoryview(raw))
        return _Unpacking(sections).index() if sections is not None else None
    except (KeyError, TypeError, ValueError):
        return None


def _view(section: array[int] | Piece) -> memoryview:
    return memoryview(section).cast("B") if len(section) else memoryview(b"")


def _sections(raw: memoryview) -> dict[str, memoryview] | None:
    start = len(_MAGIC) + 8
    if bytes(raw[: len(_MAGIC)]) != _MAGIC or len(raw) < start:
        return None
    size, checksum = (int.from_bytes(raw[start - at : start - at + 4], "little") for at in (8, 4))
    text = raw[start : start + size]
    if crc32(text) != checksum:
        return None
    header = json.loads(bytes(text))
    rest = raw[start + size :]
    whole = sum(length for _, length in header["sections"])
    if (header["format"], header["machine"]) != (FORMAT, _MACHINE) or len(rest) != whole:
        return None
    if crc32(rest) != header["checksum"]:
        return None
    found: dict[str, memoryview] = {}
    for name, length in header["sections"]:
        found[name], rest = rest[:length], rest[length:]
    return found


def _columns(index: Index) -> dict[str, array[int] | Piece]:
    graph, said, links, contained = index.graph, index.statements, index.links, index.contained
    later = [place for place, (when, date) in enumerate(zip(graph.when, index.committed, strict=True)) if when != date]
    columns: dict[str, array[int] | Piece] = {
        "ids": graph.ids.raw,
        "first": graph.edges.first,
        "second": graph.edges.second,
        "later": array("i", later),
        "when": array("q", [graph.when[place] for place in later]),
        "committed": index.committed,
        "authored": said.authored,
        "author": said.author,
        "name": said.name,
        "more named": said.more_names.commits,
        "more names": said.more_names.keys,
        "set of": contained.set_of,
        "link commits": links.commits,
        "link tickets": links.tickets,
        "link fixes": links.fixes,
        "link earlier": links.earlier,
        "link last": links.last,
    }
    if graph.ids.chains is not None:
        columns["id heads"], columns["id nexts"] = graph.ids.chains.columns
    if said.dates is not None:
        columns["date heads"], columns["date nexts"] = said.dates.columns
    if index.classes is not None:
        columns["class of"] = index.classes.of
    return columns


def _tables(index: Index) -> dict[str, Piece]:
    said, relations = index.statements, index.relations
    width = max(one.bit_length() for one in index.contained.sets) // 8 + 1
    claims = [[commit, one.ids, one.names, one.quoted] for commit, one in said.claims.items()]
    return {
        "sets": b"".join([bits.to_bytes(width, "little") for bits in index.contained.sets]),
        "keys": "\n".join(index.links.keys).encode("utf-8", "surrogatepass"),
        "authors": _json(said.authors),
        "sources": _json(list(said.sources.items())),
        "claims": _json(claims),
        "picks": _json(
            [
                [
                    commit,
                    [
                        [one.source, one.source_id if one.source is None else "", _LAYERS.index(one.layer)]
                        for one in picks
                    ],
                ]
                for commit, picks in relations.copies.picks_of.items()
            ]
        ),
        "reverts": _json(
            [[commit, [[one.reverted, one.by_id] for one in reverts]] for commit, reverts in relations.reverts.items()]
        ),
        "targets": _json(list(relations.force.reverts_of.items())),
        "rest": _json(
            {
                "state": index.state,
                "mark": index.mark,
                "rules": index.rules,
                "width": index.graph.ids.width,
                "set width": width,
                "counts": index.contained.counts,
                "octopuses": list(index.graph.edges.rest.items()),
                "lost": sorted(index.graph.lost),
                "doubtful": sorted(relations.doubtful),
                "classes": index.classes.keys if index.classes is not None else None,
                "tips": asdict(index.tips),
            }
        ),
    }


def _json(what: object) -> bytes:
    return json.dumps(what, separators=(",", ":"), ensure_ascii=True).encode()


class _Unpacking:
    def __init__(self, sections: dict[str, memoryview]) -> None:
        self._sections = sections
        self._rest: dict[str, Any] = self._table("rest")

    def _table(self, name: str) -> Any:  # noqa: ANN401 -- JSON
        return json.loads(bytes(self._sections[name]))

    def _numbers(self, name: str, typecode: str = "i") -> array[int]:
        found = array(typecode)
        found.frombytes(self._sections[name])
        return found

    def _chains(self, name: str) -> Chains | None:
        if f"{name} heads" not in self._sections:
            return None
        return Chains(self._numbers(f"{name} heads"), self._numbers(f"{name} nexts"))

    def index(self) -> Index:
        """Everything put together again."""
        rest = self._rest
        committed = self._numbers("committed", "q")
        graph, said = self._graph(committed), self._said()
        contained = Containment(self._numbers("set of"), self._sets(), rest["counts"])
        classes = None
        if rest["classes"] is not None:
            keys = [(tuple(sets), tuple(reverted)) for sets, reverted in rest["classes"]]
            classes = TicketClasses(self._numbers("class of"), keys)
        return Index(
            graph=graph,
            committed=committed,
            statements=said,
            links=self._links(),
            contained=contained,
            relations=self._relations(graph, said, contained),
            classes=classes,
            tips=_tips(rest["tips"]),
            state=rest["state"],
            mark=rest["mark"],
            rules=rest["rules"],
        )

    def _graph(self, committed: array[int]) -> Graph:
        ids = Ids(bytearray(self._sections["ids"]), width=self._rest["width"], chains=self._chains("id"))
        octopuses = {commit: tuple(parents) for commit, parents in self._rest["octopuses"]}
        edges = Parents(first=self._numbers("first"), second=self._numbers("second"), rest=octopuses)
        when = committed[:]
        for place, date in zip(self._numbers("later"), self._numbers("when", "q"), strict=True):
            when[place] = date
        return Graph(ids, edges, when, set(self._rest["lost"]))

    def _said(self) -> Statements:
        # Only what is brought up to date needs these two.
        sources, claims = bytes(self._sections["sources"]), bytes(self._sections["claims"])
        return Statements(
            authored=self._numbers("authored", "q"),
            author=self._numbers("author"),
            authors=[(name, mail) for name, mail in self._table("authors")],
            name=self._numbers("name", "Q"),
            more_names=MoreNames(commits=self._numbers("more named"), keys=self._numbers("more names", "Q")),
            sources=lambda: _sources(sources),
            claims=lambda: _claims(claims),
            dates=self._chains("date"),
        )

    def _sets(self) -> list[int]:
        raw, width = bytes(self._sections["sets"]), self._rest["set width"]
        return [int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)]

    def _links(self) -> Links:
        keys = bytes(self._sections["keys"]).decode("utf-8", "surrogatepass")
        return Links(
            keys=keys.split("\n") if keys else [],
            commits=self._numbers("link commits"),
            tickets=self._numbers("link tickets"),
            fixes=bytearray(self._sections["link fixes"]),
            earlier=self._numbers("link earlier"),
            last=self._numbers("link last"),
        )

    def _relations(self, graph: Graph, said: Statements, contained: Containment) -> Relations:
        return Relations.restored(
            graph,
            said,
            contained.bits,
            picks={commit: _picks(commit, picks, graph.ids) for commit, picks in self._table("picks")},
            reverts={
                commit: tuple([Revert(commit=commit, reverted=one, by_id=by_id) for one, by_id in reverts])
                for commit, reverts in self._table("reverts")
            },
            targets={commit: tuple(targets) for commit, targets in self._table("targets")},
            doubtful=self._rest["doubtful"],
        )


def _picks(commit: int, picks: Iterable[tuple[int | None, str, int]], ids: Sequence[str]) -> tuple[Pick, ...]:
    return tuple(
        [
            Pick(commit=commit, source=source, source_id=text if source is None else ids[source], layer=_LAYERS[layer])
            for source, text, layer in picks
        ]
    )


def _sources(text: bytes) -> Sources:
    return {commit: tuple(ids) for commit, ids in json.loads(text)}


def _claims(text: bytes) -> Claims:
    return {
        commit: Claim(ids=tuple(ids), names=tuple(names), quoted=tuple(quoted))
        for commit, ids, names, quoted in json.loads(text)
    }


def _tips(kept: dict[str, Any]) -> Tips:
    return Tips(
        releases=tuple(ReleaseTip(*one) for one in kept["releases"]),
        heads=tuple((branch, commit) for branch, commit in kept["heads"]),
        others=tuple(kept["others"]),
        tags=kept["tags"],
    )
