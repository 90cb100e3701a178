"""The upgrade diff: what one release has in force that another has not, across lines, told by ticket and by commit.

Not what the log between them says: a change counts as had where it, a pick of it, or what it was picked from is in force. A
ticket is gained when it is fixed in the one and by none of its commits in the other. A commit that brings no ticket over is told
by itself. Where each of the two has commits of its own for one ticket, which is how a change is carried over by hand, what is
only in the one is doubtful, and told apart. Merges are not told, they bring what their sides bring; nor is what was taken back
before anybody had it.

What does not live here: required stops, actions and downtime (`domain.way`), which the history knows nothing of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from releaser.domain.changelog.text import shortened
from releaser.domain.history import History, TaggedRelease, TicketTable, members
from releaser.domain.ticket import TicketRelation


class Lack(StrEnum):
    """How the other release lacks a change.

    ABSENT: nothing of it is there. REVERTED: it is there and was taken back. SAME_TICKET: it is not there, but every ticket
    it fixes is fixed there by commits that are not here: the same change made by hand, or only a part of it.
    """

    ABSENT = "absent"
    REVERTED = "reverted"
    SAME_TICKET = "same-ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one release has and the other lacks: a ticket with the commits that bring it, or one commit (`ticket` None).

    `commits` are places in the history, oldest first; `reverted_by` is the id of what took it back in the other release.
    """

    ticket: str | None
    commits: tuple[int, ...]
    lack: Lack
    reverted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeDiff:
    """`gained`: `upto` has it and `since` has not; `lost`: the other way round; tickets before commits, newest first.

    `perhaps_gained` and `perhaps_lost` lack by their commits, and not by their tickets (`Lack.SAME_TICKET`). `brought` are
    the releases that `upto` contains and `since` does not, `left` the other way round, both in version order and with the
    two themselves.
    """

    since: TaggedRelease
    upto: TaggedRelease
    gained: tuple[Difference, ...]
    lost: tuple[Difference, ...]
    perhaps_gained: tuple[Difference, ...]
    perhaps_lost: tuple[Difference, ...]
    brought: tuple[TaggedRelease, ...]
    left: tuple[TaggedRelease, ...]

    @property
    def goes_back(self) -> bool:
        """Whether the version aimed at is the older one."""
        return self.upto.version < self.since.version


def compare(history: History, since: TaggedRelease, upto: TaggedRelease) -> UpgradeDiff:
    """The diff of an upgrade from `since` to `upto`."""
    table = TicketTable(history)
    gained = _Missing(history, table, having=upto, lacking=since)
    lost = _Missing(history, table, having=since, lacking=upto)
    more, perhaps_more = _parted(gained.told())
    less, perhaps_less = _parted(lost.told())
    return UpgradeDiff(
        since=since,
        upto=upto,
        gained=more,
        lost=less,
        perhaps_gained=perhaps_more,
        perhaps_lost=perhaps_less,
        brought=_way(history, upto, since),
        left=_way(history, since, upto),
    )


def _way(history: History, having: TaggedRelease, lacking: TaggedRelease) -> tuple[TaggedRelease, ...]:
    """The releases that the one contains and the other does not."""
    here, there = 1 << having.rank, 1 << lacking.rank
    bits = (history.bits(place) for place in history.release_places)
    return tuple(
        release
        for release, found in zip(history.releases, bits, strict=True)
        if release is having or (found & here and not found & there)
    )


def _parted(told: Iterable[Difference]) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """What is certain, and what is doubtful."""
    certain: list[Difference] = []
    doubtful: list[Difference] = []
    for one in told:
        (doubtful if one.lack is Lack.SAME_TICKET else certain).append(one)
    return tuple(certain), tuple(doubtful)


class _Missing:
    """What `having` has and `lacking` lacks."""

    def __init__(self, history: History, table: TicketTable, *, having: TaggedRelease, lacking: TaggedRelease) -> None:
        self._history = history
        self._table = table
        self._having, self._lacking = having.rank, lacking.rank
        self._here, self._there = 1 << having.rank, 1 << lacking.rank

    def told(self) -> Iterator[Difference]:
        """Tickets newest first, then commits that no ticket told, newest first."""
        commits = self._history.graph.oldest_first(one for one in self._suspects() if self._is_lacking(one))
        fixes = {commit: keys for commit in commits if (keys := self._fixes(commit))}
        open_tickets = {key: not self._is_fixed_there(key) for keys in fixes.values() for key in keys}
        by_ticket: dict[str, list[int]] = {}
        for commit, keys in fixes.items():
            for key in keys:
                if open_tickets[key]:
                    by_ticket.setdefault(key, []).append(commit)
        age = {commit: number for number, commit in enumerate(commits)}
        told = {commit for group in by_ticket.values() for commit in group}
        for ticket, group in sorted(by_ticket.items(), key=lambda one: age[one[1][-1]], reverse=True):
            yield self._difference(ticket, group, ())
        for commit in reversed(commits):
            if commit not in told and commit not in self._history.graph.more:
                yield self._difference(None, (commit,), fixes.get(commit, ()))

    def _suspects(self) -> Iterable[int]:
        """Commits in force here that are not there, or there and not in force."""
        history, here, there = self._history, self._here, self._there
        reverted = history.force.by
        found = [one for one in history.apart(self._having, self._lacking) if one not in reverted]
        in_force = history.force.bits
        return [*found, *(one for one in reverted if in_force(one) & here and not in_force(one) & there)]

    def _is_lacking(self, commit: int) -> bool:
        """Whether some change that the commit carries is in force there by no commit."""
        in_force, copies, there = self._history.force.bits, self._history.copies, self._there
        undone = self._history.force.reverts_of.get(commit)
        if undone is not None:
            # Where what it takes back is not in force, there is nothing to take back.
            return any(in_force(one) & there for one in undone)
        if not copies.may_be_elsewhere(commit):
            return True
        return not all(
            any(in_force(one) & there for one in {*copies.everywhere(origin), *copies.by_merge.get(commit, ())})
            for origin in copies.origins(commit)
        )

    def _fixes(self, commit: int) -> Sequence[str]:
        """The tickets that the commit fixes, by its own words or by those of a copy."""
        copies, links = self._history.copies, self._history.links
        others = copies.everywhere(commit) if copies.may_be_elsewhere(commit) else (commit,)
        found = (link.key for one in others for link in links.get(one, ()) if link.relation is TicketRelation.FIXES)
        return tuple(dict.fromkeys(found))

    def _is_fixed_there(self, key: str) -> bool:
        evidence = self._table.evidence(key)
        return evidence is not None and bool(evidence.in_force & self._there)

    def _is_made_there(self, key: str) -> bool:
        """Whether the ticket is fixed there by a commit that is not here."""
        evidence, history = self._table.evidence(key), self._history
        return evidence is not None and any(
            history.force.bits(commit) & self._there and not history.bits(commit) & self._here
            for commit, _ in evidence.brought
        )

    def _difference(self, ticket: str | None, commits: Sequence[int], fixes: Sequence[str]) -> Difference:
        """`fixes` are the tickets of a commit that brings none over."""
        force, copies = self._history.force, self._history.copies
        # What was taken back there may be a copy of what is here.
        alike = {one for commit in commits for one in (*copies.everywhere(commit), commit)}
        undone = self._history.graph.oldest_first(one for one in alike if one in force.by)
        by = [one for commit in undone if (one := force.reverter(commit, bit=self._lacking)) is not None]
        same = bool(fixes) and not by and all(map(self._is_made_there, fixes))
        return Difference(
            ticket=ticket,
            commits=tuple(commits),
            lack=Lack.REVERTED if by else Lack.SAME_TICKET if same else Lack.ABSENT,
            reverted_by=self._history.graph.ids[by[-1]] if by else None,
        )


def as_json(diff: UpgradeDiff, history: History, *, most: int | None = None) -> dict[str, Any]:
    """The shape that scripts outside read: `from`, `to`, `gained`, `lost` stay as they are.

    With `most` no list tells more; `counts` has all.
    """
    lists = {
        "gained": (diff.gained, diff.brought),
        "lost": (diff.lost, diff.left),
        "perhaps_gained": (diff.perhaps_gained, diff.brought),
        "perhaps_lost": (diff.perhaps_lost, diff.left),
    }
    return {
        "from": diff.since.version.text,
        "to": diff.upto.version.text,
        "goes_back": diff.goes_back,
        **{name: _entries(told[:most], way, history) for name, (told, way) in lists.items()},
        "counts": {name: _counts(told) for name, (told, _) in lists.items()},
        "releases": [one.version.text for one in diff.brought],
    }


def _counts(told: Sequence[Difference]) -> dict[str, int]:
    tickets = sum(one.ticket is not None for one in told)
    return {"tickets": tickets, "commits": len(told) - tickets}


def _entries(told: Sequence[Difference], way: Sequence[TaggedRelease], history: History) -> list[dict[str, Any]]:
    subjects = history.subjects([one.commits[-1] for one in told])
    ranks = sum(1 << release.rank for release in way)
    return [_entry(one, subject, ranks, history) for one, subject in zip(told, subjects, strict=True)]


def _entry(one: Difference, subject: str, way: int, history: History) -> dict[str, Any]:
    """One change; `commit` is the newest of `commits`, all full ids, newest first.

    `first_version` is the lowest release on the way that has it, `tickets` are all that its commits name.
    """
    ids = [history.graph.ids[commit] for commit in reversed(one.commits)]
    having = 0
    for commit in one.commits:
        having |= history.force.bits(commit) & way
    return {
        "ticket": one.ticket,
        "commit": ids[0],
        "subject": shortened(subject),
        "commits": ids,
        "tickets": list(dict.fromkeys(link.key for commit in one.commits for link in history.links.get(commit, ()))),
        "first_version": history.releases[members(having & -having)[0]].version.text,
        "lack": one.lack.value,
        "reverted_by": one.reverted_by,
    }
