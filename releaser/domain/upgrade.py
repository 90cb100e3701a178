"""The upgrade diff: what one release has in force that another has not, across lines, told by ticket and by commit.

Not what the log between them says: a change counts as had where it, a pick of it, or what it was picked from is in force. A
ticket is gained when it is fixed in the one and by none of its commits in the other. A commit that brings no ticket over is told
by itself. Where each of the two has commits of its own for one ticket, which is how a change is carried over by hand, what is
only in the one is doubtful, and told apart. Merges are not told, they bring what their sides bring; nor is what was taken back
before anybody had it.

What does not live here: required stops, actions and downtime (`domain.way`), which the history knows nothing of.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, overload

from releaser.domain.changelog.text import shortened
from releaser.domain.history import History, TaggedRelease, members
from releaser.domain.upgrade_words import Breaking, UpgradeWords, words_of


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

    __slots__ = ("_commits", "_special", "tickets")

    def __init__(
        self, tickets: Iterable[Difference], commits: Iterable[int], special: Mapping[int, Difference]
    ) -> None:
        self.tickets = tuple(tickets)
        self._commits = array("i", commits)
        self._special = special

    @property
    def alone(self) -> list[int]:
        """The commits of which there is nothing more to say than that they are absent, by their places."""
        return [one for one in self._commits if one not in self._special]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeDiff:
    """`gained`: `upto` has it and `since` has not; `lost`: the other way round; tickets before commits, newest first.

    `perhaps_gained` and `perhaps_lost` lack by their commits, and not by their tickets (`Lack.SAME_TICKET`). `brought` are
    the releases that `upto` contains and `since` does not, `left` the other way round, both in version order and with the
    two themselves.
    """

    since: TaggedRelease
    upto: TaggedRelease
    gained: Differences
    lost: Differences
    perhaps_gained: Differences
    perhaps_lost: Differences
    brought: tuple[TaggedRelease, ...]
    left: tuple[TaggedRelease, ...]

    @property
    def goes_back(self) -> bool:
        """Whether the version aimed at is the older one."""
        return self.upto.version < self.since.version


def compare(history: History, since: TaggedRelease, upto: TaggedRelease) -> UpgradeDiff:
    """The diff of an upgrade from `since` to `upto`; found once, and then kept with the history for a while."""
    return history.answers.once(("upgrade", since.rank, upto.rank), lambda: _compared(history, since, upto))


def _compared(history: History, since: TaggedRelease, upto: TaggedRelease) -> UpgradeDiff:
    gained, perhaps_gained = _Missing(history, having=upto, lacking=since).told()
    lost, perhaps_lost = _Missing(history, having=since, lacking=upto).told()
    return UpgradeDiff(
        since=since,
        upto=upto,
        gained=gained,
        lost=lost,
        perhaps_gained=perhaps_gained,
        perhaps_lost=perhaps_lost,
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


class _Missing:
    """What `having` has and `lacking` lacks.

    Of nearly all commits their own sets and words decide; the others (`Marking.tied`) are looked at one by one. Tickets are
    their numbers here, and judged by their classes, of which there are few.
    """

    def __init__(self, history: History, *, having: TaggedRelease, lacking: TaggedRelease) -> None:
        self._history = history
        self._having, self._lacking = having.rank, lacking.rank
        self._here, self._there = 1 << having.rank, 1 << lacking.rank
        self._class_of = history.classes.of
        self._open = [not in_force & self._there for in_force, _ in history.class_places]
        self._made_there: dict[int, bool] = {}

    def told(self) -> tuple[Differences, Differences]:
        """What is certain, and what is doubtful."""
        graph, tied = self._history.graph, self._history.marking.tied
        commits = graph.oldest_first(self._suspects())
        fixes = self._fixes(commits)
        by_ticket: dict[int, list[int]] = {}
        for commit, numbers in fixes.items():
            for number in numbers:
                if self._open[self._class_of[number]]:
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
        copies, tied = self._history.copies, self._history.marking.tied
        found: dict[int, Collection[int]] = {**self._history.fixed_by(commits)}
        for commit in commits:
            if commit in tied and copies.may_be_elsewhere(commit):
                everywhere = copies.everywhere(commit)
                own = self._history.fixed_by(everywhere)
                found[commit] = dict.fromkeys(number for one in everywhere for number in own.get(one, ()))
        return {commit: numbers for commit in commits if (numbers := found.get(commit))}

    def _is_made_there(self, ticket: int) -> bool:
        """Whether the ticket is fixed there by a commit that is not here."""
        of = self._class_of[ticket]
        if of not in self._made_there:
            history = self._history
            sets, reverted = history.classes.keys[of]
            where = [(history.sets[number], history.sets[number]) for number in sets]
            where += [(history.force.bits(commit), history.bits(commit)) for commit in reverted]
            self._made_there[of] = any(
                in_force & self._there and not contained & self._here for in_force, contained in where
            )
        return self._made_there[of]

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
        undone = history.graph.oldest_first(one for one in alike if one in history.force.by)
        by = [one for commit in undone if (one := history.force.reverter(commit, bit=self._lacking)) is not None]
        return history.graph.ids[by[-1]] if by else None


def as_json(diff: UpgradeDiff, history: History, *, most: int | None = None) -> dict[str, Any]:
    """The shape that scripts outside read: `from`, `to`, `gained`, `lost` stay as they are.

    With `most` no list tells more; `counts` has all. What only made a release (`tooling`) stands last in its list, and is not
    counted among the commits.
    """
    words = history.answers.once(("upgrade words", diff.since.rank, diff.upto.rank), lambda: _words(diff, history))
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
        **{name: _entries(told, way, history, words.tooling, most) for name, (told, way) in lists.items()},
        "breaking": [_breaking(one, diff.brought, history) for one in words.breaking[:most]],
        "counts": {
            **{name: _counts(told, words.tooling) for name, (told, _) in lists.items()},
            "breaking": {"commits": len(words.breaking), "unread": words.unread},
        },
        "releases": [one.version.text for one in diff.brought],
    }


def _words(diff: UpgradeDiff, history: History) -> UpgradeWords:
    gained = {commit for told in (diff.gained, diff.perhaps_gained) for one in told for commit in one.commits}
    return words_of(history, gained=gained, alone=[*diff.lost.alone, *diff.gained.alone])


def _counts(told: Differences, tooling: frozenset[int]) -> dict[str, int]:
    made = sum(one in tooling for one in told.alone) if tooling else 0
    return {"tickets": len(told.tickets), "commits": len(told) - len(told.tickets) - made, "tooling": made}


def _entries(
    told: Differences, way: Sequence[TaggedRelease], history: History, tooling: frozenset[int], most: int | None
) -> list[dict[str, Any]]:
    shown = list(islice(_ordered(told, tooling), most))
    subjects = history.subjects([one.commits[-1] for one in shown])
    ranks = sum(1 << release.rank for release in way)
    return [
        {**_entry(one, subject, ranks, history), "tooling": one.ticket is None and one.commits[0] in tooling}
        for one, subject in zip(shown, subjects, strict=True)
    ]


def _ordered(told: Differences, tooling: frozenset[int]) -> Iterator[Difference]:
    """As they come, but what only made a release behind all others."""
    last: list[Difference] = []
    for one in told:
        if one.ticket is None and one.commits[0] in tooling:
            last.append(one)
        else:
            yield one
    yield from last


def _breaking(one: Breaking, way: Sequence[TaggedRelease], history: History) -> dict[str, Any]:
    return {
        "commit": history.graph.ids[one.commit],
        "subject": shortened(one.subject),
        "warning": one.warning,
        "tickets": list(dict.fromkeys(link.key for link in history.links.get(one.commit, ()))),
        "first_version": _first(history.force.bits(one.commit), way, history),
    }


def _first(bits: int, way: Sequence[TaggedRelease], history: History) -> str:
    """The lowest release on the way that has it."""
    having = bits & sum(1 << release.rank for release in way)
    return history.releases[members(having & -having)[0]].version.text


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
