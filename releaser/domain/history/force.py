"""Which changes are still in force in which releases.

A commit is in force in a release when the release contains it and contains no revert of it that is in force there
itself. That one rule gives the parity of reverts of reverts, keeps a revert that was picked to one line to that line,
and needs no order of dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from releaser.domain.history.graph import Graph

_NONE: tuple[int, ...] = ()


class InForce:
    """`reverts_of` tells for every revert what it takes back, `by` for every reverted commit what takes it back; newest first.

    A revert descends from what it takes back, so there are no circles.
    """

    def __init__(self, graph: Graph, bits: Callable[[int], int]) -> None:
        self._graph = graph
        self._bits = bits
        self.reverts_of: dict[int, tuple[int, ...]] = {}
        self.by: dict[int, tuple[int, ...]] = {}
        self._force: dict[int, int] = {}

    def copy(self, graph: Graph, bits: Callable[[int], int]) -> InForce:
        """An independent one for the same commits of a graph that goes on."""
        copied = InForce(graph, bits)
        copied.reverts_of = self.reverts_of.copy()
        copied.by = self.by.copy()
        return copied

    def restore(self, reverts_of: dict[int, tuple[int, ...]]) -> None:
        """Take what was found before."""
        by: dict[int, list[int]] = {}
        for revert, targets in reverts_of.items():
            for target in targets:
                by.setdefault(target, []).append(revert)
        self.reverts_of = reverts_of
        newest_first = self._graph.newest_first
        self.by = {one: tuple(found if len(found) < 2 else newest_first(found)) for one, found in by.items()}

    def renew(self, targets: Mapping[int, Iterable[int]]) -> set[int]:
        """Replace what some commits take back; answers the commits that others take back now, or did before."""
        self._force = {}
        changed: set[int] = set()
        added: dict[int, set[int]] = {}
        for revert, wanted in targets.items():
            before, now = set(self.reverts_of.pop(revert, _NONE)), set(wanted)
            if now:
                self.reverts_of[revert] = tuple(self._graph.newest_first(now))
            for target in before - now:
                self.by[target] = tuple(one for one in self.by[target] if one != revert)
                changed.add(target)
            for target in now - before:
                added.setdefault(target, set()).add(revert)
        for target, reverts in added.items():
            self.by[target] = tuple(self._graph.newest_first({*self.by.get(target, _NONE), *reverts}))
        changed |= added.keys()
        for target in changed:
            if not self.by[target]:
                del self.by[target]
        return changed

    def bits(self, commit: int) -> int:
        """The releases (and heads) that contain the commit in force."""
        if commit not in self.by:
            return self._bits(commit)
        force = self._force.get(commit)
        return self._judged(commit) if force is None else force

    def _judged(self, commit: int) -> int:
        """Judge the reverts before what they revert, without recursion: their chains are as long as people like."""
        by, force = self.by, self._force
        stack = [commit]
        while stack:
            at = stack[-1]
            waiting = [one for one in by[at] if one in by and one not in force]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            dead = 0
            for one in by[at]:
                dead |= force[one] if one in by else self._bits(one)
            force[at] = self._bits(at) & ~dead
        return force[commit]

    def reverter(self, commit: int, *, bit: int) -> int | None:
        """The newest revert of the commit that is in force in that release, if any."""
        mask = 1 << bit
        return next((one for one in self.by.get(commit, _NONE) if self.bits(one) & mask), None)
