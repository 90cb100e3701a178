"""The commit graph in flat arrays, parents before children, and what is computed over all of it at once.

A commit is its index here. Sets of releases are integers, one bit per release, each distinct set kept once: real
histories have about as many distinct sets as releases, whatever the number of commits.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

SHORTEST_ID = 7


class Graph:
    """Ids and parents. `first[i]` is the only or first parent (-1 for a root), `more[i]` all parents of a merge.

    Parents that are not in the history (it was read from known commits on) are left out.
    """

    __slots__ = ("_sorted", "_where", "first", "ids", "more")

    def __init__(self, ids: list[str], parents: Sequence[str]) -> None:
        """`ids` and `parents` (ids joined by blanks) in an order with parents first; see `parents_first`."""
        self.ids = ids
        self._where = dict(zip(ids, range(len(ids)), strict=True))
        self.first, self.more = _linked(self._where, parents)
        self._sorted: list[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def reordered(self, wanted: Sequence[int]) -> Graph:
        """The same commits in another order: `wanted[n]` is the present index of the n-th."""
        moved = array("i", bytes(4 * len(wanted)))
        for new, old in enumerate(wanted):
            moved[old] = new
        graph = Graph([self.ids[old] for old in wanted], ())
        graph.first = array("i", [moved[up] if (up := self.first[old]) >= 0 else -1 for old in wanted])
        graph.more = {moved[old]: tuple(moved[up] for up in ups) for old, ups in self.more.items()}
        return graph

    def parents(self, commit: int) -> tuple[int, ...]:
        """The parents' indexes."""
        if commit in self.more:
            return self.more[commit]
        return (self.first[commit],) if self.first[commit] >= 0 else ()

    def find(self, named: str) -> int | None:
        """The commit with that full id, or the only one whose id starts so (seven digits at least)."""
        exact = self._where.get(named)
        if exact is not None or len(named) < SHORTEST_ID:
            return exact
        if self._sorted is None:
            self._sorted = sorted(self.ids)
        place = bisect_left(self._sorted, named)
        fits = [one for one in self._sorted[place : place + 2] if one.startswith(named)]
        return self._where[fits[0]] if len(fits) == 1 else None

    def containment(self, bits: Mapping[int, int]) -> tuple[array[int], list[int]]:
        """For every commit the set of tips that contain it; `bits` gives a tip's own bits.

        One pass from children to parents. Answers a set number per commit, and the sets by number; 0 is the empty set.
        """
        sets = [0]
        numbers = {0: 0}
        joined: dict[tuple[int, int], int] = {}
        of = [0] * len(self.ids)

        def join(one: int, other: int, extra: int = 0) -> int:
            union = sets[one] | sets[other] | extra
            number = numbers.setdefault(union, len(sets))
            if number == len(sets):
                sets.append(union)
            return number

        first, more = self.first, self.more
        for commit in range(len(of) - 1, -1, -1):
            mine = of[commit]
            if commit in bits:
                of[commit] = mine = join(mine, mine, bits[commit])
            for up in more.get(commit, (first[commit],)):
                if up < 0 or (theirs := of[up]) == mine:
                    continue
                if not theirs:
                    of[up] = mine
                    continue
                pair = (theirs, mine)
                if pair not in joined:
                    joined[pair] = join(theirs, mine)
                of[up] = joined[pair]
        return _compact(of, sets)

    def side_of(self, merge: int, *, limit: int) -> list[int]:
        """What a merge brought in: reachable from its other parents and not from its first; at most `limit`.

        Walks down by index, which is topological, so a commit is judged after all of its children.
        """
        main, *others = self.parents(merge)
        wanted = {other: True for other in others if other != main}
        wanted[main] = False
        heap = [-commit for commit in wanted]
        heap.sort()
        open_ends = sum(wanted.values())
        found: list[int] = []
        while heap and open_ends and len(found) < limit:
            commit = -heappop(heap)
            mine = wanted[commit]
            if mine:
                open_ends -= 1
                found.append(commit)
            for parent in self.parents(commit):
                if parent not in wanted:
                    wanted[parent] = mine
                    open_ends += mine
                    heappush(heap, -parent)
                elif wanted[parent] and not mine:
                    wanted[parent] = False
                    open_ends -= 1
        return found

    def is_ancestor(self, older: int, younger: int, *, limit: int, otherwise: bool = False) -> bool:
        """Whether `younger` descends from `older`; looks at `limit` commits at most and then says `otherwise`."""
        seen = {younger}
        stack = [younger]
        while stack and len(seen) < limit:
            for parent in self.parents(stack.pop()):
                if parent == older:
                    return True
                if parent > older and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return otherwise and bool(stack)


def _linked(where: Mapping[str, int], parents: Sequence[str]) -> tuple[array[int], dict[int, tuple[int, ...]]]:
    # One parent is by far the most common case, and then the text is the key as it stands.
    first = array("i", [where.get(text, -1) for text in parents])
    more: dict[int, tuple[int, ...]] = {}
    for commit, text in enumerate(parents):
        if " " in text:
            known = tuple(where[one] for one in dict.fromkeys(text.split(" ")) if one in where)
            if len(known) > 1:
                more[commit] = known
            first[commit] = known[0] if known else -1
    return first, more


def _compact(of: list[int], sets: Sequence[int]) -> tuple[array[int], list[int]]:
    """Forget the sets that were only stages on the way to a larger one."""
    used = sorted(set(of) | {0})
    renamed = {old: new for new, old in enumerate(used)}
    return array("i", map(renamed.__getitem__, of)), [sets[old] for old in used]


def parents_first(first: Sequence[int], more: Mapping[int, Sequence[int]]) -> list[int] | None:
    """A permutation that puts parents before their children, or None when they stand so already.

    git prints by date, children first; clocks that went wrong break that order in real histories, in few places.
    """
    if in_order(first, more):
        return None
    placed = bytearray(len(first))
    found: list[int] = []
    for start in range(len(first)):
        stack = [start]
        while stack:
            commit = stack[-1]
            missing = [up for up in more.get(commit, (first[commit],)) if up >= 0 and not placed[up]]
            if missing and not placed[commit]:
                stack += missing
                continue
            stack.pop()
            if not placed[commit]:
                placed[commit] = 1
                found.append(commit)
    return found


def in_order(first: Sequence[int], more: Mapping[int, Sequence[int]]) -> bool:
    """Whether every parent stands before its children."""
    return not any(up >= commit for commit, up in enumerate(first)) and not any(
        up >= commit for commit, ups in more.items() for up in ups
    )


def members(bits: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    found: list[int] = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found
