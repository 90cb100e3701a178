"""How commits relate: which are copies of which, and which take back which. Worked out from what they say and from the graph.

A trailer (`(cherry picked from commit …)`) is a statement and is believed, also where its source is missing here. Equal
author, author date and name are believed where neither commit descends from the other: of two in a row, which imports from
other systems are full of, each is its own. What a revert names is looked for among its ancestors.

All of this is settled by what stands behind a commit, so new commits and tags change little of it: `renew` works out again what
they may concern, and a history built at once is only the case where that is everything. Where the graph is too large to be
walked, releases decide instead; such doubtful commits are worked out again each time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from releaser.domain.history.copies import LARGEST_MERGE, Copies
from releaser.domain.history.force import InForce
from releaser.domain.history.graph import Graph
from releaser.domain.history.said import UNNAMED, name_key
from releaser.domain.history.statements import Statements
from releaser.domain.history.views import Pick, PickLayer, Revert

FURTHEST_WALK = 20_000
# Twins further apart than this are left alone: there may be very many.
FURTHEST_TWIN = 2000


@dataclass(slots=True, kw_only=True)
class Renewed:
    """What became other by `Relations.renew`: commits whose picks or reverts are, whose copies are, and that others take back.

    `judged` are the reverts of which it was worked out again what they take back.
    """

    facts: set[int]
    copies: set[int]
    reverted: set[int]
    judged: set[int]


class Relations:
    """The picks and reverts of a history, with what follows from them."""

    def __init__(self, graph: Graph, statements: Statements, bits: Callable[[int], int]) -> None:
        self._graph = graph
        self._said = statements
        self._bits = bits
        self.copies = Copies(graph)
        self.reverts: dict[int, tuple[Revert, ...]] = {}
        """Revert -> what it names, oldest first."""
        self.force = InForce(graph, bits)
        self._sides: dict[int, list[int]] = {}
        self.doubtful: set[int] = set()
        """Commits whose relations rest on something that could not be walked."""

    @classmethod
    def restored(
        cls,
        graph: Graph,
        statements: Statements,
        bits: Callable[[int], int],
        *,
        picks: Mapping[int, tuple[Pick, ...]],
        reverts: dict[int, tuple[Revert, ...]],
        targets: dict[int, tuple[int, ...]],
        doubtful: Iterable[int],
    ) -> Relations:
        """The same as were worked out once: `picks_of` of the copies, `reverts`, and `reverts_of` of what is in force."""
        found = cls(graph, statements, bits)
        found.copies = Copies(graph, picks)
        found.reverts = reverts
        found.force.restore(targets)
        found.doubtful = set(doubtful)
        return found

    def copy(self, graph: Graph, statements: Statements, bits: Callable[[int], int]) -> Relations:
        """An independent one for the same commits of a graph that goes on."""
        copied = Relations(graph, statements, bits)
        copied.copies = self.copies.copy(graph)
        copied.reverts = self.reverts.copy()
        copied.force = self.force.copy(graph, bits)
        copied.doubtful = self.doubtful.copy()
        # What a merge brought in is settled for ever.
        copied._sides = self._sides
        return copied

    @property
    def related(self) -> set[int]:
        """Every commit that is a copy, or takes something back, or means to."""
        return {*self.copies.picks_of, *self.reverts, *self.force.reverts_of}

    def renew(self, concerned: Collection[int], *, twins: Iterable[Sequence[int]]) -> Renewed:
        """Work out again what `concerned` commits relate to; `twins` are groups as `twin_groups` finds them."""
        self.doubtful -= set(concerned)
        picks = self._picks(concerned, twins)
        changed = {commit: found for commit, found in picks.items() if found != self.copies.picks_of.get(commit, ())}
        copies = self.copies.renew(changed) if changed else set()
        names = self._named(concerned)
        aimed = {commit: self._reverts(commit, names) for commit in concerned}
        other = {commit: found for commit, found in aimed.items() if found != self.reverts.get(commit, ())}
        for commit, found in other.items():
            self.reverts.pop(commit, None)
            if found:
                self.reverts[commit] = found
        aiming = self._aiming_at(copies, self.reverts.keys() - set(concerned))
        again = {commit for commit in concerned if commit in self.reverts} | aiming | other.keys()
        reverted = self.force.renew({commit: self._targets(commit) for commit in again})
        return Renewed(facts={*changed, *other}, copies=copies, reverted=reverted, judged=set(again))

    # --- picks -------------------------------------------------------------------------------------------------------

    def _picks(self, concerned: Collection[int], twins: Iterable[Sequence[int]]) -> dict[int, tuple[Pick, ...]]:
        found: dict[int, tuple[Pick, ...]] = {commit: self._trailers(commit) for commit in concerned}
        for group in twins:
            for commit in group:
                if commit not in found:
                    found[commit] = self._trailers(commit)
            for pick in self._authorship(group, found):
                found[pick.commit] = (*found[pick.commit], pick)
        return found

    def _trailers(self, commit: int) -> tuple[Pick, ...]:
        picks: list[Pick] = []
        for text in self._said.sources.get(commit, ()) if commit not in self._graph.lost else ():
            source = self._graph.find(text)
            if source != commit:
                source_id = self._graph.ids[source] if source is not None else text
                picks.append(Pick(commit=commit, source=source, source_id=source_id, layer=PickLayer.TRAILER))
        return tuple(picks)

    def _authorship(self, group: Sequence[int], picks: Mapping[int, tuple[Pick, ...]]) -> Iterable[Pick]:
        """Commits of one author, date and name: all are picks of the one committed first that it does not lead to."""
        graph = self._graph
        first, *others = graph.oldest_first(group)
        source_id = graph.ids[first]
        after: set[int] = set()
        said = {pick.source for pick in picks[first]}
        for commit in others:
            if commit in said or first in {pick.source for pick in picks[commit]}:
                continue
            if not self._bits(commit) & ~self._bits(first):
                descends = graph.descends(commit, first, limit=FURTHEST_TWIN, through=after)
                if descends is None:
                    self.doubtful.add(commit)
                if descends is not False:
                    after.add(commit)
                    continue
            yield Pick(commit=commit, source=first, source_id=source_id, layer=PickLayer.AUTHORSHIP)

    # --- reverts -----------------------------------------------------------------------------------------------------

    def _named(self, concerned: Iterable[int]) -> Mapping[int, list[int]]:
        """The commits that reverts among the `concerned` may call by name: by the name's key, newest first."""
        claims = (self._said.claims.get(commit) for commit in concerned)
        wanted = {name_key(name) for claim in claims if claim is not None for name in claim.names}
        if not wanted:
            return {}
        found: dict[int, set[int]] = {}
        for commit, key in enumerate(self._said.name):
            if key in wanted:
                found.setdefault(key, set()).add(commit)
        more = self._said.more_names
        for commit, key in zip(more.commits, more.keys, strict=True):
            if key in wanted:
                found.setdefault(key, set()).add(commit)
        return {key: self._graph.newest_first(commits) for key, commits in found.items()}

    def _reverts(self, commit: int, names: Mapping[int, Sequence[int]]) -> tuple[Revert, ...]:
        claim = self._said.claims.get(commit)
        if claim is None or commit in self._graph.lost:
            return ()
        graph = self._graph
        targets = {target for text in claim.ids if (target := graph.find(text)) is not None}
        earlier = [target for target in targets if not self._is_later(target, commit)]
        if earlier:
            return tuple(Revert(commit=commit, reverted=one, by_id=True) for one in graph.oldest_first(earlier))
        for name in claim.names:
            for target in names.get(name_key(name), ()):
                if self._descending_from(commit, (target,)):
                    return (Revert(commit=commit, reverted=target, by_id=False),)
        return ()

    def _is_later(self, target: int, commit: int) -> bool:
        """Whether what is claimed to be reverted descends from the revert, which is noise."""
        if target == commit:
            return True
        found = self._graph.descends(target, commit, limit=FURTHEST_WALK)
        if found is None:
            self.doubtful.add(commit)
        return bool(found)

    def _descending_from(self, commit: int, among: Iterable[int]) -> set[int]:
        """Those `among` the commits that this one descends from; of those too far away to be walked to, releases decide."""
        mine = self._bits(commit)
        # Whatever contains a commit contains its ancestors: the quick test, before any walk.
        fits = [one for one in among if not mine & ~self._bits(one)]
        found, unknown = self._graph.ancestors(commit, fits, limit=FURTHEST_WALK)
        if unknown:
            self.doubtful.add(commit)
        return found | unknown

    def _aiming_at(self, commits: set[int], reverts: Iterable[int]) -> set[int]:
        """Those of the `reverts` that name one of these commits, or a merge that brought it in."""
        if not commits:
            return set()
        oldest = min(commits)
        return {
            one for one in reverts if any(self._hits(named.reverted, commits, oldest) for named in self.reverts[one])
        }

    def _hits(self, reverted: int, commits: set[int], oldest: int) -> bool:
        if reverted in commits:
            return True
        if reverted <= oldest or reverted not in self._graph.more:
            return False
        # What a merge brought in stands before it and is wherever it is: the quick test, before any walk.
        mine = self._bits(reverted)
        fits = [one for one in commits if one < reverted and not mine & ~self._bits(one)]
        return bool(fits) and not set(self._direct(reverted)).isdisjoint(fits)

    def _direct(self, reverted: int) -> list[int]:
        """What is reverted: a commit, and what it brought in if it is a merge."""
        if reverted not in self._graph.more:
            return [reverted]
        # What a merge brought in stays the same, and is asked for several times.
        if reverted not in self._sides:
            self._sides[reverted] = [reverted, *self._graph.side_of(reverted, limit=LARGEST_MERGE)]
        return self._sides[reverted]

    def _targets(self, commit: int) -> set[int]:
        """What a revert takes back: the commits, what they brought in, and their copies that came before it."""
        found: set[int] = set()
        for revert in self.reverts.get(commit, ()):
            direct = self._direct(revert.reverted)
            # A revert on one line often names the commit of another, whose pick it takes back: that commit itself stays.
            whole = self._descending_from(commit, (revert.reverted,))
            found.update(direct if whole else ())
            among = set() if whole else set(direct)
            for one in direct:
                if self.copies.is_copied(one):
                    # Copies that carry nothing else; one made later is a new start.
                    origins = self.copies.origins(one)
                    among.update(other for other in self.copies.group(one) if self.copies.origins(other) <= origins)
            found |= self._descending_from(commit, among - found)
        return found


def twin_groups(statements: Statements, graph: Graph, among: Iterable[int]) -> list[list[int]]:
    """The commits `among` these that share author, author date and name, two and more; no merges."""
    groups: dict[tuple[int, str, int], list[int]] = {}
    authors, author, authored, name = statements.authors, statements.author, statements.authored, statements.name
    for commit in among:
        key = name[commit]
        if key not in UNNAMED and commit not in graph.more and commit not in graph.lost:
            groups.setdefault((authored[commit], authors[author[commit]][1], key), []).append(commit)
    return [group for group in groups.values() if len(group) > 1]
