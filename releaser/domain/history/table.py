"""The table: ticket x line -> status, with evidence.

Commits that *fix* a ticket decide where it is; of a ticket that is only referred to, the commits are evidence, and where
they are is told, but its status stays unknown. Tickets that are decided alike are of one class (`classes`) and judged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from releaser.domain.history.classes import UNFIXED
from releaser.domain.history.evidence import Evidence, Track, status_on
from releaser.domain.history.history import History
from releaser.domain.history.views import LineStatus, OnLine, TicketCommit, TicketHistory, Via
from releaser.domain.ticket import TicketRelation


class TicketTable:
    """Every ticket of a history on every line. Making one costs nothing."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._links = history.index.links

    @property
    def keys(self) -> Sequence[str]:
        """Every ticket named anywhere, by the age of its first commit."""
        return tuple(map(self._links.keys.__getitem__, self._numbers))

    @property
    def _numbers(self) -> Sequence[int]:
        return self._history.tickets_by_age

    def named(self, key: str) -> Mapping[int, TicketRelation] | None:
        """The commits that name a ticket, oldest first, and what they say of it; None if none does."""
        number = self._links.number(key)
        return self._named(number) if number is not None else None

    def _named(self, number: int) -> Mapping[int, TicketRelation] | None:
        links, graph = self._links, self._history.graph
        found = {
            commit: TicketRelation.FIXES if links.fixes[link] else TicketRelation.REFS
            for link in links.of_ticket(number)
            if (commit := links.commits[link]) not in graph.lost
        }
        return {commit: found[commit] for commit in graph.oldest_first(found)} or None

    def show(self, key: str) -> TicketHistory | None:
        """One ticket with all its evidence, or None if no commit names it."""
        named = self.named(key)
        if named is None:
            return None
        history = self._history
        evidence = self._evidence(named)
        fixes = TicketRelation.FIXES in named.values()
        brought = dict(evidence.brought)
        commits = history.graph.oldest_first({*named, *brought})
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
        rows: dict[int, tuple[LineStatus, ...]] = {UNFIXED: tuple(LineStatus.UNKNOWN for _ in tracks)}
        # Classes share few pairs of sets, and there are many lines.
        judged: dict[tuple[int, int], tuple[LineStatus, ...]] = {}
        for number in self._numbers:
            of = self._class_of[number]
            if of not in rows:
                places = self._places[of]
                if places not in judged:
                    in_force, contained = places
                    judged[places] = tuple(status_on(track, in_force=in_force, contained=contained) for track in tracks)
                rows[of] = judged[places]
            yield self._links.keys[number], rows[of]

    @property
    def _class_of(self) -> Sequence[int]:
        return self._history.classes.of

    @cached_property
    def _places(self) -> Sequence[tuple[int, int]]:
        return self._history.class_places

    def places(self) -> Iterator[tuple[str, int, int]]:
        """Every ticket that some commit fixes, with the releases and heads in which that is in force and that contain it.

        Both as bits, as in `History.bits`; `evidence.status_on` judges them.
        """
        for number in self._numbers:
            of = self._class_of[number]
            if of != UNFIXED:
                yield self._links.keys[number], *self._places[of]

    def alike(self) -> Iterator[tuple[tuple[int, int], Sequence[str]]]:
        """The same turned round: each distinct pair of sets with its tickets, in no order."""
        # Whoever asks this goes on to ask for many of them by their keys.
        keys = list(self._links.numbers)
        for places, numbers in self._history.tickets_alike.items():
            yield places, [keys[number] for number in numbers]

    def age(self, key: str) -> int:
        """When the commit was made, in seconds, that was the last to name the ticket as far as is known; 0 if none does."""
        number = self._links.number(key)
        return self._history.graph.when[self._links.commits[self._links.last[number]]] if number is not None else 0

    def evidence(self, key: str) -> Evidence | None:
        """What decides where the ticket is, or None if no commit names it."""
        number = self._links.number(key)
        return self.evidence_of(number) if number is not None else None

    def evidence_of(self, number: int) -> Evidence | None:
        """Likewise, by the ticket's number."""
        named = self._named(number)
        return self._evidence(named) if named is not None else None

    def fixed(self) -> Iterator[tuple[str, int]]:
        """Every ticket that some commit fixes, with the releases in which that is in force, as bits by rank."""
        released = (1 << len(self._history.releases)) - 1
        return ((key, in_force & released) for key, in_force, _ in self.places())

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
