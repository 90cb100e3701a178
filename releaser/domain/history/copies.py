"""Who carries which change. A change is named by its *origin*, the commit that is nobody's copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from releaser.domain.history.graph import Graph
from releaser.domain.history.views import Pick

LARGEST_MERGE = 2000
_NOBODY: frozenset[int] = frozenset()


class Copies:
    """What is a copy of what, as picks tell it. `picks_of` has the picks of every copy, surest and nearest source first."""

    def __init__(self, graph: Graph, picks: Mapping[int, tuple[Pick, ...]] | None = None) -> None:
        self._graph = graph
        self.picks_of: dict[int, tuple[Pick, ...]] = {}
        self._takers: dict[int, frozenset[int]] = {}
        self._origins: dict[int, frozenset[int]] = {}
        self._carriers: dict[int, frozenset[int]] = {}
        self._by_merge: dict[int, frozenset[int]] | None = None
        if picks:
            self._take(picks)

    def _take(self, picks: Mapping[int, tuple[Pick, ...]]) -> None:
        """What `renew` would come to, for the first picks of all."""
        self.picks_of = dict(picks)
        takers: dict[int, set[int]] = {}
        carriers: dict[int, set[int]] = {}
        for commit, found in picks.items():
            for pick in found:
                if pick.source is not None:
                    takers.setdefault(pick.source, set()).add(commit)
            for origin in self.origins(commit):
                if origin != commit:
                    carriers.setdefault(origin, {origin}).add(commit)
        self._takers = {one: frozenset(found) for one, found in takers.items()}
        self._carriers = {one: frozenset(found) for one, found in carriers.items()}

    def copy(self, graph: Graph) -> Copies:
        """An independent one for the same commits of a graph that goes on."""
        copied = Copies(graph)
        copied.picks_of = self.picks_of.copy()
        copied._takers = self._takers.copy()
        copied._origins = self._origins.copy()
        copied._carriers = self._carriers.copy()
        copied._by_merge = self._by_merge
        return copied

    def renew(self, picks: Mapping[int, tuple[Pick, ...]]) -> set[int]:
        """Replace the picks of some commits; answers all commits of which `everywhere` may now tell something else."""
        below = self._below(picks)
        touched = {origin for commit in below for origin in self.origins(commit)}
        for commit, found in picks.items():
            self._replace(commit, found)
        for commit in below:
            self._origins.pop(commit, None)
        carried: dict[int, set[int]] = {}
        for commit in below:
            for origin in self.origins(commit):
                carried.setdefault(origin, set()).add(commit)
        touched |= carried.keys()
        found_in = set(below)
        for origin in touched:
            found_in |= self._carriers.get(origin, _NOBODY)
            self._carry(origin, carried.get(origin, set()), below)
            found_in |= self._carriers.get(origin, _NOBODY)
        for merge in touched:
            if merge in self._graph.more:
                self._by_merge = None
                found_in.update(self._graph.side_of(merge, limit=LARGEST_MERGE))
        return found_in

    def _replace(self, commit: int, picks: tuple[Pick, ...]) -> None:
        for pick in self.picks_of.pop(commit, ()):
            if pick.source is not None:
                self._takers[pick.source] = self._takers[pick.source] - {commit}
        if picks:
            self.picks_of[commit] = picks
        for pick in picks:
            if pick.source is not None:
                self._takers[pick.source] = self._takers.get(pick.source, _NOBODY) | {commit}

    def _below(self, commits: Iterable[int]) -> set[int]:
        """These and every commit that is a copy of them, at whatever remove."""
        found = set(commits)
        stack = list(found)
        while stack:
            fresh = self._takers.get(stack.pop(), _NOBODY) - found
            found |= fresh
            stack += fresh
        return found

    def _carry(self, origin: int, now: set[int], renewed: set[int]) -> None:
        carriers = (self._carriers.pop(origin, _NOBODY) - renewed | now) - {origin}
        if carriers:
            self._carriers[origin] = carriers | {origin}

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

    def group(self, commit: int) -> frozenset[int]:
        """Every commit that carries a change of this one, itself included, in no order."""
        found = frozenset((commit,))
        for origin in self.origins(commit):
            found |= self._carriers.get(origin, _NOBODY)
        return found

    def same(self, commit: int) -> list[int]:
        """Likewise, oldest first."""
        return self._graph.oldest_first(self.group(commit)) if self.is_copied(commit) else [commit]

    @property
    def all(self) -> set[int]:
        """Every commit of which `is_copied` is true."""
        return self.picks_of.keys() | self._carriers.keys()

    def is_copied(self, commit: int) -> bool:
        """Whether there is any other commit with a change of this one, or the message tells of one."""
        return commit in self.picks_of or commit in self._carriers

    @property
    def by_merge(self) -> Mapping[int, frozenset[int]]:
        """For a commit that a merge brought in: the picks of that whole merge."""
        if self._by_merge is None:
            found: dict[int, frozenset[int]] = {}
            for origin, carriers in self._carriers.items():
                if origin in self._graph.more:
                    for commit in self._graph.side_of(origin, limit=LARGEST_MERGE):
                        found[commit] = found.get(commit, _NOBODY) | carriers - {origin}
            self._by_merge = found
        return self._by_merge

    def brought_by_source(self, commit: int) -> list[int]:
        """What the merges brought in that this commit is a pick of."""
        merges = [one for one in self.origins(commit) if one != commit and one in self._graph.more]
        return [one for merge in merges for one in self._graph.side_of(merge, limit=LARGEST_MERGE)]

    def may_be_elsewhere(self, commit: int) -> bool:
        """Whether `everywhere` has more to tell than the commit itself: the quick question first."""
        return commit in self.picks_of or commit in self._carriers or commit in self.by_merge

    def everywhere(self, commit: int) -> list[int]:
        """Every commit that brings this one's change, picks of the merge that brought it included; oldest first."""
        if not self.may_be_elsewhere(commit):
            return [commit]
        return self._graph.oldest_first(self.carrying(commit))

    def carrying(self, commit: int) -> frozenset[int]:
        """Likewise, in no order."""
        return self.group(commit) | self.by_merge.get(commit, _NOBODY)
