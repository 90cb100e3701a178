"""Copies that no message tells of, found by what commits change: for doubt, about one commit or ticket at a time.

Comparing patches is dear, so only those are compared that somebody would: commits that have the same subject, and commits
that fix the same ticket. An equal patch makes the later one a pick of the earlier (`PickLayer.PATCH`); patches that differ
say nothing, since a pick is often adapted to its line. What the history is built from knows nothing of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from releaser.domain.history.history import History
from releaser.domain.history.views import Pick, PickLayer
from releaser.domain.ticket import TicketRelation

MOST_COMPARED = 400


def doubtful(history: History, commits: Collection[int]) -> tuple[int, ...]:
    """The commits to compare with these, oldest first: at most `MOST_COMPARED`, the nearest to them in time."""
    graph = history.graph
    plain = [commit for commit in commits if commit not in graph.more]
    found = {commit for key in _fixed(history, plain) for commit in history.fixing(key)}
    found |= history.called_alike(plain)
    known = {twin for commit in plain for twin in history.copies.same(commit)}
    committed = history.columns.committed
    middle = max((committed[commit] for commit in plain), default=0)
    others = graph.newest_first(found.difference(commits, known).difference(one for one in found if one in graph.more))
    nearest = sorted(others, key=lambda one: abs(committed[one] - middle))
    return tuple(graph.oldest_first(islice(nearest, MOST_COMPARED)))


def _fixed(history: History, commits: Collection[int]) -> set[str]:
    links = (link for commit in commits for link in history.links.get(commit, ()))
    return {link.key for link in links if link.relation is TicketRelation.FIXES}


def by_patch(
    history: History, commits: Collection[int], others: Collection[int], patch_ids: Mapping[str, str]
) -> tuple[Pick, ...]:
    """What of `commits` and `others` changes the same as one of `commits`; the first committed is the others' source.

    `patch_ids` are of full commit ids; who has none (merges, commits that change nothing) is equal to nobody. What is
    known to be a copy anyway is left out.
    """
    ids, committed = history.graph.ids, history.columns.committed
    by_id: dict[str, set[int]] = {}
    for commit in (*commits, *others):
        if ids[commit] in patch_ids:
            by_id.setdefault(patch_ids[ids[commit]], set()).add(commit)
    found = []
    for equal in by_id.values():
        source, *picks = sorted(equal, key=lambda one: (committed[one], history.graph.order(one)))
        if not equal.isdisjoint(commits):
            known = history.copies.same(source)
            found += [
                Pick(commit=pick, source=source, source_id=ids[source], layer=PickLayer.PATCH)
                for pick in picks
                if pick not in known
            ]
    return tuple(found)
