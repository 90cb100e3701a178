"""What one release has in force and another has not, ticket by ticket and commit by commit; see `domain.upgrade`."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import overload

from releaser.domain.history import History, TaggedRelease


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


class Differences(Sequence[Difference]):
    """Tickets, and then commits that no ticket tells, both newest first.

    There may be very many commits, so a `Difference` of one is made when it is asked for; `special` has those that are not just absent.
    """

    __slots__ = ("_commits", "_special", "alone", "tickets")

    def __init__(
        self, tickets: Iterable[Difference], commits: Iterable[int], special: Mapping[int, Difference]
    ) -> None:
        self.tickets = tuple(tickets)
        self._commits = array("i", commits)
        self._special = special
        self.alone: Sequence[int] = array("i", [one for one in self._commits if one not in special])
        """The commits of which there is nothing more to say than that they are absent, by their places."""

    @property
    def commits(self) -> Iterator[int]:
        """Every commit told, by its place; one of several tickets comes several times."""
        return chain(chain.from_iterable(one.commits for one in self.tickets), self._commits)

    def __len__(self) -> int:
        return len(self.tickets) + len(self._commits)

    @overload
    def __getitem__(self, place: int) -> Difference: ...
    @overload
    def __getitem__(self, place: slice) -> list[Difference]: ...
    def __getitem__(self, place: int | slice) -> Difference | list[Difference]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        at = place if place >= 0 else len(self) + place
        if at < len(self.tickets):
            return self.tickets[at]
        commit = self._commits[at - len(self.tickets)]
        return self._special.get(commit) or Difference(ticket=None, commits=(commit,), lack=Lack.ABSENT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Differences) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Missing:
    """What the release `having` has and `lacking` lacks.

    Of nearly all commits their own sets and words decide; the others (`Marking.tied`) are looked at one by one. Tickets are
    their numbers here, and judged by their classes, of which there are few, where these are known.
    """

    def __init__(self, history: History, *, having: TaggedRelease, lacking: TaggedRelease) -> None:
        self._history = history
        self._having, self._lacking = having.rank, lacking.rank
        self._here, self._there = 1 << having.rank, 1 << lacking.rank
        classes = history.index.classes
        self._class_of = classes.of if classes is not None else None
        self._open = [not in_force & self._there for in_force, _ in history.class_places] if classes is not None else []
        self._judged: dict[int, bool] = {}

    def told(self) -> tuple[Differences, Differences]:
        """What is certain, and what is doubtful."""
        graph, tied = self._history.graph, self._history.marking.tied
        commits = graph.oldest_first(self._suspects())
        fixes = self._fixes(commits)
        by_ticket: dict[int, list[int]] = {}
        for commit, numbers in fixes.items():
            for number in numbers:
                if self._is_open(number):
                    by_ticket.setdefault(number, []).append(commit)
        told = set().union(*by_ticket.values())
        is_merge = graph.edges.second
        alone = [commit for commit in reversed(commits) if commit not in told and is_merge[commit] < 0]
        looked_at = {one: self._of_commit(one, fixes.get(one, ())) for one in alone if one in tied or one in fixes}
        special = {one: found for one, found in looked_at.items() if found.lack is not Lack.ABSENT}
        doubtful = {one for one, found in special.items() if found.lack is Lack.SAME_TICKET}
        certain = [one for one in alone if one not in doubtful]
        return (
            Differences(self._of_tickets(by_ticket, commits), certain, special),
            Differences((), (one for one in alone if one in doubtful), special),
        )

    def _suspects(self) -> list[int]:
        """Commits in force here that are not there, or there and not in force; those left out that lack nothing."""
        history, here, there = self._history, self._here, self._there
        reverted, in_force, tied = history.force.by, history.force.bits, history.marking.tied
        apart = history.apart(self._having, self._lacking)
        others = [one for one in apart if one in tied and one not in reverted]
        others += [one for one in reverted if in_force(one) & here and not in_force(one) & there]
        return [*sorted(one for one in apart if one not in tied), *filter(self._is_lacking, others)]

    def _is_lacking(self, commit: int) -> bool:
        """Whether some change that the commit carries is in force there by no commit."""
        in_force, copies, there = self._history.force.bits, self._history.copies, self._there
        undone = self._history.force.reverts_of.get(commit)
        if undone is not None:
            # Where what it takes back is not in force, there is nothing to take back.
            return any(in_force(one) & there for one in undone)
        also = copies.by_merge.get(commit, frozenset())
        return not all(
            any(in_force(one) & there for one in copies.carrying(origin) | also) for origin in copies.origins(commit)
        )

    def _fixes(self, commits: Sequence[int]) -> dict[int, Collection[int]]:
        """Commit -> the tickets it fixes, by its own words or by those of a copy; in the order of the commits."""
        copies, tied, links = self._history.copies, self._history.marking.tied, self._history.index.links
        found: dict[int, Collection[int]] = {**self._history.fixed_by(commits)}
        for commit in commits:
            if commit in tied and copies.may_be_elsewhere(commit):
                named = (link for one in copies.everywhere(commit) for link in links.of_commit(one))
                found[commit] = dict.fromkeys(links.tickets[link] for link in named if links.fixes[link])
        return {commit: numbers for commit in commits if (numbers := found.get(commit))}

    def _is_open(self, ticket: int) -> bool:
        """Whether no commit that fixes the ticket is in force there."""
        if self._class_of is not None:
            return self._open[self._class_of[ticket]]
        # Nobody has found the classes of all tickets yet, which would cost more than to judge a few.
        if ticket not in self._judged:
            in_force = self._history.force.bits
            self._judged[ticket] = not any(in_force(one) & self._there for one in self._history.deciding(ticket))
        return self._judged[ticket]

    def _is_made_there(self, ticket: int) -> bool:
        """Whether the ticket is fixed there by a commit that is not here."""
        in_force, contained = self._history.force.bits, self._history.bits
        return any(
            in_force(one) & self._there and not contained(one) & self._here for one in self._history.deciding(ticket)
        )

    def _of_tickets(self, by_ticket: Mapping[int, Sequence[int]], commits: Sequence[int]) -> Iterable[Difference]:
        """Those with the newest commits first."""
        age, keys = {commit: number for number, commit in enumerate(commits)}, self._history.index.links.keys
        for ticket, group in sorted(by_ticket.items(), key=lambda one: age[one[1][-1]], reverse=True):
            by = self._reverter(group)
            yield Difference(
                ticket=keys[ticket],
                commits=tuple(group),
                lack=Lack.REVERTED if by else Lack.ABSENT,
                reverted_by=by,
            )

    def _of_commit(self, commit: int, fixes: Collection[int]) -> Difference:
        """`fixes` are the tickets of a commit that brings none over."""
        by = self._reverter((commit,))
        same = bool(fixes) and not by and all(map(self._is_made_there, fixes))
        lack = Lack.REVERTED if by else Lack.SAME_TICKET if same else Lack.ABSENT
        return Difference(ticket=None, commits=(commit,), lack=lack, reverted_by=by)

    def _reverter(self, commits: Iterable[int]) -> str | None:
        """What took these back there, or a copy of them: the newest."""
        history, tied = self._history, self._history.marking.tied
        alike = {other for one in commits if one in tied for other in history.copies.carrying(one)}
        if not alike:
            return None
        undone = history.graph.oldest_first(one for one in alike if one in history.force.by)
        by = [one for commit in undone if (one := history.force.reverter(commit, bit=self._lacking)) is not None]
        return history.graph.ids[by[-1]] if by else None
