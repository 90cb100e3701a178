"""New commits brought into order: git prints children first, by date; here parents stand first.

Clocks that went wrong break git's order too in real histories, in few places: only there anything is sorted.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from releaser.domain.history.ids import Ids
from releaser.domain.history.said import Said


class Arrival:
    """The commits of `said` from place `base` on. `first` and `second` are places of parents, `rest` the others of an octopus."""

    def __init__(self, said: Said, known: Ids) -> None:
        self.base = len(known)
        self._end = self.base + len(said)
        ups, several = self._linked(said, known)

        def parents_of(commit: int) -> Sequence[int]:
            return several.get(commit) or (ups[commit - self.base],)

        self._windows = [(start, _sorted(start, end, parents_of)) for start, end in _windows(ups, several, self.base)]
        self._moved = {
            old: new for start, olds in self._windows for new, old in enumerate(olds, start=start) if new != old
        }
        if self._moved:
            ups, several = self._renamed(ups, several)
        self.first = array("i", ups)
        self.second = array("i", [-1]) * len(ups)
        self.rest: dict[int, tuple[int, ...]] = {}
        for commit, parents in several.items():
            if len(parents) > 1:
                self.second[commit - self.base] = parents[1]
            if len(parents) > 2:
                self.rest[commit] = parents[2:]

    def place(self, printed: int) -> int:
        """Where the commit stands now that was printed as the `printed`-th."""
        turned = self._end - 1 - printed
        return self._moved.get(turned, turned)

    def places(self, printed: Iterable[int]) -> list[int]:
        """`place` of many."""
        last, moved = self._end - 1, self._moved
        if not moved:
            return [last - one for one in printed]
        return [moved.get(last - one, last - one) for one in printed]

    def numbers(self, column: array[int]) -> array[int]:
        """A column of `said` in the new order."""
        found = column[::-1]
        for start, olds in self._windows:
            here = array(column.typecode, [found[old - self.base] for old in olds])
            found[start - self.base : start - self.base + len(olds)] = here
        return found

    def texts(self, column: list[str]) -> list[str]:
        """Likewise for text."""
        found = column[::-1]
        for start, olds in self._windows:
            found[start - self.base : start - self.base + len(olds)] = [found[old - self.base] for old in olds]
        return found

    def _linked(self, said: Said, known: Ids) -> tuple[list[int], dict[int, tuple[int, ...]]]:
        """The first parent of every commit, and all parents of those that have several."""
        last = self._end - 1
        texts = said.parents[::-1]
        # One parent is by far the most common case, and then the text is the key as it stands.
        ups = [last - place if place >= 0 else -1 for place in map(said.places.get, texts, repeat(-1))]
        older: dict[str, int] = {}
        if self.base:
            for place, text in enumerate(texts):
                if ups[place] < 0 and text and " " not in text:
                    ups[place] = _older(text, known, older)
        several: dict[int, tuple[int, ...]] = {}
        for printed in said.merges:
            parents = self._several(said, printed, known, older)
            ups[last - printed - self.base] = parents[0] if parents else -1
            if len(parents) > 1:
                several[last - printed] = parents
        return ups, several

    def _several(self, said: Said, printed: int, known: Ids, older: dict[str, int]) -> tuple[int, ...]:
        found: list[int] = []
        for one in dict.fromkeys(said.parents[printed].split(" ")):
            place = said.places.get(one, -1)
            found.append(self._end - 1 - place if place >= 0 else _older(one, known, older))
        return tuple(one for one in found if one >= 0)

    def _renamed(
        self, ups: list[int], several: Mapping[int, tuple[int, ...]]
    ) -> tuple[list[int], dict[int, tuple[int, ...]]]:
        moved = self._moved
        for start, olds in self._windows:
            ups[start - self.base : start - self.base + len(olds)] = [ups[old - self.base] for old in olds]
        parents = {moved.get(commit, commit): tuple(moved.get(up, up) for up in of) for commit, of in several.items()}
        return [moved.get(up, up) for up in ups], parents


def _older(text: str, known: Ids, found: dict[str, int]) -> int:
    """The place of a commit that was known before, -1 for one that is not in the history."""
    if text not in found:
        place = known.place(text)
        found[text] = place if place is not None else -1
    return found[text]


def _windows(ups: Sequence[int], several: Mapping[int, Sequence[int]], base: int) -> list[tuple[int, int]]:
    """From where to where, the end included, commits stand before their parents."""
    wrong = [(commit, up) for commit, up in enumerate(ups, start=base) if up > commit]
    wrong += ((commit, up) for commit, parents in several.items() for up in parents if up > commit)
    found: list[tuple[int, int]] = []
    for start, end in sorted(wrong):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _sorted(start: int, end: int, parents_of: Callable[[int], Sequence[int]]) -> list[int]:
    """These commits with parents first, otherwise in their order."""
    placed: dict[int, None] = {}
    for commit in range(start, end + 1):
        stack = [commit]
        while stack:
            at = stack[-1]
            missing = [up for up in parents_of(at) if start <= up <= end and up not in placed]
            if missing and at not in placed:
                stack += missing
                continue
            stack.pop()
            placed[at] = None
    return list(placed)
