"""A product's whole history: built once from what the source read, then only asked.

Everything is kept in flat columns, one entry per commit, and turned into views (`views`) when asked for. A commit is
its index, parents before children; a release is its rank in version order, which is its bit in release sets.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from releaser.domain.history.evidence import Evidence, Track, tracks
from releaser.domain.history.graph import Graph, members
from releaser.domain.history.picks import Copies, quoted_sources
from releaser.domain.history.records import OUTSIDE
from releaser.domain.history.releases import NewCommits
from releaser.domain.history.reverts import InForce
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
    UnreadTag,
    Via,
)
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.domain.version import Version

_LATEST = 253_402_300_799  # the last second of the year 9999


def instant(seconds: int) -> datetime:
    """Seconds since the epoch as an instant; absurd dates, which real commits have, are brought into range."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST), UTC)


def subject_of(message: str) -> str:
    """The first paragraph on one line, as git shows it."""
    text = message.lstrip("\r\n")
    first, newline, rest = text.partition("\n")
    if not newline or rest[:1] in {"", "\n", "\r"}:
        return first.strip()
    return " ".join(text.replace("\r\n", "\n").partition("\n\n")[0].split("\n")).strip()


@dataclass(slots=True, kw_only=True)
class Columns:
    """What is kept of every commit, oldest first."""

    authored: array[int]
    committed: array[int]
    names: list[str]
    mails: list[str]
    messages: list[str]


class History:
    """What git says. Made by `HistoryBuilder`; nothing in it changes afterwards."""

    def __init__(
        self,
        *,
        graph: Graph,
        columns: Columns,
        links: Mapping[int, tuple[TicketLink, ...]],
        releases: tuple[TaggedRelease, ...],
        unread_tags: tuple[UnreadTag, ...],
        heads: tuple[Head, ...],
        set_of: Sequence[int],
        sets: Sequence[int],
        picks: Sequence[Pick],
        reverts: Sequence[Revert],
    ) -> None:
        self.graph = graph
        self.columns = columns
        self.links = links
        """Commit -> the tickets it names; commits that name none are absent."""
        self.releases = releases
        self.unread_tags = unread_tags
        self.heads = heads
        self.set_of = set_of
        """For every commit the number of its release set."""
        self.sets = sets
        """The distinct sets: bit r stands for `releases[r]`, the bits above for `heads`."""
        self.picks = tuple(picks)
        self.reverts = tuple(reverts)
        self.copies = Copies(graph, picks)
        self.force = InForce(graph, reverts, self.copies, self.bits)
        self._by_version = {release.version: release for release in releases}

    def __len__(self) -> int:
        return len(self.graph)

    def bits(self, commit: int) -> int:
        """The set of releases and heads that contain the commit, whether reverted there or not."""
        return self.sets[self.set_of[commit]]

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
        return self.graph.find(named)

    def subject(self, commit: int) -> str:
        """The commit's first paragraph on one line."""
        message = self.columns.messages[commit]
        return "" if message == OUTSIDE else subject_of(message)

    def commit(self, commit: int) -> Commit:
        """One commit as people see it."""
        columns = self.columns
        return Commit(
            index=commit,
            id=self.graph.ids[commit],
            parents=tuple(self.graph.ids[parent] for parent in self.graph.parents(commit)),
            author=columns.names[commit],
            author_mail=columns.mails[commit],
            authored_at=instant(columns.authored[commit]),
            committed_at=instant(columns.committed[commit]),
            subject=self.subject(commit),
            message=columns.messages[commit],
            tickets=self.links.get(commit, ()),
        )

    @cached_property
    def _commits_by_set(self) -> Mapping[int, Sequence[int]]:
        """The commits of each release set, those of other products in the same repository left out."""
        found: dict[int, list[int]] = {}
        messages = self.columns.messages
        for commit, number in enumerate(self.set_of):
            if messages[commit] != OUTSIDE:
                found.setdefault(number, []).append(commit)
        return found

    @cached_property
    def _sets_new_in(self) -> Sequence[Sequence[int]]:
        """For every release the numbers of the sets whose commits are new in it."""
        found: list[list[int]] = [[] for _ in self.releases]
        new = NewCommits(self.releases)
        for number, bits in enumerate(self.sets):
            for rank in members(new.of(bits)):
                found[rank].append(number)
        return found

    def new_in(self, release: TaggedRelease) -> list[int]:
        """The commits of the release that its previous one has not (`git rev-list TAG ^PREVIOUS`), newest first."""
        found: list[int] = []
        for number in self._sets_new_in[release.rank]:
            found += self._commits_by_set.get(number, ())
        found.sort(reverse=True)
        return found

    def unreleased(self, head: Head) -> list[int]:
        """The commits of a branch that no release contains, newest first."""
        released = (1 << len(self.releases)) - 1
        numbers = [n for n, bits in enumerate(self.sets) if bits >> head.bit & 1 and not bits & released]
        return sorted((c for n in numbers for c in self._commits_by_set.get(n, ())), reverse=True)

    def pending(self, head: Head, *, since: Version | None) -> tuple[Change, ...]:
        """The commits of a branch that the release `since` has not, newest first, as a release made there would tell them."""
        before = self._by_version.get(since) if since else None
        known = 1 << before.rank if before else 0
        numbers = [n for n, bits in enumerate(self.sets) if bits >> head.bit & 1 and not bits & known]
        commits = sorted((c for n in numbers for c in self._commits_by_set.get(n, ())), reverse=True)
        return tuple(self._change(commit, head.bit, before.rank if before else None) for commit in commits)

    def changes(self, release: TaggedRelease) -> tuple[Change, ...]:
        """The commits new in a release, newest first, each with what a changelog does with it."""
        previous = self._by_version[release.previous].rank if release.previous else None
        return tuple(self._change(commit, release.rank, previous) for commit in self.new_in(release))

    def _change(self, commit: int, rank: int, previous: int | None) -> Change:
        reverter = self.force.reverter(commit, bit=rank)
        if reverter is None:
            later = (one for one in self.force.by.get(commit, ()) if self.force.bits(one))
            reverter = min(later, default=None)
        return Change(
            commit=self.commit(commit),
            standing=self._standing(commit, rank, previous),
            picked_from=self._picked_from(commit),
            reverted_by=self.graph.ids[reverter] if reverter is not None else None,
            reverts=tuple(self.graph.ids[one] for one in self.force.reverts_of.get(commit, ())),
        )

    def _picked_from(self, commit: int) -> str | None:
        """The nearest source; of a revert that quotes the trailer of a pick, the quoted one, which it does not carry."""
        picks = self.copies.picks_of.get(commit)
        if picks:
            return picks[0].source_id
        quoted = quoted_sources(self.columns.messages[commit]) if commit in self.force.reverts_of else ()
        if not quoted:
            return None
        source = self.graph.find(quoted[0])
        return self.graph.ids[source] if source is not None else quoted[0]

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
        force = self.force
        others = [one for one in self.copies.same(commit) if one != commit]
        had = [one for one in others if force.bits(one) & before or (one < commit and force.bits(one) & here)]
        carried: set[int] = set()
        for one in had:
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
            for other in self.fixing.get(key, ()):
                brought.setdefault(other, Via.TICKET)
        return self.evidence(brought.items())

    @cached_property
    def fixing(self) -> Mapping[str, Sequence[int]]:
        """Ticket -> the commits that fix it, oldest first."""
        found: dict[str, list[int]] = {}
        for commit in sorted(self.links):
            for link in self.links[commit]:
                if link.relation is TicketRelation.FIXES:
                    found.setdefault(link.key, []).append(commit)
        return found

    def carried(self, commit: int) -> tuple[Carried, ...]:
        """Every release that has the change of one commit, in version order."""
        return self.evidence_of(commit).carried(self.releases)

    def on_lines(self, commit: int) -> tuple[OnLine, ...]:
        """The change of one commit on every line."""
        evidence = self.evidence_of(commit)
        return tuple(evidence.on_line(track, self.releases) for track in self.tracks)
