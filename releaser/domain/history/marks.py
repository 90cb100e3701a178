"""What a changelog does with commits that have to do with others: with all the rest there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from releaser.domain.history.index import Index
from releaser.domain.history.views import Standing


class Marks(NamedTuple):
    """What `Change` says of a commit that is new in a release, besides the commit itself."""

    standing: Standing
    picked_from: str | None
    reverted_by: str | None


UNMARKED = Marks(Standing.SHOWN, None, None)
"""A commit that has to do with no other."""


class Marking:
    """Tells marks, and which commits may have any."""

    def __init__(self, index: Index) -> None:
        self._graph = index.graph
        self._said = index.statements
        self._copies = index.relations.copies
        self._force = index.relations.force
        self._bits = index.contained.bits

    def of(self, commits: Iterable[int], *, rank: int, previous: int | None) -> dict[int, Marks]:
        """Of commits that are new in the release of that rank, told against that of `previous`; those left out are `UNMARKED`."""
        found = {}
        for commit in self.related.intersection(commits):
            reverter = self._force.reverter(commit, bit=rank)
            if reverter is None:
                later = (one for one in reversed(self._force.by.get(commit, ())) if self._force.bits(one))
                reverter = next(later, None)
            found[commit] = Marks(
                standing=self._standing(commit, rank, previous),
                picked_from=self._picked_from(commit),
                reverted_by=self._graph.ids[reverter] if reverter is not None else None,
            )
        return found

    @cached_property
    def related(self) -> frozenset[int]:
        """The commits that have to do with others: taken back, taking back, copied or copies."""
        return frozenset().union(self._force.by, self._force.reverts_of, self._copies.all)

    @cached_property
    def tied(self) -> frozenset[int]:
        """The commits of which others decide where their changes are; of all others that is where they are contained."""
        return self.related.union(self._copies.by_merge)

    def _picked_from(self, commit: int) -> str | None:
        """The nearest source; of a revert that quotes the trailer of a pick, the quoted one, which it does not carry."""
        picks = self._copies.picks_of.get(commit)
        if picks:
            return picks[0].source_id
        claim = self._said.claims.get(commit) if commit in self._force.reverts_of else None
        if claim is None or not claim.quoted:
            return None
        source = self._graph.find(claim.quoted[0])
        return self._graph.ids[source] if source is not None else claim.quoted[0]

    def _standing(self, commit: int, rank: int, previous: int | None) -> Standing:
        force = self._force
        here = 1 << rank
        before = 1 << previous if previous is not None else 0
        if not force.bits(commit) & here:
            return Standing.REVERTED
        if self._had(commit, here, before):
            return Standing.REPEATED
        targets = force.reverts_of.get(commit, ())
        if any(force.bits(target) & before for target in targets):
            return Standing.REVERT
        if any(self._bits(target) & here for target in targets):
            return Standing.REVERTED
        return Standing.SHOWN

    def _had(self, commit: int, here: int, before: int) -> bool:
        """Whether everything the commit carries came to the line before it, by other commits."""
        if not self._copies.is_copied(commit):
            return False
        force, order = self._force, self._graph.order
        carried: set[int] = set()
        for one in self._copies.group(commit) - {commit}:
            if force.bits(one) & before or (force.bits(one) & here and order(one) < order(commit)):
                carried |= self._copies.origins(one)
        return self._copies.origins(commit) <= carried
