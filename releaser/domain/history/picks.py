"""Which commits are copies of which: recognised in layers, each with its own confidence.

A trailer (`(cherry picked from commit …)`) is a statement and is believed, also where its source is missing here. Equal
author, author date and subject are believed where they bring the change somewhere the source is not, or stand beside it
on another branch: of two in a row, which imports from other systems are full of, each is its own. The third layer, the
same ticket, is no copy at all and is told by the ticket table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice

from releaser.domain.history.graph import Graph
from releaser.domain.history.views import Pick, PickLayer
from releaser.domain.quoting import is_quoted

LARGEST_MERGE = 2000
# Twins further apart than this are left alone: there may be very many.
FURTHEST_TWIN = 2000
# A message of megabytes may be nothing but trailers.
MOST_SOURCES = 1000
_TRAILER = re.compile(
    r"(?<!not )\bcherry[- ]picked from commit ([0-9a-f]{7,64})\b|^[ \t]*cherry-picked-from: *([0-9a-f]{7,64})\b",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBERED = re.compile(r"(?: \(#[0-9]{1,9}\))+$")


def named_sources(message: str) -> tuple[str, ...]:
    """The ids that the message says it was picked from, nearest source first (git appends at the end).

    What it only quotes, such as the subject of a pick that it reverts, is left out.
    """
    return _sources(message, quoted=False)


def quoted_sources(message: str) -> tuple[str, ...]:
    """The ids that stand in what the message quotes: evidence of what was picked elsewhere, and no pick."""
    return _sources(message, quoted=True)


def _sources(message: str, *, quoted: bool) -> tuple[str, ...]:
    if "picked" not in message:
        return ()
    matches = islice(_TRAILER.finditer(message), MOST_SOURCES)
    found = [(one[1] or one[2]).lower() for one in matches if is_quoted(message, *one.span()) is quoted]
    return tuple(dict.fromkeys(reversed(found)))


def by_trailer(graph: Graph, named: Mapping[int, Sequence[str]]) -> list[Pick]:
    """Every trailer as a pick; `source` is None where the commit it names is not here."""
    found = []
    for commit in sorted(named):
        for text in named[commit]:
            source = graph.find(text)
            if source != commit:
                source_id = graph.ids[source] if source is not None else text
                found.append(Pick(commit=commit, source=source, source_id=source_id, layer=PickLayer.TRAILER))
    return found


def by_authorship(
    graph: Graph,
    *,
    authored: Sequence[int],
    committed: Sequence[int],
    mails: Sequence[str],
    subject: Callable[[int], str],
    known: Iterable[Pick],
    bits: Callable[[int], int],
) -> list[Pick]:
    """Commits of one author, author date and subject: all are picks of the one committed first."""
    related = {(pick.commit, pick.source) for pick in known}
    # Dates alone first: they rule nearly every commit out without touching a text.
    dates = {date for date, count in Counter(authored).items() if count > 1}
    groups: dict[tuple[int, str, str], list[int]] = {}
    for commit, date in enumerate(authored):
        if date in dates and commit not in graph.more and (text := _NUMBERED.sub("", subject(commit))):
            groups.setdefault((date, mails[commit], text), []).append(commit)
    found = []
    for group in groups.values():
        source = min(group, key=lambda one: (committed[one], one))
        for commit in group:
            if commit == source or (commit, source) in related or (source, commit) in related:
                continue
            if bits(commit) & ~bits(source) or _apart(graph, commit, source):
                found.append(
                    Pick(commit=commit, source=source, source_id=graph.ids[source], layer=PickLayer.AUTHORSHIP)
                )
    return found


def _apart(graph: Graph, one: int, other: int) -> bool:
    """Whether it is certain that neither descends from the other: then one is the other again, rebased or merged twice.

    Of two in a row, such as imports from other systems have many, each says something of its own.
    """
    older, younger = sorted((one, other))
    return not graph.is_ancestor(older, younger, limit=FURTHEST_TWIN, otherwise=True)


class Copies:
    """Who carries which change. A change is named by its *origin*, the commit that is nobody's copy."""

    def __init__(self, graph: Graph, picks: Sequence[Pick]) -> None:
        self._graph = graph
        self.picks_of: dict[int, list[Pick]] = {}
        for pick in picks:
            self.picks_of.setdefault(pick.commit, []).append(pick)
        self._origins: dict[int, frozenset[int]] = {}
        self._carriers: dict[int, list[int]] = {}
        for commit in self.picks_of:
            for origin in self.origins(commit):
                if origin != commit:
                    self._carriers.setdefault(origin, [origin]).append(commit)

    def origins(self, commit: int) -> frozenset[int]:
        """The changes that a commit carries; a commit that is no copy carries itself."""
        if commit not in self.picks_of:
            return frozenset((commit,))
        done = self._origins.get(commit)
        return done if done is not None else self._trace(commit)

    def _trace(self, commit: int) -> frozenset[int]:
        """Follow picks to their ends, without recursion: chains are as long as their author likes."""
        ends: set[int] = set()
        seen = {commit}
        stack = [commit]
        while stack:
            at = stack.pop()
            ups = [pick.source for pick in self.picks_of.get(at, ()) if pick.source is not None]
            if not ups:
                ends.add(at)
            for up in ups:
                if up not in seen:
                    seen.add(up)
                    stack.append(up)
        # Two commits that claim each other have no end: then they are their own.
        answer = self._origins[commit] = frozenset(ends) or frozenset((commit,))
        return answer

    def same(self, commit: int) -> list[int]:
        """Every commit that carries a change of this one, itself included."""
        found: dict[int, None] = {commit: None}
        for origin in self.origins(commit):
            found.update(dict.fromkeys(self._carriers.get(origin, ())))
        return list(found)

    def is_copied(self, commit: int) -> bool:
        """Whether there is any other commit with a change of this one."""
        return commit in self.picks_of or commit in self._carriers

    @cached_property
    def by_merge(self) -> Mapping[int, list[int]]:
        """For a commit that a merge brought in: the picks of that whole merge."""
        found: dict[int, list[int]] = {}
        for origin, carriers in self._carriers.items():
            if origin in self._graph.more:
                for commit in self._graph.side_of(origin, limit=LARGEST_MERGE):
                    found.setdefault(commit, []).extend(carriers[1:])
        return found

    def may_be_elsewhere(self, commit: int) -> bool:
        """Whether `everywhere` has more to tell than the commit itself: the quick question first."""
        return commit in self.picks_of or commit in self._carriers or commit in self.by_merge

    def everywhere(self, commit: int) -> list[int]:
        """Every commit that brings this one's change, picks of the merge that brought it included."""
        found = dict.fromkeys(self.same(commit))
        found.update(dict.fromkeys(self.by_merge.get(commit, ())))
        return list(found)
