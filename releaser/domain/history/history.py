"""A product's whole history, only to be asked. Nothing in it changes; what is new makes another one.

Everything stands in flat columns (`index`), one entry per commit, and is turned into views (`views`) when asked for. A commit is
its place, a release its rank in version order, which is its bit in release sets. Places tell when a commit was read: what is
told is ordered by `Graph.order` instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from releaser.domain.history.answers import Answers
from releaser.domain.history.columns import Columns, People
from releaser.domain.history.evidence import Evidence, Track, tracks
from releaser.domain.history.graph import members
from releaser.domain.history.growth import Told
from releaser.domain.history.index import Index
from releaser.domain.history.links import LinksByCommit
from releaser.domain.history.marks import UNMARKED, Marking, Marks
from releaser.domain.history.records import OUTSIDE, instant
from releaser.domain.history.releases import NewCommits
from releaser.domain.history.said import ELSEWHERE, UNNAMED
from releaser.domain.history.texts import Messages, Reader, subject_of
from releaser.domain.history.tickets import Tickets
from releaser.domain.history.undoing import bottom_of, undoing_of
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
    Undoing,
    Via,
)
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.domain.version import Version

__all__ = ["UNMARKED", "Columns", "History", "Marks", "instant", "subject_of"]


class History(Tickets):
    """What git says. Made by `HistoryBuilder`."""

    def __init__(self, index: Index, told: Told, *, read: Reader | None = None, messages: Sequence[str] = ()) -> None:
        """`messages` are those of the first commits, where they are at hand; `read` reads the others."""
        super().__init__(index)
        said = index.statements
        self.columns = Columns(
            authored=said.authored,
            committed=index.committed,
            names=People(said.author, [name for name, _ in said.authors]),
            mails=People(said.author, [mail for _, mail in said.authors]),
            messages=Messages(index.graph.ids, read, known=messages, outside=said.is_outside),
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
        self.marking = Marking(index)
        self.bits = index.contained.bits
        """Commit -> the set of releases and heads that contain it, whether reverted there or not."""
        self._by_version = {release.version: release for release in told.releases}
        self.answers = Answers()
        """What was worked out of this very history, for who is asked the same again."""

    def __len__(self) -> int:
        return len(self.graph)

    def is_outside(self, commit: int) -> bool:
        """Whether the commit is another product's in the same repository."""
        return self.index.statements.is_outside(commit)

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
        marked = self.marking.of(commits, rank=rank, previous=previous)
        undoing = self.undoing(one for one, marks in marked.items() if marks.standing is Standing.REVERT)
        return tuple(
            Change(
                commit=shown,
                standing=marks.standing,
                picked_from=marks.picked_from,
                reverted_by=marks.reverted_by,
                reverts=tuple(self.graph.ids[one] for one in self.force.reverts_of.get(commit, ())),
                undoing=undoing.get(commit),
            )
            for commit, shown in zip(commits, self.commits(commits), strict=True)
            for marks in (marked.get(commit, UNMARKED),)
        )

    def undoing(self, reverts: Iterable[int]) -> dict[int, Undoing]:
        """What reverts take back or bring back, by revert; all at once, for what they are about is read again."""
        named, wanted = self.index.relations.reverts, list(reverts)
        found = {one: bottom_of(one, lambda at: [revert.reverted for revert in named.get(at, ())]) for one in wanted}
        places = list(dict.fromkeys([*wanted, *(change for changes, _ in found.values() for change in changes)]))
        texts = dict(zip(places, self.columns.messages.of(places) if places else (), strict=True))
        told = {}
        for one, (changes, is_again) in found.items():
            # A merge is taken back with what it brought, which names the tickets.
            targets = () if is_again else self.force.reverts_of.get(one, ())
            links = [link for change in (*changes, *targets) for link in self.links.get(change, ())]
            messages = [texts[change] for change in changes if texts[change] != OUTSIDE]
            told[one] = undoing_of(subject_of(texts[one]), messages, links, is_again=is_again)
        return told

    def marked(self, release: TaggedRelease, commits: Sequence[int]) -> dict[int, Marks]:
        """What `changes` says of the commits new in a release besides themselves; of those left out it is `UNMARKED`.

        For who tells thousands: there is nothing to say of nearly all.
        """
        previous = self._by_version[release.previous].rank if release.previous else None
        return self.marking.of(commits, rank=release.rank, previous=previous)

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

    @property
    def state(self) -> str:
        """Names what this history says, and how its sets and classes are numbered: those in `Delta` are such."""
        return self.index.state

    def carried(self, commit: int) -> tuple[Carried, ...]:
        """Every release that has the change of one commit, in version order."""
        return self.evidence_of(commit).carried(self.releases)

    def on_lines(self, commit: int) -> tuple[OnLine, ...]:
        """The change of one commit on every line."""
        evidence = self.evidence_of(commit)
        return tuple(evidence.on_line(track, self.releases) for track in self.tracks)
