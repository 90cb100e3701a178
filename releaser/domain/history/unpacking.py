"""An index put together again from its bytes; see `packing`."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from releaser.domain.history.classes import TicketClasses
from releaser.domain.history.containment import Containment
from releaser.domain.history.graph import Graph, Parents
from releaser.domain.history.ids import Chains, Ids
from releaser.domain.history.index import Index, Kept, ReleaseTip, Tips
from releaser.domain.history.links import Links
from releaser.domain.history.packing import LAYERS, Sections, numbers, table, unwrapped
from releaser.domain.history.relations import Relations
from releaser.domain.history.said import Claim
from releaser.domain.history.statements import Claims, MoreNames, Sources, Statements, date_number
from releaser.domain.history.views import Pick, Revert


def unpack(raw: bytes, tail: bytes | None = None) -> Index | None:
    """The index of these bytes, with what came since if `tail` belongs to them; None when they are no index, or not whole."""
    try:
        found = unwrapped(raw, of=0)
        if found is None:
            return None
        whole, checksum = found
        since = unwrapped(tail, of=checksum) if tail else None
        return _Unpacking(whole, since[0] if since is not None else None).index(checksum)
    except (KeyError, TypeError, ValueError, IndexError):
        return None


class _Unpacking:
    def __init__(self, whole: Sections, tail: Sections | None) -> None:
        self._whole = whole
        self._tail = tail
        self._parts = [whole] if tail is None else [whole, tail]
        self._rest: dict[str, Any] = json.loads(bytes(self._parts[-1]["rest"]))

    def index(self, checksum: int) -> Index:
        """Everything put together."""
        rest = self._rest
        committed = numbers(self._parts, "committed", "q")
        graph, said = self._graph(committed), self._said()
        contained = Containment(self._patched("set of"), self._sets(), rest["counts"])
        index = Index(
            graph=graph,
            committed=committed,
            statements=said,
            links=self._links(),
            contained=contained,
            relations=self._relations(graph, said, contained),
            classes=self._classes(),
            tips=_tips(rest["tips"]),
            state=rest["state"],
            mark=rest["mark"],
            rules=rest["rules"],
        )
        index.kept = self._kept(index, checksum)
        return index

    def _kept(self, index: Index, checksum: int) -> Kept:
        """What the whole alone holds."""
        kept = Kept.of(index)
        kept.checksum = checksum
        tail = self._tail
        if tail is not None:
            kept.commits -= len(tail["first"]) // index.graph.edges.first.itemsize
            kept.links -= len(tail["link fixes"])
            kept.tickets = len(_keys(self._whole))
            kept.authors -= len(json.loads(bytes(tail["authors"])))
            kept.more_names -= len(tail["more names"]) // 8
            kept.classes -= len(json.loads(bytes(tail["classes"])))
            kept.moved = set(numbers([tail], "set of, at"))
            kept.reclassed = set(numbers([tail], "class of, at"))
            kept.related = {row[0] for row in table([tail], "relations")}
        kept.has_dates = "date heads" in self._whole
        kept.has_classes = "class of" in self._whole
        return kept

    def _patched(self, name: str) -> array[int]:
        found = numbers(self._parts, name)
        if self._tail is not None:
            changed = zip(numbers([self._tail], f"{name}, at"), numbers([self._tail], f"{name}, now"), strict=True)
            for place, value in changed:
                found[place] = value
        return found

    def _chains(self, name: str) -> Chains | None:
        if f"{name} heads" not in self._whole:
            return None
        return Chains(numbers([self._whole], f"{name} heads"), numbers([self._whole], f"{name} nexts"))

    def _graph(self, committed: array[int]) -> Graph:
        width = self._rest["width"]
        ids = Ids(bytearray(self._whole["ids"]), width=width, chains=self._chains("id"))
        if self._tail is not None:
            ids.extend(Ids(bytearray(self._tail["ids"]), width=width))
        edges = Parents(first=numbers(self._parts, "first"), second=numbers(self._parts, "second"))
        edges.rest = {commit: tuple(parents) for commit, parents in table(self._parts, "octopuses")}
        when = committed[:]
        for place, date in zip(numbers(self._parts, "later"), numbers(self._parts, "when", "q"), strict=True):
            when[place] = date
        return Graph(ids, edges, when, set(self._rest["lost"]))

    def _said(self) -> Statements:
        authored = numbers(self._parts, "authored", "q")
        dates = self._chains("date")
        if dates is not None:
            dates.extend(map(date_number, authored[len(dates) :]))
        # Only what is brought up to date needs these two.
        sources, claims = ([bytes(part[name]) for part in self._parts] for name in ("sources", "claims"))
        return Statements(
            authored=authored,
            author=numbers(self._parts, "author"),
            authors=[(name, mail) for name, mail in table(self._parts, "authors")],
            name=numbers(self._parts, "name", "Q"),
            more_names=MoreNames(
                commits=numbers(self._parts, "more named"), keys=numbers(self._parts, "more names", "Q")
            ),
            sources=lambda: _sources(sources),
            claims=lambda: _claims(claims),
            dates=dates,
        )

    def _sets(self) -> list[int]:
        raw, width = bytes.fromhex(self._rest["sets"]), self._rest["set width"]
        return [int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)]

    def _links(self) -> Links:
        whole = [self._whole]
        links = Links(
            keys=_keys(self._whole),
            commits=numbers(whole, "link commits"),
            tickets=numbers(whole, "link tickets"),
            fixes=bytearray(self._whole["link fixes"]),
            earlier=numbers(whole, "link earlier"),
            last=numbers(whole, "link last"),
        )
        if self._tail is not None:
            tail = [self._tail]
            found = zip(
                numbers(tail, "link commits"),
                numbers(tail, "link tickets"),
                map(bool, bytes(self._tail["link fixes"])),
                strict=True,
            )
            links.go_on(((commit, ((ticket, fixes),)) for commit, ticket, fixes in found), _keys(self._tail))
        return links

    def _classes(self) -> TicketClasses | None:
        if "class of" not in self._parts[-1]:
            return None
        keys = [(tuple(sets), tuple(reverted)) for sets, reverted in table(self._parts, "classes")]
        return TicketClasses(self._patched("class of"), keys)

    def _relations(self, graph: Graph, said: Statements, contained: Containment) -> Relations:
        picks: dict[int, tuple[Pick, ...]] = {}
        reverts: dict[int, tuple[Revert, ...]] = {}
        targets: dict[int, tuple[int, ...]] = {}
        for commit, sources, named, back in table(self._parts, "relations"):
            # What stands in the tail takes the place of what stands in the whole.
            picks[commit] = _picks(commit, sources, graph.ids)
            reverts[commit] = tuple([Revert(commit=commit, reverted=one, by_id=by_id) for one, by_id in named])
            targets[commit] = tuple(back)
        return Relations.restored(
            graph,
            said,
            contained.bits,
            picks={commit: found for commit, found in picks.items() if found},
            reverts={commit: found for commit, found in reverts.items() if found},
            targets={commit: found for commit, found in targets.items() if found},
            doubtful=self._rest["doubtful"],
        )


def _keys(part: Sections) -> list[str]:
    text = bytes(part["keys"]).decode("utf-8", "surrogatepass")
    return text.split("\n") if text else []


def _picks(commit: int, picks: Iterable[tuple[int | None, str, int]], ids: Sequence[str]) -> tuple[Pick, ...]:
    return tuple(
        [
            Pick(commit=commit, source=source, source_id=text if source is None else ids[source], layer=LAYERS[layer])
            for source, text, layer in picks
        ]
    )


def _sources(texts: Iterable[bytes]) -> Sources:
    return {commit: tuple(ids) for text in texts for commit, ids in json.loads(text)}


def _claims(texts: Iterable[bytes]) -> Claims:
    return {
        commit: Claim(ids=tuple(ids), names=tuple(names), quoted=tuple(quoted))
        for text in texts
        for commit, ids, names, quoted in json.loads(text)
    }


def _tips(kept: dict[str, Any]) -> Tips:
    return Tips(
        releases=tuple(ReleaseTip(*one) for one in kept["releases"]),
        heads=tuple((branch, commit) for branch, commit in kept["heads"]),
        others=tuple(kept["others"]),
        tags=kept["tags"],
    )
