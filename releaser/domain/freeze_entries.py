"""Which commits of a history a cut would bring although they landed in a freeze.

Rules: what is contained where the branch was at the freeze landed in time; so did what any stable release already has. What was
taken back again before the cut is nobody's business, and so is its revert; a revert of what landed in time is an entry for
the tickets it takes back. Merges that name no ticket bring nothing of their own.

What does not live here: whether an entry is allowed (`domain.freeze`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from releaser.domain.freeze import Entry, HeadSeen, Phase, Point, PointStated, Proof, point_of
from releaser.domain.history import History
from releaser.domain.history.graph import Graph
from releaser.domain.ticket import TicketRelation
from releaser.domain.version import VersionKind


def ancestors(graph: Graph, commit: int) -> frozenset[int]:
    """The commit and everything it descends from."""
    found = {commit}
    stack = [commit]
    while stack:
        for parent in graph.parents(stack.pop()):
            if parent not in found:
                found.add(parent)
                stack.append(parent)
    return frozenset(found)


def branch_point(
    at: datetime, seen: Sequence[HeadSeen], trunk: Sequence[HeadSeen], stated: PointStated | None
) -> Point:
    """Where a branch was at that instant; of one that did not exist yet, where the branch was that it came from."""
    existed = any(head.first_at <= at for head in seen)
    return point_of(at, seen if existed or not trunk else trunk, stated)


def frozen_entries(history: History, tip: int, *, soft: Point | None, freeze: Point | None) -> tuple[Entry, ...]:
    """The entries of a cut at `tip` that landed in the soft freeze or the freeze, as far as these have begun, oldest first."""
    graph = history.graph
    everything = ancestors(graph, tip)
    in_force = _in_force(history, everything)
    late = _Late(history, soft=soft, freeze=freeze)
    found = {commit: landed for commit in sorted(everything) if (landed := late.landed(commit)) is not None}
    entries = []
    for commit, (phase, proof) in found.items():
        targets = history.force.reverts_of.get(commit, ())
        if commit not in in_force or (targets and all(target in found for target in targets)):
            continue
        tickets = _tickets(history, (commit, *targets))
        if commit in graph.more and not tickets:
            continue
        entries.append(
            Entry(
                commit=graph.ids[commit],
                subject=history.subject(commit),
                tickets=tickets,
                landed=phase,
                proof=proof,
            )
        )
    return tuple(entries)


def _in_force(history: History, everything: frozenset[int]) -> frozenset[int]:
    """Those of the commits that are not taken back within them. A revert stands above what it reverts."""
    dead: set[int] = set()
    for commit in sorted(history.force.by, reverse=True):
        if any(one in everything and one not in dead for one in history.force.by[commit]):
            dead.add(commit)
    return everything - dead


def _tickets(history: History, commits: Sequence[int]) -> tuple[str, ...]:
    """The tickets that any of the commits fixes, or, fixing none, those they refer to."""
    links = [link for commit in commits for link in history.links.get(commit, ())]
    fixed = [link.key for link in links if link.relation is TicketRelation.FIXES]
    return tuple(dict.fromkeys(fixed or [link.key for link in links]))


class _Late:
    """Tells of a commit in which phase it landed, None when that was in time."""

    def __init__(self, history: History, *, soft: Point | None, freeze: Point | None) -> None:
        self._history = history
        self._phases = list(self._known(((Phase.FREEZE, freeze), (Phase.SOFT_FREEZE, soft))))
        stable = [one.rank for one in history.releases if one.version.kind is VersionKind.STABLE]
        self._shipped = sum(1 << rank for rank in stable)

    def _known(
        self, points: Sequence[tuple[Phase, Point | None]]
    ) -> Iterator[tuple[Phase, Proof, frozenset[int], frozenset[int]]]:
        """Phase, proof, what landed before it, and what is known only to have landed before the next look."""
        for phase, point in points:
            if point is not None:
                before = self._contained(point.commit)
                yield phase, point.proof, before, self._contained(point.seen_after)

    def _contained(self, commit: str | None) -> frozenset[int]:
        """What a commit contains; nothing of one that is not in the history any more, because somebody rewrote it."""
        index = self._history.find(commit) if commit else None
        return ancestors(self._history.graph, index) if index is not None else frozenset()

    def landed(self, commit: int) -> tuple[Phase, Proof] | None:
        """The latest phase that it did not land before, and how that is known."""
        for phase, proof, before, until_seen in self._phases:
            if commit not in before and not self._history.bits(commit) & self._shipped:
                sure = proof is not Proof.UNPROVED or (bool(until_seen) and commit not in until_seen)
                return phase, (Proof.SEEN if sure and proof is Proof.UNPROVED else proof)
        return None
