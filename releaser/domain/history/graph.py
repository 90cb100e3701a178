"""The commit graph in flat columns, and walks over it. A commit is its place here; parents stand before their children.

Places tell when a commit was read, which may be any day. What is told to people must not depend on that, so whatever has an
order is ordered by `order`: the commit's date, but later than its parents' whatever the clocks said, then its id.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import groupby

from releaser.domain.history.ids import Ids

SHORTEST_ID = 7


@dataclass(slots=True, kw_only=True)
class Parents:
    """The edges: `first` and `second` are places of parents, -1 for none; `rest` has the others of an octopus.

    Parents that are not in the history are left out.
    """

    first: array[int] = field(default_factory=lambda: array("i"))
    second: array[int] = field(default_factory=lambda: array("i"))
    rest: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def of(self, commit: int) -> tuple[int, ...]:
        """The parents of one commit, in their order."""
        second = self.second[commit]
        if second >= 0:
            return (self.first[commit], second, *self.rest.get(commit, ()))
        first = self.first[commit]
        return (first,) if first >= 0 else ()

    def copy(self) -> Parents:
        """An independent one."""
        return Parents(first=self.first[:], second=self.second[:], rest=dict(self.rest))


class Merges(Mapping[int, tuple[int, ...]]):
    """Merge -> its parents."""

    __slots__ = ("_parents",)

    def __init__(self, parents: Parents) -> None:
        self._parents = parents

    def __getitem__(self, commit: int) -> tuple[int, ...]:
        if commit in self:
            return self._parents.of(commit)
        raise KeyError(commit)

    def __contains__(self, commit: object) -> bool:
        return isinstance(commit, int) and self._parents.second[commit] >= 0

    def __iter__(self) -> Iterator[int]:
        return (commit for commit, second in enumerate(self._parents.second) if second >= 0)

    def __len__(self) -> int:
        return len(self._parents.second) - self._parents.second.count(-1)

    def items(self) -> ItemsView[int, tuple[int, ...]]:
        """Every merge with its parents."""
        return {commit: self._parents.of(commit) for commit in self}.items()


class Graph:
    """Ids, parents and dates. `lost` are commits that nothing leads to any more; they are never found."""

    __slots__ = ("edges", "ids", "lost", "more", "when")

    def __init__(self, ids: Ids, edges: Parents, when: array[int], lost: set[int] | None = None) -> None:
        self.ids = ids
        self.edges = edges
        self.more = Merges(edges)
        self.when = when
        """For every commit its date in seconds, or one second after its youngest parent's if that is later."""
        self.lost: set[int] = set() if lost is None else lost

    def __len__(self) -> int:
        return len(self.ids) - len(self.lost)

    def parents(self, commit: int) -> tuple[int, ...]:
        """The parents' places."""
        return self.edges.of(commit)

    def order(self, commit: int) -> tuple[int, bytes]:
        """By this commits are ordered, older ones first; a commit comes after its ancestors."""
        return self.when[commit], self.ids.raw_of(commit)

    def oldest_first(self, commits: Iterable[int]) -> list[int]:
        """These commits in the order that people are told."""
        return self._ordered(commits, reverse=False)

    def newest_first(self, commits: Iterable[int]) -> list[int]:
        """Likewise the other way round."""
        return self._ordered(commits, reverse=True)

    def _ordered(self, commits: Iterable[int], *, reverse: bool) -> list[int]:
        found = list(commits)
        if len(found) < 2:
            return found
        found.sort(key=self.when.__getitem__, reverse=reverse)
        dates = list(map(self.when.__getitem__, found))
        # Nearly always dates alone decide; ids are only needed among those that share one.
        if len(set(dates)) < len(dates):
            start = 0
            for _, run in groupby(dates):
                end = start + sum(1 for _ in run)
                if end - start > 1:
                    found[start:end] = sorted(found[start:end], key=self.ids.raw_of, reverse=reverse)
                start = end
        return found

    def find(self, named: str) -> int | None:
        """The commit with that full id, or the only one whose id starts so (seven digits at least)."""
        if len(named) < SHORTEST_ID:
            return None
        fits = self.starting(named)
        return fits[0] if len(fits) == 1 else None

    def starting(self, prefix: str) -> list[int]:
        """Every commit whose id starts so, in no order."""
        found = self.ids.starting(prefix)
        return [one for one in found if one not in self.lost] if self.lost else found

    def side_of(self, merge: int, *, limit: int) -> list[int]:
        """What a merge brought in: reachable from its other parents and not from its first; the `limit` newest at most.

        Walks down by order, so a commit is judged after all of its children.
        """
        main, *others = self.parents(merge)
        wanted = {other: True for other in others if other != main}
        wanted[main] = False
        heap = [(-self.when[commit], self.ids.raw_of(commit), commit) for commit in wanted]
        heapify(heap)
        open_ends = sum(wanted.values())
        found: list[int] = []
        while heap and open_ends and len(found) < limit:
            commit = heappop(heap)[2]
            mine = wanted[commit]
            if mine:
                open_ends -= 1
                found.append(commit)
            for parent in self.parents(commit):
                if parent not in wanted:
                    wanted[parent] = mine
                    open_ends += mine
                    heappush(heap, (-self.when[parent], self.ids.raw_of(parent), parent))
                elif wanted[parent] and not mine:
                    wanted[parent] = False
                    open_ends -= 1
        return found

    def is_ancestor(self, older: int, younger: int, *, limit: int, otherwise: bool = False) -> bool:
        """Whether `younger` descends from `older`; looks at `limit` commits at most and then says `otherwise`."""
        found = self.descends(younger, older, limit=limit)
        return otherwise if found is None else found

    def descends(self, younger: int, older: int, *, limit: int, through: Collection[int] = ()) -> bool | None:
        """Whether `younger` descends from `older`; None when that is not known after looking at `limit` commits.

        Of `through` it is known that they do.
        """
        found, unknown = self.ancestors(younger, (older,), limit=limit, through=through)
        return None if unknown else bool(found)

    def ancestors(
        self, younger: int, among: Iterable[int], *, limit: int, through: Collection[int] = ()
    ) -> tuple[set[int], set[int]]:
        """Those `among` the commits that `younger` descends from, and those of which that is not known.

        The newest of its ancestors are looked at first, and `limit` of them at most. Of `through` it is known that they
        descend from all.
        """
        when, parents = self.when, self.edges.of
        wanted = {one for one in among if when[one] < when[younger]}
        found: set[int] = set()
        if not wanted:
            return found, wanted
        since = min(when[one] for one in wanted)
        heap = [(-when[younger], younger)]
        seen = {younger}
        while heap and len(seen) < limit:
            for parent in parents(heappop(heap)[1]):
                if parent in wanted:
                    found.add(parent)
                    wanted.discard(parent)
                    if not wanted:
                        return found, wanted
                    since = min(when[one] for one in wanted)
                if parent in through:
                    return found | wanted, set()
                if when[parent] > since and parent not in seen:
                    seen.add(parent)
                    heappush(heap, (-when[parent], parent))
        # Below the newest that was not looked at, nothing is sure.
        newest = -heap[0][0] if heap else since
        return found, {one for one in wanted if when[one] < newest}


def members(bits: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    # As text, because taking single bits off a number of a thousand bits copies all the others each time.
    text = bin(bits)[:1:-1]
    found: list[int] = []
    place = text.find("1")
    while place >= 0:
        found.append(place)
        place = text.find("1", place + 1)
    return found
