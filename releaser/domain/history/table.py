"""The table: ticket x line -> status, with evidence.

Commits that *fix* a ticket decide where it is; of a ticket that is only referred to, the commits are evidence, and where
they are is told, but its status stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from releaser.domain.history.evidence import Evidence, Track
from releaser.domain.history.history import History
from releaser.domain.history.views import LineStatus, OnLine, TicketCommit, TicketHistory, Via
from releaser.domain.ticket import TicketRelation


class TicketTable:
    """Every ticket of a history on every line."""

    def __init__(self, history: History) -> None:
        self._history = history

    @cached_property
    def _links(self) -> Mapping[str, dict[int, TicketRelation]]:
        found: dict[str, dict[int, TicketRelation]] = {}
        for commit in sorted(self._history.links):
            for link in self._history.links[commit]:
                found.setdefault(link.key, {})[commit] = link.relation
        return found

    @property
    def keys(self) -> Sequence[str]:
        """Every ticket named anywhere, by the age of its first commit."""
        return tuple(self._links)

    def show(self, key: str) -> TicketHistory | None:
        """One ticket with all its evidence, or None if no commit names it."""
        named = self._links.get(key)
        if named is None:
            return None
        history = self._history
        evidence = self._evidence(named)
        fixes = TicketRelation.FIXES in named.values()
        brought = dict(evidence.brought)
        commits = sorted({*named, *brought})
        return TicketHistory(
            key=key,
            commits=tuple(
                TicketCommit(
                    commit=commit,
                    id=history.graph.ids[commit],
                    relation=named.get(commit),
                    via=brought.get(commit, self._via(commit)),
                )
                for commit in commits
            ),
            releases=evidence.carried(history.releases),
            lines=tuple(self._on_line(evidence, track, fixes=fixes) for track in history.tracks),
            heads=tuple(head for head in history.heads if evidence.in_force >> head.bit & 1),
        )

    def statuses(self, lines: Sequence[str] | None = None) -> Iterator[tuple[str, tuple[LineStatus, ...]]]:
        """Every ticket with its status on each of `lines` (all of them by default), without the evidence: fast."""
        tracks = [track for track in self._history.tracks if lines is None or track.line in lines]
        unknown = tuple(LineStatus.UNKNOWN for _ in tracks)
        # Tickets by the thousand share few sets of releases; each distinct pair of sets is judged once.
        judged: dict[tuple[int, int], tuple[LineStatus, ...]] = {}
        for key, named in self._links.items():
            fixing = [commit for commit, relation in named.items() if relation is TicketRelation.FIXES]
            if not fixing:
                yield key, unknown
                continue
            sets = self._sets(fixing)
            if sets not in judged:
                evidence = self._evidence(named)
                judged[sets] = tuple(map(evidence.status, tracks))
            yield key, judged[sets]

    def _sets(self, fixing: Sequence[int]) -> tuple[int, int]:
        """Where the ticket is in force and where it is contained: what `Evidence` says, without its order."""
        history = self._history
        in_force = contained = 0
        for commit in fixing:
            for other in history.copies.everywhere(commit) if history.copies.may_be_elsewhere(commit) else (commit,):
                in_force |= history.force.bits(other)
                contained |= history.bits(other)
        return in_force, contained

    def places(self) -> Iterator[tuple[str, int, int]]:
        """Every ticket that some commit fixes, with the releases and heads in which that is in force and that contain it.

        Both as bits, as in `History.bits`; `evidence.status_on` judges them.
        """
        for key, named in self._links.items():
            fixing = [commit for commit, relation in named.items() if relation is TicketRelation.FIXES]
            if fixing:
                yield key, *self._sets(fixing)

    def evidence(self, key: str) -> Evidence | None:
        """What decides where the ticket is, or None if no commit names it."""
        named = self._links.get(key)
        return self._evidence(named) if named is not None else None

    def fixed(self) -> Iterator[tuple[str, int]]:
        """Every ticket that some commit fixes, with the releases in which that is in force, as bits by rank."""
        released = (1 << len(self._history.releases)) - 1
        for key, named in self._links.items():
            if TicketRelation.FIXES in named.values():
                yield key, self._evidence(named).in_force & released

    def first_releases(self, key: str) -> Mapping[str, str]:
        """Line -> first version that has the ticket, only where one has."""
        shown = self.show(key)
        return {one.line: one.first.version.text for one in shown.lines if one.first} if shown else {}

    def _via(self, commit: int) -> Via:
        return Via.PICK if commit in self._history.copies.picks_of else Via.SELF

    def _evidence(self, named: Mapping[int, TicketRelation]) -> Evidence:
        """The commits that decide: those that fix it, else all; with every pick of theirs, named or not."""
        fixing = [commit for commit, relation in named.items() if relation is TicketRelation.FIXES]
        copies = self._history.copies
        brought: dict[int, Via] = {}
        for commit in fixing or named:
            brought.setdefault(commit, self._via(commit))
            for other in copies.everywhere(commit):
                brought.setdefault(other, self._via(other))
        return self._history.evidence(brought.items())

    def _on_line(self, evidence: Evidence, track: Track, *, fixes: bool) -> OnLine:
        on_line = evidence.on_line(track, self._history.releases)
        if fixes:
            return on_line
        return OnLine(
            line=on_line.line,
            status=LineStatus.UNKNOWN,
            landed=on_line.landed,
            first=on_line.first,
            via=on_line.via,
            commit=on_line.commit,
            reverted_by=None,
        )
