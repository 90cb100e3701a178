"""A product's whole history, only to be asked. Nothing in it changes; what is new makes another one.

Everything stands in flat columns (`index`), one entry per commit, and is turned into views (`views`) when asked for. A commit is
its place, a release its rank in version order, which is its bit in release sets. Places tell when a commit was read: what is
told is ordered by `Graph.order` instead.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from releaser.domain.history.answers import Answers
from releaser.domain.history.classes import UNFIXED, TicketClasses
from releaser.domain.history.evidence import Evidence, Track, tracks
from releaser.domain.history.graph import members
from releaser.domain.history.growth import Told
from releaser.domain.history.index import Index
from releaser.domain.history.links import LinksByCommit
from releaser.domain.history.records import OUTSIDE, instant
from releaser.domain.history.releases import NewCommits
from releaser.domain.history.said import ELSEWHERE, UNNAMED
from releaser.domain.history.texts import Messages, Reader, subject_of
from releaser.domain.history.views import (
    Carried,
    Change,
    Commit,
    Head,
    OnLine,
    Pick,
    Revert,
    Standing,
    TaggedRelease,
    Via,
)
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.domain.version import Version

__all__ = ["UNMARKED", "Columns", "History", "Marks", "instant", "subject_of"]

# To find the links of one commit costs as much as to look at so many.
_SEARCHES = 16
_NAMES_NONE: tuple[tuple[str, ...], bool] = ((), False)


class Marks(NamedTuple):
    """What `Change` says of a commit that is new in a release, besides the commit itself."""

    standing: Standing
    picked_from: str | None
    reverted_by: str | None


UNMARKED = Marks(Standing.SHOWN, None, None)
"""A commit that has to do with no other."""


class People:
    """A name or a mail address for every commit, by its place."""

    def __init__(self, numbers: Sequence[int], texts: Sequence[str]) -> None:
        self._numbers = numbers
        self._texts = texts

    def __getitem__(self, commit: int) -> str:
        return self._texts[self._numbers[commit]]


@dataclass(slots=True, kw_only=True)
class Columns:
    """What is told of every commit, by its place. Messages are read from the repository where they are not at hand."""

    authored: array[int]
    committed: array[int]
    names: People
    mails: People
    messages: Messages


class History:
    """What git says. Made by `HistoryBuilder`."""

    def __init__(self, index: Index, told: Told, *, read: Reader | None = None, messages: Sequence[str] = ()) -> None:
        """`messages` are those of the first commits, where they are at hand; `read` reads the others."""
        self.index = index
        self.graph = index.graph
        said = index.statements
        self.columns = Columns(
            authored=said.authored,
            committed=index.committed,
            names=People(said.author, [name for name, _ in said.authors]),
            mails=People(said.author, [mail for _, mail in said.authors]),
            messages=Messages(index.graph.ids, read, known=messages, outside=self.is_outside),
        )
        self.links: Mapping[int, tuple[TicketLink, ...]] = LinksByCommit(index.links, index.graph)
        """Commit -> the tickets it names; commits that name none are absent."""
        self.releases = told.releases
        self.unread_tags = told.unread_tags
        self.heads = told.heads
        self.set_of = index.contained.set_of
        """For every commit the number of its release set."""
        self.sets = index.contained.sets
        """The sets: bit r stands for `releases[r]`, the bits above for `heads`."""
        self.copies = index.relations.copies
        self.force = index.relations.force
        self.bits = index.contained.bits
        """Commit -> the set of releases and heads that contain it, whether reverted there or not."""
        self._by_version = {release.version: release for release in told.releases}
        self.answers = Answers()
        """What was worked out of this very history, for who is asked the same again."""

    def __len__(self) -> int:
        return len(self.graph)

    def is_outside(self, commit: int) -> bool:
        """Whether the commit is another product's in the same repository."""
        return self.index.statements.name[commit] == ELSEWHERE

    @cached_property
    def picks(self) -> tuple[Pick, ...]:
        """Every pick, by the order of the copies."""
        picks_of = self.copies.picks_of
        return tuple(pick for commit in self.graph.oldest_first(picks_of) for pick in picks_of[commit])

    @cached_property
    def reverts(self) -> tuple[Revert, ...]:
        """Every revert, in order."""
        found = self.index.relations.reverts
        return tuple(revert for commit in self.graph.oldest_first(found) for revert in found[commit])

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Every line as bits, oldest number first."""
        return tracks(self.releases, self.heads)

    @property
    def lines(self) -> tuple[str, ...]:
        """Every line's number, oldest first."""
        return tuple(track.line for track in self.tracks)

    def release(self, version: Version) -> TaggedRelease | None:
        """The release of that version."""
        return self._by_version.get(version)

    def find(self, named: str) -> int | None:
        """The commit with that id, or the only one whose id starts so."""
        place = self._tip_places.get(named)
        return self.graph.find(named) if place is None else place

    @cached_property
    def _tip_places(self) -> Mapping[str, int]:
        """What tags and branches lead to is asked for most."""
        ids = self.graph.ids
        return {ids[commit]: commit for commit in self.index.tips.commits}

    def committed_at(self, commit: int) -> datetime:
        """When a commit was made."""
        return instant(self.columns.committed[commit])

    def subject(self, commit: int) -> str:
        """The commit's first paragraph on one line."""
        return self.subjects((commit,))[0]

    def subjects(self, commits: Sequence[int]) -> list[str]:
        """Those of many commits: much faster than one after the other."""
        return ["" if text == OUTSIDE else subject_of(text) for text in self.columns.messages.of(commits)]

    def commit(self, commit: int) -> Commit:
        """One commit as people see it."""
        return self.commits((commit,))[0]

    def commits(self, commits: Sequence[int]) -> list[Commit]:
        """Many commits: much faster than one after the other."""
        columns, ids = self.columns, self.graph.ids
        return [
            Commit(
                index=commit,
                id=ids[commit],
                parents=tuple([ids[parent] for parent in self.graph.parents(commit)]),
                author=columns.names[commit],
                author_mail=columns.mails[commit],
                authored_at=instant(columns.authored[commit]),
                committed_at=instant(columns.committed[commit]),
                subject=subject_of(message) if message != OUTSIDE else "",
                message=message,
                tickets=self.links.get(commit, ()),
            )
            for commit, message in zip(commits, columns.messages.of(commits), strict=True)
        ]

    def called_alike(self, commits: Iterable[int]) -> set[int]:
        """The commits that are called as one of these, numbers of hosts aside; these among them."""
        name = self.index.statements.name
        wanted = {name[commit] for commit in commits} - UNNAMED
        found = {commit for commit, key in enumerate(name) if key in wanted} if wanted else set()
        return found - self.graph.lost

    @cached_property
    def _sets_new_in(self) -> Sequence[Sequence[int]]:
        """For every release the numbers of the sets whose commits are new in it."""
        found: list[list[int]] = [[] for _ in self.releases]
        new = NewCommits(self.releases)
        for number, bits in enumerate(self.sets):
            for rank in members(new.of(bits)):
                found[rank].append(number)
        return found

    def _in_sets(self, numbers: Iterable[int]) -> list[int]:
        """The commits of some sets, newest first."""
        return self.graph.newest_first(self._of_sets(numbers))

    def _of_sets(self, numbers: Iterable[int]) -> list[int]:
        """The commits of some sets, in no order; those of other products in the same repository left out."""
        found, name = self.index.contained.commits_of(list(numbers)), self.index.statements.name
        return [commit for commit in found if name[commit] != ELSEWHERE]

    def apart(self, here: int, there: int) -> list[int]:
        """The commits that the release or branch of the bit `here` contains and that of `there` does not, in no order."""
        return self._of_sets(n for n, bits in enumerate(self.sets) if bits >> here & 1 and not bits >> there & 1)

    @cached_property
    def release_places(self) -> Sequence[int]:
        """Where the releases' commits stand, by rank."""
        return [one.commit for one in self.index.tips.releases]

    def new_in(self, release: TaggedRelease) -> list[int]:
        """The commits of the release that its previous one has not (`git rev-list TAG ^PREVIOUS`), newest first."""
        return self._in_sets(self._sets_new_in[release.rank])

    def size_of(self, release: TaggedRelease) -> int:
        """How many commits are new in the release, those of other products in the same repository among them."""
        counts = self.index.contained.counts
        return sum(counts[number] for number in self._sets_new_in[release.rank])

    def unreleased(self, head: Head) -> list[int]:
        """The commits of a branch that no release contains, newest first."""
        released = (1 << len(self.releases)) - 1
        return self._in_sets(n for n, bits in enumerate(self.sets) if bits >> head.bit & 1 and not bits & released)

    def pending(self, head: Head, *, since: Version | None) -> tuple[Change, ...]:
        """The commits of a branch that the release `since` has not, newest first, as a release made there would tell them."""
        before = self._by_version.get(since) if since else None
        known = 1 << before.rank if before else 0
        commits = self._in_sets(n for n, bits in enumerate(self.sets) if bits >> head.bit & 1 and not bits & known)
        return self._changes(commits, head.bit, before.rank if before else None)

    def changes(self, release: TaggedRelease) -> tuple[Change, ...]:
        """The commits new in a release, newest first, each with what a changelog does with it."""
        previous = self._by_version[release.previous].rank if release.previous else None
        return self._changes(self.new_in(release), release.rank, previous)

    def _changes(self, commits: Sequence[int], rank: int, previous: int | None) -> tuple[Change, ...]:
        marked = self._marked(commits, rank, previous)
        return tuple(
            Change(
                commit=shown,
                standing=marks.standing,
                picked_from=marks.picked_from,
                reverted_by=marks.reverted_by,
                reverts=tuple(self.graph.ids[one] for one in self.force.reverts_of.get(commit, ())),
            )
            for commit, shown in zip(commits, self.commits(commits), strict=True)
            for marks in (marked.get(commit, UNMARKED),)
        )

    def marked(self, release: TaggedRelease, commits: Sequence[int]) -> dict[int, Marks]:
        """What `changes` says of the commits new in a release besides themselves; of those left out it is `UNMARKED`.

        For who tells thousands: there is nothing to say of nearly all.
        """
        previous = self._by_version[release.previous].rank if release.previous else None
        return self._marked(commits, release.rank, previous)

    def _marked(self, commits: Sequence[int], rank: int, previous: int | None) -> dict[int, Marks]:
        found = {}
        for commit in self._related.intersection(commits):
            reverter = self.force.reverter(commit, bit=rank)
            if reverter is None:
                later = (one for one in reversed(self.force.by.get(commit, ())) if self.force.bits(one))
                reverter = next(later, None)
            found[commit] = Marks(
                standing=self._standing(commit, rank, previous),
                picked_from=self._picked_from(commit),
                reverted_by=self.graph.ids[reverter] if reverter is not None else None,
            )
        return found

    @cached_property
    def _related(self) -> frozenset[int]:
        """The commits that have to do with others: taken back, taking back, copied or copies."""
        return frozenset().union(self.force.by, self.force.reverts_of, self.copies.all)

    @cached_property
    def tied(self) -> frozenset[int]:
        """The commits of which others decide where their changes are; of all others that is where they are contained."""
        return self._related.union(self.copies.by_merge)

    def _picked_from(self, commit: int) -> str | None:
        """The nearest source; of a revert that quotes the trailer of a pick, the quoted one, which it does not carry."""
        picks = self.copies.picks_of.get(commit)
        if picks:
            return picks[0].source_id
        claim = self.index.statements.claims.get(commit) if commit in self.force.reverts_of else None
        if claim is None or not claim.quoted:
            return None
        source = self.graph.find(claim.quoted[0])
        return self.graph.ids[source] if source is not None else claim.quoted[0]

    def _standing(self, commit: int, rank: int, previous: int | None) -> Standing:
        force = self.force
        here = 1 << rank
        before = 1 << previous if previous is not None else 0
        if not force.bits(commit) & here:
            return Standing.REVERTED
        if self._had(commit, here, before):
            return Standing.REPEATED
        targets = force.reverts_of.get(commit, ())
        if any(force.bits(target) & before for target in targets):
            return Standing.REVERT
        if any(self.bits(target) & here for target in targets):
            return Standing.REVERTED
        return Standing.SHOWN

    def _had(self, commit: int, here: int, before: int) -> bool:
        """Whether everything the commit carries came to the line before it, by other commits."""
        if not self.copies.is_copied(commit):
            return False
        force, order = self.force, self.graph.order
        carried: set[int] = set()
        for one in self.copies.group(commit) - {commit}:
            if force.bits(one) & before or (force.bits(one) & here and order(one) < order(commit)):
                carried |= self.copies.origins(one)
        return self.copies.origins(commit) <= carried

    def evidence(self, brought: Iterable[tuple[int, Via]]) -> Evidence:
        """Judge commits that bring the same thing together."""
        return Evidence(brought, graph=self.graph, force=self.force, bits=self.bits)

    def evidence_of(self, commit: int) -> Evidence:
        """Where the change of one commit is: by itself, by its picks, by other commits fixing the same tickets."""
        brought: dict[int, Via] = {commit: Via.SELF}
        for other in self.copies.everywhere(commit):
            brought.setdefault(other, Via.PICK)
        keys = {link.key for link in self.links.get(commit, ()) if link.relation is TicketRelation.FIXES}
        for key in keys:
            for other in self.fixing(key):
                brought.setdefault(other, Via.TICKET)
        return self.evidence(brought.items())

    def fixed_by(self, commits: Sequence[int]) -> dict[int, list[int]]:
        """Commit -> the numbers of the tickets that it fixes by its own words; those that fix none are absent. For thousands too."""
        links = self.index.links
        if len(commits) * _SEARCHES < len(links.commits):
            wanted: Iterable[int] = (link for commit in commits for link in links.of_commit(commit))
        else:
            among = set(commits)
            wanted = [link for link, commit in enumerate(links.commits) if commit in among]
        found: dict[int, list[int]] = {}
        for link in wanted:
            if links.fixes[link]:
                found.setdefault(links.commits[link], []).append(links.tickets[link])
        return found

    def fixing(self, key: str) -> list[int]:
        """The commits that fix a ticket, oldest first."""
        number = self.index.links.number(key)
        found = self.index.links.fixing(number) if number is not None else ()
        return self.graph.oldest_first(one for one in found if one not in self.graph.lost)

    @cached_property
    def tickets_by_age(self) -> Sequence[int]:
        """The numbers of all tickets that are named, by the age of the first commit that does, and where its message names them."""
        links, graph = self.index.links, self.graph
        first: dict[int, int] = {}
        for link, (commit, ticket) in enumerate(zip(links.commits, links.tickets, strict=True)):
            if commit in graph.lost:
                continue
            other = first.setdefault(ticket, link)
            if other != link and graph.when[commit] <= graph.when[before := links.commits[other]]:
                first[ticket] = link if graph.order(commit) < graph.order(before) else other
        # Links of one commit stand together in the order of its message, so their own order decides between them.
        return sorted(first, key=lambda ticket: (*graph.order(links.commits[first[ticket]]), first[ticket]))

    @property
    def state(self) -> str:
        """Names what this history says, and how its sets and classes are numbered: those in `Delta` are such."""
        return self.index.state

    @property
    def classes(self) -> TicketClasses:
        """The classes of all tickets; found the first time."""
        if self.index.classes is None:
            self.index.classify()
        if self.index.classes is None:
            raise AssertionError(self.index)
        return self.index.classes

    @cached_property
    def class_places(self) -> Sequence[tuple[int, int]]:
        """For every class where it is in force, and where it is contained, as bits."""
        classes = self.classes
        return [
            classes.places(number, self.index.contained, self.index.relations) for number in range(len(classes.keys))
        ]

    @cached_property
    def tickets_alike(self) -> Mapping[tuple[int, int], Sequence[int]]:
        """The numbers of the tickets that are fixed, by where they are in force and where contained, both as bits."""
        by_class: dict[int, list[int]] = {}
        for ticket, number in enumerate(self.classes.of):
            by_class.setdefault(number, []).append(ticket)
        by_class.pop(UNFIXED, None)
        found: dict[tuple[int, int], list[int]] = {}
        for number, tickets in by_class.items():
            found.setdefault(self.class_places[number], []).extend(tickets)
        return found

    @cached_property
    def named(self) -> Mapping[int, tuple[tuple[str, ...], bool]]:
        """What `links` says, for who asks of thousands: commit -> the tickets that it names, and whether it fixes any."""
        links = self.index.links
        found: dict[int, tuple[tuple[str, ...], bool]] = {}
        for commit, ticket, fixes in zip(links.commits, links.tickets, links.fixes, strict=True):
            keys, fixing = found.get(commit, _NAMES_NONE)
            found[commit] = (*keys, links.keys[ticket]), fixing or bool(fixes)
        return found

    def carried(self, commit: int) -> tuple[Carried, ...]:
        """Every release that has the change of one commit, in version order."""
        return self.evidence_of(commit).carried(self.releases)

    def on_lines(self, commit: int) -> tuple[OnLine, ...]:
        """The change of one commit on every line."""
        evidence = self.evidence_of(commit)
        return tuple(evidence.on_line(track, self.releases) for track in self.tracks)
