"""Which releases and branches contain each commit: computed over all commits at once, and kept up to date.

A set of tips is an integer, one bit per tip. Commits have the number of their set; real histories have about as many
distinct sets as releases, whatever the number of commits. A number keeps its commits as far as can be: when a tip is new, the
sets that it contains whole only get one bit more.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from releaser.domain.history.graph import Graph, Parents

EMPTY = 0
"""The number of the set without any tip."""
_FIRST_LOOK = 4096
_NOBODY: array[int] = array("i")


class Containment:
    """`set_of` has a set number for every commit, `sets` the sets by number, `counts` how many commits each has."""

    __slots__ = ("_grouped", "_looked_at", "counts", "set_of", "sets")

    def __init__(
        self, set_of: array[int] | None = None, sets: list[int] | None = None, counts: list[int] | None = None
    ) -> None:
        self.set_of = array("i") if set_of is None else set_of
        self.sets = [0] if sets is None else sets
        self.counts = [0] * len(self.sets) if counts is None else counts
        self._grouped: dict[int, array[int]] | None = None
        self._looked_at = 0

    def copy(self) -> Containment:
        """An independent one."""
        copied = Containment(self.set_of[:], self.sets[:], self.counts[:])
        # The arrays in it are never changed, only replaced.
        copied._grouped = self._grouped.copy() if self._grouped is not None else None
        return copied

    def commits_of(self, numbers: Collection[int]) -> list[int]:
        """The commits of some sets, in no order.

        What is asked for most is new, so the newest are looked at first, and no more than needed; whoever asks for so much that all
        were looked at in sum has them grouped, which is kept up to date from then on.
        """
        if self._grouped is None and self._looked_at < len(self.set_of):
            return self._looked_for(set(numbers))
        if self._grouped is None:
            self._grouped = _by_set(self.set_of, 0)
        grouped = self._grouped
        return [commit for number in numbers for commit in grouped.get(number, _NOBODY)]

    def _looked_for(self, wanted: set[int]) -> list[int]:
        found: list[int] = []
        missing = sum(self.counts[number] for number in wanted)
        end, step = len(self.set_of), _FIRST_LOOK
        while end and len(found) < missing:
            start = max(0, end - step)
            found += [commit for commit, number in enumerate(self.set_of[start:end], start) if number in wanted]
            end, step = start, 2 * step
        self._looked_at += len(self.set_of) - end
        return found

    def bits(self, commit: int) -> int:
        """The tips that contain a commit."""
        return self.sets[self.set_of[commit]]

    def renumber(self, moved: Sequence[int | None]) -> None:
        """Give every tip another bit: `moved[old]` is the new one, None for a tip that is gone. The order of bits stays."""
        runs = _runs(moved)
        if runs != [(0, len(moved), 0)]:
            self.sets = [_shifted(bits, runs) for bits in self.sets]

    def add(
        self, graph: Graph, wanted: Mapping[int, int], *, tips: Mapping[int, int], before: Sequence[int]
    ) -> list[int]:
        """Add bits (`wanted`: commit -> bits) to commits and all of their ancestors; the commits that changed their set.

        `before` are the sets as they were while `tips` (commit -> its bit then) was true: the ancestors of a tip are just the
        commits of the sets that have its bit, so that below a tip whole sets are changed and nothing is walked.
        """
        sets, set_of = self.sets, self.set_of
        waiting = dict(wanted)
        heap = [(-graph.when[commit], commit) for commit in waiting]
        heapify(heap)
        moved: dict[tuple[int, int], list[int]] = {}
        while heap:
            _, commit = heappop(heap)
            number = set_of[commit]
            more = waiting.pop(commit) & ~sets[number]
            if not more:
                continue
            if commit in tips:
                bit = tips[commit]
                for one, bits in enumerate(before):
                    if bits >> bit & 1:
                        sets[one] |= more
                continue
            moved.setdefault((number, more), []).append(commit)
            for parent in graph.parents(commit):
                if parent in waiting:
                    waiting[parent] |= more
                else:
                    waiting[parent] = more
                    heappush(heap, (-graph.when[parent], parent))
        return self._move(moved)

    def _move(self, moved: Mapping[tuple[int, int], Sequence[int]]) -> list[int]:
        """Give commits of one set the bits they lack: to the set itself if these are all of it, else by another set."""
        sets, counts = self.sets, self.counts
        parts = {}
        for (number, more), commits in moved.items():
            if number != EMPTY and len(commits) == counts[number]:
                sets[number] |= more
            else:
                parts[number, more] = commits
        found: list[int] = []
        if parts:
            numbers = self._numbers()
            for (number, more), commits in parts.items():
                other = self._number(numbers, sets[number] | more)
                counts[number] -= len(commits)
                counts[other] += len(commits)
                for commit in commits:
                    self.set_of[commit] = other
                self._regroup(commits, number, other)
                found += commits
        return found

    def _regroup(self, commits: Sequence[int], before: int, now: int) -> None:
        if self._grouped is not None:
            gone = set(commits)
            self._grouped[before] = array("i", [one for one in self._grouped[before] if one not in gone])
            self._grouped[now] = self._grouped.get(now, _NOBODY) + array("i", commits)

    def append(self, of: Sequence[int], sets: Sequence[int]) -> None:
        """Put more commits at the end; `of` are places in `sets`."""
        numbers = self._numbers()
        amounts = [0] * len(sets)
        for one in of:
            amounts[one] += 1
        renamed = [self._number(numbers, bits) if amounts[place] else EMPTY for place, bits in enumerate(sets)]
        for place, amount in enumerate(amounts):
            self.counts[renamed[place]] += amount
        base = len(self.set_of)
        self.set_of.extend(map(renamed.__getitem__, of))
        if self._grouped is not None:
            for number, commits in _by_set(self.set_of, base).items():
                self._grouped[number] = self._grouped.get(number, _NOBODY) + commits

    def _numbers(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for number, bits in enumerate(self.sets):
            found.setdefault(bits, number)
        return found

    def _number(self, numbers: dict[int, int], bits: int) -> int:
        number = numbers.setdefault(bits, len(self.sets))
        if number == len(self.sets):
            self.sets.append(bits)
            self.counts.append(0)
        return number


def _by_set(set_of: array[int], base: int) -> dict[int, array[int]]:
    """The commits from `base` on, by their sets."""
    found: dict[int, list[int]] = {}
    for commit, number in enumerate(set_of[base:], base):
        found.setdefault(number, []).append(commit)
    return {number: array("i", commits) for number, commits in found.items()}


def _runs(moved: Sequence[int | None]) -> list[tuple[int, int, int]]:
    """Neighbouring bits that stay neighbours, as `(first, how many, first of the new ones)`."""
    kept = [(old, new) for old, new in enumerate(moved) if new is not None]
    found: list[tuple[int, int, int]] = []
    start = 0
    for end, ((old, new), (later, moved_to)) in enumerate(pairwise([*kept, (-1, -1)]), start=1):
        if later != old + 1 or moved_to != new + 1:
            found.append((kept[start][0], end - start, kept[start][1]))
            start = end
    return found


def _shifted(bits: int, runs: Iterable[tuple[int, int, int]]) -> int:
    found = 0
    for first, count, target in runs:
        found |= (bits >> first & (1 << count) - 1) << target
    return found


def spread(edges: Parents, base: int, own: Mapping[int, int]) -> tuple[list[int], list[int], dict[int, int]]:
    """The sets of the commits from place `base` on; `own` gives the bits of the tips among them.

    One pass from children to parents. Answers for every such commit a place in the second, the sets, some of which are only
    stages on the way to larger ones; and what reaches commits before `base`, as bits.
    """
    count = len(edges.first) - base
    ups = edges.first.tolist() if not base else [up - base if up >= base else -1 for up in edges.first[base:]]
    stages = _Stages(count)
    of, hand_on = stages.of, stages.hand_on
    stops = {commit - base for commit in own}
    stops.update(place for place, second in enumerate(edges.second[base:]) if second >= 0)
    last = count - 1
    for stop in (*sorted(stops, reverse=True), -1):
        # Between the stops there are only commits with one parent and no bits of their own.
        for commit in range(last, stop, -1):
            if of[ups[commit]] != of[commit]:
                hand_on(ups[commit], of[commit])
        if stop >= 0:
            stages.add(stop, own.get(stop + base, 0))
            for parent in edges.of(stop + base):
                hand_on(parent - base if parent >= base else -1, of[stop])
        last = stop - 1
    of.pop()
    return of, stages.sets, _leaving(edges, base, of, stages.sets) if base else {}


class _Stages:
    """Sets while they grow: `of` has a number for every commit, and one more, at the place -1, for what roots hand on."""

    __slots__ = ("_joined", "_numbers", "of", "sets")

    def __init__(self, count: int) -> None:
        self.of = [0] * (count + 1)
        self.sets = [0]
        self._numbers = {0: 0}
        self._joined: dict[tuple[int, int], int] = {}

    def _number(self, bits: int) -> int:
        number = self._numbers.setdefault(bits, len(self.sets))
        if number == len(self.sets):
            self.sets.append(bits)
        return number

    def add(self, commit: int, bits: int) -> None:
        """A tip's own bits."""
        if bits:
            self.of[commit] = self._number(self.sets[self.of[commit]] | bits)

    def hand_on(self, up: int, mine: int) -> None:
        """What a child has its parent has too."""
        theirs = self.of[up]
        if theirs == mine or not mine:
            return
        number = self._joined.get((theirs, mine)) if theirs else mine
        if number is None:
            number = self._joined[theirs, mine] = self._number(self.sets[theirs] | self.sets[mine])
        self.of[up] = number


def _leaving(edges: Parents, base: int, of: Sequence[int], sets: Sequence[int]) -> dict[int, int]:
    """What is handed on to commits before `base`."""
    found: dict[int, int] = {}
    for place, number in enumerate(of):
        for parent in edges.of(base + place):
            if parent < base:
                found[parent] = found.get(parent, 0) | sets[number]
    return found
