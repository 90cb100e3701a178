"""From batches of commits to a `History`. Batches are looked through while git is still busy with the next ones."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime

from releaser.domain.history import picks, reverts
from releaser.domain.history.graph import Graph, parents_first
from releaser.domain.history.history import Columns, History, instant, subject_of
from releaser.domain.history.records import CommitBatch, Refs
from releaser.domain.history.releases import read_heads, read_tags
from releaser.domain.history.views import Head, Pick, Revert, TaggedRelease
from releaser.domain.ticket import TicketLink, TicketPatterns, ticket_links
from releaser.domain.version import TagFormat

_FURTHEST = 2**62


class HistoryBuilder:
    """Takes batches in the order git prints them (newest first), then the refs; answers the history once."""

    def __init__(self, *, tag_format: TagFormat, patterns: TicketPatterns, line_branch: str = "{line}") -> None:
        """`line_branch` names a line's branch with `{line}`; see `releases.read_heads`."""
        self._tag_format = tag_format
        self._patterns = patterns
        self._line_branch = line_branch
        self._ids: list[str] = []
        self._parents: list[str] = []
        self._columns = Columns(authored=array("q"), committed=array("q"), names=[], mails=[], messages=[])
        self._links: dict[int, tuple[TicketLink, ...]] = {}
        self._sources: dict[int, tuple[str, ...]] = {}
        self._suspects: list[int] = []
        self._seen: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, batch: CommitBatch) -> None:
        """Take some more commits, all older than or beside those before."""
        base = len(self._ids)
        self._ids += batch.ids
        self._parents += batch.parents
        self._columns.authored.extend(_seconds(batch.authored))
        self._columns.committed.extend(_seconds(batch.committed))
        # A name stands in hundreds of commits and is kept once.
        self._columns.names += map(self._seen.setdefault, batch.names, batch.names)
        self._columns.mails += map(self._seen.setdefault, batch.mails, batch.mails)
        self._columns.messages += batch.messages
        self._look_through(base, batch.messages)

    def _look_through(self, base: int, messages: Sequence[str]) -> None:
        patterns, links = self._patterns, self._links
        for place in patterns.hopeful(messages):
            found = ticket_links(messages[place], patterns)
            if found:
                links[base + place] = found
        for place, message in enumerate(messages):
            if "picked" in message and (named := picks.named_sources(message)):
                self._sources[base + place] = named
        self._suspects += [base + place for place, message in enumerate(messages) if reverts.may_revert(message)]

    def finish(self, refs: Refs) -> History:
        """Compute everything. `refs` are the same that the commits were read from; call it once."""
        places = self._oldest_first()
        graph, columns = self._graph, self._columns

        def committed_at(commit: str) -> datetime | None:
            place = graph.find(commit)
            return instant(columns.committed[place]) if place is not None else None

        releases, unread = read_tags(refs.tags, tag_format=self._tag_format, committed_at=committed_at)
        heads = tuple(
            head
            for head in read_heads(refs, releases, line_branch=self._line_branch)
            if graph.find(head.commit) is not None
        )
        set_of, sets = graph.containment(_own_bits(graph, releases, heads))
        found_picks = self._picks(graph, places, set_of, sets)
        return History(
            graph=graph,
            columns=columns,
            links={places[commit]: links for commit, links in self._links.items()},
            releases=releases,
            unread_tags=unread,
            heads=heads,
            set_of=set_of,
            sets=sets,
            picks=found_picks,
            reverts=self._reverts(graph, places, set_of, sets),
        )

    def _oldest_first(self) -> Sequence[int]:
        """Turn everything round; answers where each commit, counted as it came, stands now."""
        columns = self._columns
        self._ids.reverse()
        self._parents.reverse()
        for column in (columns.authored, columns.committed, columns.names, columns.mails, columns.messages):
            column.reverse()
        last = len(self._ids) - 1
        self._graph = Graph(self._ids, self._parents)
        self._parents = []
        wanted = parents_first(self._graph.first, self._graph.more)
        if wanted is None:
            return range(last, -1, -1)
        self._columns = Columns(
            authored=array("q", map(columns.authored.__getitem__, wanted)),
            committed=array("q", map(columns.committed.__getitem__, wanted)),
            names=list(map(columns.names.__getitem__, wanted)),
            mails=list(map(columns.mails.__getitem__, wanted)),
            messages=list(map(columns.messages.__getitem__, wanted)),
        )
        self._graph = self._graph.reordered(wanted)
        places = [0] * len(wanted)
        for new, old in enumerate(wanted):
            places[last - old] = new
        return places

    def _picks(self, graph: Graph, places: Sequence[int], set_of: Sequence[int], sets: Sequence[int]) -> list[Pick]:
        named = picks.by_trailer(graph, {places[commit]: ids for commit, ids in self._sources.items()})
        messages = self._columns.messages
        return named + picks.by_authorship(
            graph,
            authored=self._columns.authored,
            committed=self._columns.committed,
            mails=self._columns.mails,
            subject=lambda commit: subject_of(messages[commit]),
            known=named,
            bits=lambda commit: sets[set_of[commit]],
        )

    def _reverts(self, graph: Graph, places: Sequence[int], set_of: Sequence[int], sets: Sequence[int]) -> list[Revert]:
        messages = self._columns.messages
        return reverts.resolve(
            graph,
            suspects={places[commit]: messages[places[commit]] for commit in self._suspects},
            messages=lambda: messages,
            bits=lambda commit: sets[set_of[commit]],
        )


def _own_bits(graph: Graph, releases: Iterable[TaggedRelease], heads: Iterable[Head]) -> dict[int, int]:
    found: dict[int, int] = {}
    tips = [(release.commit, release.rank) for release in releases] + [(head.commit, head.bit) for head in heads]
    for commit, bit in tips:
        place = graph.find(commit)
        if place is not None:
            found[place] = found.get(place, 0) | 1 << bit
    return found


def _seconds(texts: Sequence[str]) -> Iterable[int]:
    """Seconds as numbers. Broken author lines have none, and hostile ones are beyond any clock."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        numbers = [int(text) if text.isascii() and text.isdigit() else 0 for text in texts]
    return (
        numbers
        if not numbers or max(map(abs, numbers)) < _FURTHEST
        else [n if abs(n) < _FURTHEST else 0 for n in numbers]
    )
