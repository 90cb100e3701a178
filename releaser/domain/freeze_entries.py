"""Which commits of a history a cut would bring although they landed in a freeze.

Rules: what is contained where the branch was at the freeze landed in time; so did what any stable release already has. What was
taken back again before the cut is nobody's business, and so is its revert; a revert of what landed in time is an entry for
the tickets it takes back. Merges that name no ticket bring nothing of their own,
and what is no content (`domain.content`) is no entry.

What does not live here: whether an entry is allowed (`domain.freeze`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from releaser.domain.content import is_content
from releaser.domain.freeze import Entry, HeadSeen, Phase, Point, PointStated, Proof, point_of
from releaser.domain.history import History
from releaser.domain.ticket import TicketRelation
from releaser.domain.version import VersionKind


def branch_point(
    at: datetime, seen: Sequence[HeadSeen], trunk: Sequence[HeadSeen], stated: PointStated | None
) -> Point:
    """Where a branch was at that instant; of one that did not exist yet, where the branch was that it came from."""
    existed = any(head.first_at <= at for head in seen)
    return point_of(at, seen if existed or not trunk else trunk, stated)


def frozen_entries(history: History, tip: int, *, soft: Point | None, freeze: Point | None) -> tuple[Entry, ...]:
    """The entries of a cut at `tip` that landed in the soft freeze or the freeze, as far as these have begun, oldest first."""
    graph = history.graph
    late = _Late(history, soft=soft, freeze=freeze)
    everything = late.contained(tip)
    in_force = _in_force(history, everything)
    found = {commit: landed for commit in everything if (landed := late.landed(commit)) is not None}
    entries = []
    for commit in graph.oldest_first(found):
        phase, proof = found[commit]
        targets = history.force.reverts_of.get(commit, ())
        if commit not in in_force or (targets and all(target in found for target in targets)):
            continue
        tickets = _tickets(history, (commit, *targets))
        if commit in graph.more and not tickets:
            continue
        shown = history.commit(commit)
        if not is_content(shown):
            continue
        entries.append(
            Entry(
                commit=shown.id,
                subject=shown.subject,
                tickets=tickets,
                landed=phase,
                proof=proof,
            )
        )
    return tuple(entries)


def _in_force(history: History, everything: frozenset[int]) -> frozenset[int]:
    """Those of the commits that are not taken back within them: by no revert, or only by reverts that are taken back."""
    alive: dict[int, bool] = {}

    def reverts(commit: int) -> list[int]:
        return [one for one in history.force.by.get(commit, ()) if one in everything]

    # Without recursion: chains of reverts are as long as people like. A revert descends from what it takes back.
    stack = [commit for commit in history.force.by if commit in everything]
    while stack:
        waiting = [one for one in reverts(stack[-1]) if one not in alive]
        if waiting:
            stack += waiting
        else:
            commit = stack.pop()
            alive[commit] = not any(alive[one] for one in reverts(commit))
    return frozenset(commit for commit in everything if alive.get(commit, True))


def _tickets(history: History, commits: Sequence[int]) -> tuple[str, ...]:
    """The tickets that any of the commits fixes, or, fixing none, those they refer to."""
    links = [link for commit in commits for link in history.links.get(commit, ())]
    fixed = [link.key for link in links if link.relation is TicketRelation.FIXES]
    return tuple(dict.fromkeys(fixed or [link.key for link in links]))


class _Late:
    """Tells of a commit that no stable has yet in which phase it landed."""

    def __init__(self, history: History, *, soft: Point | None, freeze: Point | None) -> None:
        self._history = history
        stable = [one.rank for one in history.releases if one.version.kind is VersionKind.STABLE]
        self._shipped = sum(1 << rank for rank in stable)
        self._phases = [
            (phase, point.proof, self._at(point.commit), self._at(point.seen_after))
            for phase, point in ((Phase.FREEZE, freeze), (Phase.SOFT_FREEZE, soft))
            if point is not None
        ]

    def contained(self, commit: int) -> frozenset[int]:
        """The commit and what it descends from, as far as no stable has it: what a stable has, its ancestors are in as well."""
        graph, history = self._history.graph, self._history
        found: set[int] = set()
        stack = [commit]
        while stack:
            one = stack.pop()
            if one not in found and not history.bits(one) & self._shipped:
                found.add(one)
                stack += graph.parents(one)
        return frozenset(found)

    def _at(self, commit: str | None) -> frozenset[int]:
        """What a branch had there; nothing, of a commit that is not in the history any more because somebody rewrote it."""
        index = self._history.find(commit) if commit else None
        return self.contained(index) if index is not None else frozenset()

    def landed(self, commit: int) -> tuple[Phase, Proof] | None:
        """The latest phase that it did not land before, and how that is known; None when it landed in time."""
        for phase, proof, before, until_seen in self._phases:
            if commit not in before:
                sure = bool(until_seen) and commit not in until_seen
                return phase, Proof.SEEN if proof is Proof.UNPROVED and sure else proof
        return None
