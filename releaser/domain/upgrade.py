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

    `commits` are places in the history, oldest first; `tickets` every ticket that these name; `first` the first release on
    the way that has it; `reverted_by` the id of what took it back in the other release.
    """

    ticket: str | None
    commits: tuple[int, ...]
    tickets: tuple[str, ...]
    lack: Lack
    first: TaggedRelease
    reverted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeDiff:
    """`gained`: `upto` has it and `since` has not; `lost`: the other way round; tickets before commits, newest first.

    `perhaps_gained` and `perhaps_lost` lack by their commits, and not by their tickets (`Lack.SAME_TICKET`). `brought` are the releases that `upto` contains and `since` does not, in version order, itself among them.
    """

    since: TaggedRelease
    upto: TaggedRelease
    gained: tuple[Difference, ...]
    lost: tuple[Difference, ...]
    perhaps_gained: tuple[Difference, ...]
    perhaps_lost: tuple[Difference, ...]
    brought: tuple[TaggedRelease, ...]

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
        brought=tuple(history.releases[rank] for rank in members(gained.way)),
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
        self._here = 1 << having.rank
        self._there = 1 << lacking.rank
        self._here_rank, self._there_rank = having.rank, lacking.rank
        self.way = self._here | _contained(history, self._here) & ~_contained(history, self._there)
        """The releases that `having` contains and `lacking` does not, as bits."""

    def told(self) -> Iterator[Difference]:
        """Tickets newest first, then commits that no ticket told, newest first."""
        commits = self._history.graph.oldest_first(one for one in self._suspects() if self._is_lacking(one))
        age = {commit: number for number, commit in enumerate(commits)}
        by_ticket = self._by_ticket(commits)
        told = {commit for group in by_ticket.values() for commit in group}
        for ticket, group in sorted(by_ticket.items(), key=lambda one: age[one[1][-1]], reverse=True):
            yield self._difference(ticket, group)
        for commit in reversed(commits):
            if commit not in told and commit not in self._history.graph.more:
                yield self._difference(None, (commit,))

    def _suspects(self) -> Iterable[int]:
        """Commits in force here that are not there, or there and not in force."""
        history, here, there = self._history, self._here, self._there
        found = set(history.apart(self._here_rank, self._there_rank))
        found.update(commit for commit in history.force.by if history.bits(commit) & here)
        in_force = history.force.bits
        return (commit for commit in found if in_force(commit) & here and not in_force(commit) & there)

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

    def _by_ticket(self, commits: Sequence[int]) -> dict[str, list[int]]:
        """The tickets that are fixed here and not there, each with the lacking commits that bring it."""
        found: dict[str, list[int]] = {}
        elsewhere: dict[str, bool] = {}
        for commit in commits:
            for key in self._fixes(commit):
                if key not in elsewhere:
                    elsewhere[key] = self._is_fixed_there(key)
                if not elsewhere[key]:
                    found.setdefault(key, []).append(commit)
        return found

    def _fixes(self, commit: int) -> Iterable[str]:
        """The tickets that the commit fixes, by its own words or by those of a copy."""
        copies, links = self._history.copies, self._history.links
        others = copies.everywhere(commit) if copies.may_be_elsewhere(commit) else (commit,)
        return dict.fromkeys(
            link.key for one in others for link in links.get(one, ()) if link.relation is TicketRelation.FIXES
        )

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

    def _difference(self, ticket: str | None, commits: Sequence[int]) -> Difference:
        links, force = self._history.links, self._history.force
        by = [one for commit in commits if (one := force.reverter(commit, bit=self._there_rank)) is not None]
        way = 0
        for commit in commits:
            way |= force.bits(commit) & self.way
        fixes = [] if ticket is not None else list(self._fixes(commits[0]))
        same = bool(fixes) and all(map(self._is_made_there, fixes))
        return Difference(
            ticket=ticket,
            commits=tuple(commits),
            tickets=tuple(dict.fromkeys(link.key for commit in commits for link in links.get(commit, ()))),
            lack=Lack.REVERTED if by else Lack.SAME_TICKET if same else Lack.ABSENT,
            first=self._history.releases[members(way & -way)[0]],
            reverted_by=self._history.graph.ids[by[-1]] if by else None,
        )


def _contained(history: History, bit: int) -> int:
    """The releases that the release of that bit contains, itself among them, as bits."""
    found = 0
    for rank, place in enumerate(history.release_places):
        if history.bits(place) & bit:
            found |= 1 << rank
    return found


def as_json(diff: UpgradeDiff, history: History) -> dict[str, Any]:
    """The shape that scripts outside read: `from`, `to`, `gained`, `lost` stay as they are."""
    return {
        "from": diff.since.version.text,
        "to": diff.upto.version.text,
        "goes_back": diff.goes_back,
        "gained": _entries(diff.gained, history),
        "lost": _entries(diff.lost, history),
        "perhaps_gained": _entries(diff.perhaps_gained, history),
        "perhaps_lost": _entries(diff.perhaps_lost, history),
        "releases": [one.version.text for one in diff.brought],
    }


def _entries(told: Sequence[Difference], history: History) -> list[dict[str, Any]]:
    subjects = history.subjects([one.commits[-1] for one in told])
    return [_entry(one, subject, history) for one, subject in zip(told, subjects, strict=True)]


def _entry(one: Difference, subject: str, history: History) -> dict[str, Any]:
    """One change; `commit` is the newest of `commits`, all full ids, newest first."""
    ids = [history.graph.ids[commit] for commit in reversed(one.commits)]
    return {
        "ticket": one.ticket,
        "commit": ids[0],
        "subject": shortened(subject),
        "commits": ids,
        "tickets": list(one.tickets),
        "first_version": one.first.version.text,
        "lack": one.lack.value,
        "reverted_by": one.reverted_by,
    }
