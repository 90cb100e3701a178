"""Where a change or a ticket is: in which releases, on which lines, and which commit brought it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from releaser.domain.history.force import InForce
from releaser.domain.history.graph import Graph, members
from releaser.domain.history.views import Carried, Head, LineStatus, OnLine, TaggedRelease, Via
from releaser.domain.version import VersionKind

_SUREST_FIRST = {Via.SELF: 0, Via.PICK: 1, Via.TICKET: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One line as bits: its releases, those of them that are no candidates, its newest release, and its branch's head."""

    line: str
    releases: int
    shipped: int
    newest: int
    head: int


def tracks(releases: Sequence[TaggedRelease], heads: Sequence[Head]) -> tuple[Track, ...]:
    """Every line, oldest number first."""
    by_line: dict[str, list[TaggedRelease]] = {}
    for release in releases:
        by_line.setdefault(release.line, []).append(release)
    head_of = {head.line: 1 << head.bit for head in heads if head.line is not None}
    return tuple(
        Track(
            line=line,
            releases=sum(1 << one.rank for one in of),
            shipped=sum(1 << one.rank for one in of if one.version.kind is not VersionKind.CANDIDATE),
            newest=1 << of[-1].rank,
            head=head_of.get(line, 0),
        )
        for line, of in by_line.items()
    )


def status_on(track: Track, *, in_force: int, contained: int) -> LineStatus:
    """Fixed when it is in force at the line's end, affected when it was there and is no longer, else unknown."""
    if track.head & contained:
        return LineStatus.FIXED if track.head & in_force else LineStatus.AFFECTED
    if track.newest & in_force:
        return LineStatus.FIXED
    return LineStatus.AFFECTED if contained & (track.releases | track.head) else LineStatus.UNKNOWN


@lru_cache(maxsize=1 << 13)
def _nothing_on(line: str) -> OnLine:
    return OnLine(
        line=line, status=LineStatus.UNKNOWN, landed=False, first=None, via=None, commit=None, reverted_by=None
    )


class Evidence:
    """Commits that each bring the same thing, surest and oldest first, judged together."""

    def __init__(
        self, brought: Iterable[tuple[int, Via]], *, graph: Graph, force: InForce, bits: Callable[[int], int]
    ) -> None:
        self._graph = graph
        self._force = force
        found = dict(brought).items()
        self.brought = sorted(found, key=lambda one: (_SUREST_FIRST[one[1]], graph.order(one[0])))
        self._in_force_by = [(force.bits(commit), commit, via) for commit, via in self.brought]
        self.in_force = 0
        self.contained = 0
        for in_force, commit, _ in self._in_force_by:
            self.in_force |= in_force
            self.contained |= bits(commit)

    def by(self, bit: int) -> tuple[int, Via]:
        """The commit that brought it to that release, and how."""
        mask = 1 << bit
        for in_force, commit, via in self._in_force_by:
            if in_force & mask:
                return commit, via
        raise AssertionError(bit)

    def carried(self, releases: Sequence[TaggedRelease]) -> tuple[Carried, ...]:
        """Every release that has it in force, in version order."""
        left = self.in_force & ((1 << len(releases)) - 1)
        found: dict[int, Carried] = {}
        for commit, via in self.brought:
            here = self._force.bits(commit) & left
            left &= ~here
            if here:
                of = self._graph.ids[commit]
                found.update((rank, Carried(release=releases[rank], via=via, commit=of)) for rank in members(here))
        return tuple(found[rank] for rank in sorted(found))

    def status(self, track: Track) -> LineStatus:
        """What it is on one line; see `status_on`."""
        return status_on(track, in_force=self.in_force, contained=self.contained)

    def on_line(self, track: Track, releases: Sequence[TaggedRelease]) -> OnLine:
        """It on one line."""
        if not self.contained & (track.releases | track.head):
            # Most lines of a long history have nothing of most changes.
            return _nothing_on(track.line)
        got = self.in_force & track.shipped or self.in_force & track.releases
        first = members(got & -got)[0] if got else None
        commit, via = self.by(first) if first is not None else (None, None)
        status = self.status(track)
        return OnLine(
            line=track.line,
            status=status,
            landed=status is LineStatus.FIXED,
            first=releases[first] if first is not None else None,
            via=via,
            commit=self._graph.ids[commit] if commit is not None else None,
            reverted_by=self._reverter(track) if status is LineStatus.AFFECTED else None,
        )

    def _reverter(self, track: Track) -> str | None:
        end = track.head if track.head & self.contained else self.contained & track.releases
        for bit in reversed(members(end)):
            for commit, _ in self.brought:
                by = self._force.reverter(commit, bit=bit)
                if by is not None:
                    return self._graph.ids[by]
        return None
