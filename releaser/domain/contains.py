"""Where a commit or a ticket is: every release and line that has it, and how it came there.

What is asked for is a ticket key as it stands, a commit's id or the start of one, or the name of a tag or branch, which means
the commit it leads to. Having is being in force: a release that contains a change and its revert is told apart.

What does not live here: how that is found out (`domain.history`), and what people state of a ticket (`domain.status`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from releaser.domain.changelog.text import plain, shortened
from releaser.domain.history import (
    Carried,
    Commit,
    Head,
    History,
    OnLine,
    Pick,
    TaggedRelease,
    TicketCommit,
    TicketHistory,
    TicketTable,
    Via,
    members,
)
from releaser.domain.history.evidence import Evidence
from releaser.domain.nearest import SHORTEST_SHARED, nearest_tickets
from releaser.domain.ticket import TicketRelation
from releaser.errors import InvalidError, NotFoundError, ReleaserError

LONGEST_QUERY = 300
SHORTEST_ID = 4
"""Digits that an id must be named by at least."""
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},64}}", re.ASCII)
_START_OF_ID = re.compile(rf"[0-9a-f]{{1,{SHORTEST_ID - 1}}}", re.ASCII)
_NAMED = 5


class UnknownChangeError(NotFoundError):
    """No commit and no ticket of the history is called so."""


class AmbiguousCommitError(InvalidError):
    """Several commits' ids start so."""


class ShortIdError(InvalidError):
    """So few digits that they name no commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A release that contains the change, and what takes it back there."""

    release: TaggedRelease
    reverted_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where what was asked for is. `commit` is None for a ticket, `ticket` for a commit.

    `commits` are those that bring it, with what they say of the ticket; `lines` has every line, oldest number first;
    `heads` are the branches it is in force on; `by_patch` are the picks among them that only their patches tell.
    """

    query: str
    commit: str | None
    ticket: str | None
    commits: tuple[TicketCommit, ...]
    releases: tuple[Carried, ...]
    taken_back: tuple[TakenBack, ...]
    lines: tuple[OnLine, ...]
    heads: tuple[Head, ...]
    by_patch: tuple[Pick, ...] = ()


Comparing = Callable[[Collection[int]], Sequence[Pick]]
"""Given commits, the picks of or by them that equal patches tell; see `domain.history.patches`."""


def whereabouts(history: History, query: str, *, comparing: Comparing | None = None) -> Whereabouts:
    """Find a commit or a ticket; with `comparing` also where only patches tell.

    Raises `UnknownChangeError`, which names the nearest, `ShortIdError`, and `AmbiguousCommitError`, which names some of them.
    """
    found, evidence = _told(history, query)
    decides = any(one.relation is not TicketRelation.REFS for one in found.commits)
    if comparing is None or not decides:
        return found
    picks = tuple(comparing([commit for commit, _ in evidence.brought]))
    return _deepened(history, found, dict(evidence.brought), picks) if picks else found


def _deepened(history: History, found: Whereabouts, brought: dict[int, Via], picks: tuple[Pick, ...]) -> Whereabouts:
    """The same with what equal patches add: commits that bring it too."""
    known = {one.commit: one for one in found.commits}
    for pick in picks:
        if pick.source is not None:
            brought.setdefault(pick.source, Via.PICK)
        if brought.get(pick.commit) is not Via.SELF or found.ticket is not None:
            brought[pick.commit] = Via.PICK
    for commit, via in brought.items():
        relation = known[commit].relation if commit in known else None
        known[commit] = TicketCommit(commit=commit, id=history.graph.ids[commit], relation=relation, via=via)
    evidence = history.evidence(brought.items())
    order = (
        history.graph.oldest_first(known) if found.ticket is not None else [commit for commit, _ in evidence.brought]
    )
    return replace(
        found,
        commits=tuple(known[commit] for commit in order),
        releases=evidence.carried(history.releases),
        taken_back=_taken_back(history, evidence),
        lines=tuple(evidence.on_line(track, history.releases) for track in history.tracks),
        heads=tuple(head for head in history.heads if evidence.in_force >> head.bit & 1),
        by_patch=picks,
    )


def _told(history: History, query: str) -> tuple[Whereabouts, Evidence]:
    wanted = query.strip()
    table = TicketTable(history)
    ticket = table.show(wanted)
    if ticket is not None:
        evidence = table.evidence(wanted)
        assert evidence is not None  # noqa: S101 -- what is shown is known
        return _of_ticket(history, ticket, evidence), evidence
    commit = _named_commit(history, wanted)
    if commit is None:
        raise _unknown(history, table, wanted)
    evidence = history.evidence_of(commit)
    return _of_commit(history, wanted, commit, evidence), evidence


def _of_ticket(history: History, ticket: TicketHistory, evidence: Evidence) -> Whereabouts:
    return Whereabouts(
        query=ticket.key,
        commit=None,
        ticket=ticket.key,
        commits=ticket.commits,
        releases=ticket.releases,
        taken_back=_taken_back(history, evidence),
        lines=ticket.lines,
        heads=ticket.heads,
    )


def _of_commit(history: History, query: str, commit: int, evidence: Evidence) -> Whereabouts:
    ids = history.graph.ids
    return Whereabouts(
        query=query,
        commit=ids[commit],
        ticket=None,
        commits=tuple(TicketCommit(commit=one, id=ids[one], relation=None, via=via) for one, via in evidence.brought),
        releases=evidence.carried(history.releases),
        taken_back=_taken_back(history, evidence),
        lines=tuple(evidence.on_line(track, history.releases) for track in history.tracks),
        heads=tuple(head for head in history.heads if evidence.in_force >> head.bit & 1),
    )


def _named_commit(history: History, wanted: str) -> int | None:
    for release in history.releases:
        if wanted == release.tag:
            return history.find(release.commit)
    for head in history.heads:
        if wanted == head.branch:
            return history.find(head.commit)
    folded = wanted.lower()
    if _ID.fullmatch(folded) is None:
        return None
    exact = history.find(folded)
    if exact is not None:
        return exact
    several = history.graph.starting(folded)
    if len(several) > 1:
        raise AmbiguousCommitError(
            f"'{folded}' is the start of {len(several)} commits.",
            advice=f"Name one by {_telling_apart(history, several)} digits of its id: {_named(history, several)}.",
            field="query",
        )
    return several[0] if several else None


def _telling_apart(history: History, commits: Sequence[int]) -> int:
    """How many digits of their ids are enough to tell all of them apart."""
    ids = sorted(history.graph.ids[one] for one in commits)
    return 1 + max(_shared(*pair) for pair in pairwise(ids))


def _shared(one: str, other: str) -> int:
    """With how many equal letters two different ids begin."""
    return next(place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)


def _named(history: History, commits: Sequence[int]) -> str:
    """Commits by the start of their ids and their subjects, harmless and short; few of many."""
    shown = history.graph.newest_first(commits)[:_NAMED]
    subjects = (shortened(plain(one))[:60] for one in history.subjects(shown))
    named = [f"{history.graph.ids[one][:12]} ({text})" for one, text in zip(shown, subjects, strict=True)]
    return ", ".join(named) + (f" and {len(commits) - len(shown)} more" if len(commits) > len(shown) else "")


def _unknown(history: History, table: TicketTable, wanted: str) -> ReleaserError:
    shown = wanted[:LONGEST_QUERY]
    if _START_OF_ID.fullmatch(wanted.lower()) is not None:
        return ShortIdError(
            f"'{shown}' is too short for a commit's id, and no ticket, tag or branch is called so.",
            advice=f"Name a commit by {SHORTEST_ID} digits of its id at least, a ticket by its whole key.",
            field="query",
        )
    if _ID.fullmatch(wanted.lower()) is not None:
        near = _nearest(history, wanted.lower())
        advice = (
            f"The nearest is {_named(history, near)}." if near else "Perhaps it is not fetched yet: git fetch --tags."
        )
        what = f"No tag and no branch leads to a commit '{shown[:64]}'."
    else:
        keys = nearest_tickets(wanted[:LONGEST_QUERY], table.keys)
        advice = (
            f"The nearest are {', '.join(plain(key) for key in keys)}."
            if keys
            else "Name a commit's id or a ticket's key; --ticket-pattern says how keys look."
        )
        what = f"No commit names a ticket '{plain(shown)}', and none is called so."
    return UnknownChangeError(what, advice=advice, field="query")


def _nearest(history: History, wanted: str) -> list[int]:
    """The commits whose ids share the longest start with what was named, if that is no chance."""
    for size in range(len(wanted) - 1, SHORTEST_SHARED, -1):
        if found := history.graph.starting(wanted[:size]):
            return found
    return []


def _taken_back(history: History, evidence: Evidence) -> tuple[TakenBack, ...]:
    released = (1 << len(history.releases)) - 1
    found = []
    for rank in members(evidence.contained & ~evidence.in_force & released):
        reverters = (history.force.reverter(commit, bit=rank) for commit, _ in evidence.brought)
        by = next((one for one in reverters if one is not None), None)
        found.append(
            TakenBack(release=history.releases[rank], reverted_by=history.graph.ids[by] if by is not None else None)
        )
    return tuple(found)


def as_json(found: Whereabouts, history: History) -> dict[str, Any]:
    """The shape that scripts outside read: `query`, `commits`, `releases`, `lines` stay as they are.

    `commits` are full ids; `evidence` tells more of each, in the same order.
    """
    return {
        "query": found.query,
        "kind": "ticket" if found.ticket is not None else "commit",
        "commits": [one.id for one in found.commits],
        "releases": [
            {
                "version": one.release.version.text,
                "via": one.via.value,
                "commit": one.commit,
                "tag": one.release.tag,
                "line": one.release.line,
                "date": one.release.released_at.date().isoformat(),
            }
            for one in found.releases
        ],
        "lines": [line_json(one) for one in found.lines],
        "branches": [one.branch for one in found.heads],
        "reverted": [{"version": one.release.version.text, "reverted_by": one.reverted_by} for one in found.taken_back],
        "evidence": [
            _commit_json(one, commit, history, found.by_patch)
            for one, commit in zip(found.commits, history.commits([one.commit for one in found.commits]), strict=True)
        ],
    }


def line_json(one: OnLine) -> dict[str, Any]:
    """A change on one line; `first_version` is None where no release of the line has it."""
    return {
        "line": one.line,
        "status": one.status.value,
        "first_version": one.first.version.text if one.first is not None else None,
        "landed": one.landed,
        "via": one.via.value if one.via is not None else None,
        "commit": one.commit,
        "reverted_by": one.reverted_by,
    }


def _commit_json(one: TicketCommit, commit: Commit, history: History, by_patch: Sequence[Pick]) -> dict[str, Any]:
    picks = [*history.copies.picks_of.get(one.commit, ()), *(pick for pick in by_patch if pick.commit == one.commit)]
    how = picks or [pick for pick in by_patch if pick.source == one.commit]
    return {
        "id": one.id,
        "subject": shortened(commit.subject),
        "date": commit.committed_at.date().isoformat(),
        "author": commit.author,
        "via": one.via.value,
        "relation": one.relation.value if one.relation is not None else None,
        "tickets": [link.key for link in commit.tickets],
        "picked_from": picks[0].source_id if picks else None,
        "layer": how[0].layer.value if how and one.via is Via.PICK else None,
    }
