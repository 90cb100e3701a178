"""Backport gaps: what is fixed on one line and not on another, ticket by ticket, with evidence.

Compared are *places*: lines, oldest number first, and the main branch, which is newest. A ticket that is fixed on some place
looked at and not on another is a gap there:

- *reverted*: it was there and was taken back, or somebody says that the fault is there; that is certain;
- *forward-port*: an older place has it, so whoever upgrades from that loses the fix;
- *backport*: only newer places have it. Whether this one ever had the fault is not known, so it is a candidate, and never passed
  over as fine.

Of a product with a thousand lines most are dead. Looked at are, unless others are named, the lines that are *alive*: they have a
branch or a patch, and it moved within a year before whatever moved last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from types import MappingProxyType
from typing import Any

from releaser.domain.changelog.text import shortened
from releaser.domain.contains import line_json
from releaser.domain.history import Head, History, LineStatus, OnLine, TicketTable
from releaser.domain.history.evidence import Track, status_on
from releaser.domain.version import VersionKind
from releaser.errors import InvalidError, NotFoundError

ALIVE_FOR = timedelta(days=365)
EVERY_LINE = "all"
MAIN = "main"
MOST_GAPS = 100_000
DONE = (LineStatus.FIXED, LineStatus.VERIFIED)
OPEN = (LineStatus.AFFECTED, LineStatus.UNKNOWN)
_NAMED = 8


class UnknownPlaceError(NotFoundError):
    """The history has no such line."""


class TooManyGapsError(InvalidError):
    """More gaps than anybody can read, or a machine's memory should hold."""


class GapKind(StrEnum):
    """Why a ticket is a gap, gravest first; see above."""

    REVERTED = "reverted"
    FORWARD_PORT = "forward-port"
    BACKPORT = "backport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line or the main branch. `moved_at` is when its branch, else its newest release, last moved; `branch` may be absent."""

    track: Track
    is_main: bool
    branch: str | None
    moved_at: datetime

    @property
    def name(self) -> str:
        """The line's number, or the main branch's name."""
        return self.track.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One ticket missing on one place. `fixed_on` is what is known of the places that have it, oldest first.

    `status` is affected where it was taken back, by `reverted_by`, or is said to be; else unknown; `commits` are all that bring it, oldest first.
    """

    ticket: str
    place: str
    kind: GapKind
    status: LineStatus
    fixed_on: tuple[OnLine, ...]
    reverted_by: str | None
    commits: tuple[int, ...]


Said = Mapping[str, Mapping[str, LineStatus]]
"""Ticket -> line -> what counts there, of tickets that people said something of."""
_Row = tuple[str, tuple[LineStatus, ...]]


class Backports:
    """The gaps of the places looked at. `tickets` is how many were compared, `left_out` how many lines were not looked at.

    What is told of a gap is looked up when it is asked for: there may be very many.
    """

    def __init__(self, history: History, looked_at: Sequence[Place], rows: Sequence[_Row], *, tickets: int) -> None:
        self.places = tuple(looked_at)
        self.tickets = tickets
        self.left_out = len(history.tracks) - sum(not place.is_main for place in looked_at)
        self._history = history
        self._table = TicketTable(history)
        self._statuses = dict(sorted(rows, key=lambda row: self._table.age(row[0]), reverse=True))
        self._kinds = {statuses: _kinds(statuses) for statuses in set(self._statuses.values())}

    @cached_property
    def tickets_of(self) -> Mapping[GapKind, Sequence[str]]:
        """For every kind the tickets that have a gap of it, newest first; a ticket may have several kinds."""
        found: dict[GapKind, list[str]] = {kind: [] for kind in GapKind}
        for ticket, statuses in self._statuses.items():
            for kind in set(filter(None, self._kinds[statuses])):
                found[kind].append(ticket)
        return found

    @cached_property
    def counts(self) -> Mapping[GapKind, int]:
        """How many gaps there are of every kind."""
        found = Counter(kind for statuses in self._statuses.values() for kind in self._kinds[statuses] if kind)
        return {kind: found[kind] for kind in GapKind}

    @cached_property
    def counts_on(self) -> Mapping[str, int]:
        """How many gaps there are on every place."""
        rows = Counter(self._statuses.values())
        return {
            place.name: sum(count for statuses, count in rows.items() if self._kinds[statuses][n] is not None)
            for n, place in enumerate(self.places)
        }

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All of them, gravest and then newest first."""
        return tuple(self.some(most=len(self._statuses)))

    def some(self, *, most: int) -> Iterator[Gap]:
        """Those of the newest tickets of every kind, so many at most; gravest and then newest first."""
        for kind, tickets in self.tickets_of.items():
            for ticket in tickets[:most]:
                yield from self._gaps_of(ticket, kind)

    def _gaps_of(self, ticket: str, kind: GapKind) -> Iterator[Gap]:
        statuses, releases = self._statuses[ticket], self._history.releases
        kinds = self._kinds[statuses]
        evidence = self._table.evidence(ticket)
        assert evidence is not None  # noqa: S101 -- its places are known, so it is
        having = [self.places[n] for n, status in enumerate(statuses) if status in DONE]
        fixed_on = tuple(evidence.on_line(place.track, releases) for place in having)
        commits = tuple(self._history.graph.oldest_first(commit for commit, _ in evidence.brought))
        for place, status, mine in zip(self.places, statuses, kinds, strict=True):
            if mine is kind:
                reverted = kind is GapKind.REVERTED
                yield Gap(
                    ticket=ticket,
                    place=place.name,
                    kind=kind,
                    status=status,
                    fixed_on=fixed_on,
                    reverted_by=evidence.on_line(place.track, releases).reverted_by if reverted else None,
                    commits=commits,
                )


def _kinds(statuses: Sequence[LineStatus]) -> tuple[GapKind | None, ...]:
    """For every place what kind of gap it is, None where it is none."""
    first = next((n for n, status in enumerate(statuses) if status in DONE), None)
    if first is None:
        return (None,) * len(statuses)
    found: list[GapKind | None] = []
    for n, status in enumerate(statuses):
        carried = GapKind.FORWARD_PORT if first < n else GapKind.BACKPORT
        kinds = {LineStatus.AFFECTED: GapKind.REVERTED, LineStatus.UNKNOWN: carried}
        found.append(kinds.get(status))
    return tuple(found)


def places(history: History) -> tuple[Place, ...]:
    """Every line, oldest number first, and then the main branch, if there is one."""
    head_of = {head.line: head for head in history.heads if head.line is not None}
    newest = {release.line: release for release in history.releases}
    found = []
    for track in history.tracks:
        head = head_of.get(track.line)
        moved = [newest[track.line].released_at]
        if head is not None:
            moved.append(_moved_at(history, head))
        found.append(
            Place(track=track, is_main=False, branch=head.branch if head is not None else None, moved_at=max(moved))
        )
    for head in history.heads:
        if head.main:
            track = Track(line=head.branch, releases=0, shipped=0, newest=0, head=1 << head.bit)
            found.append(Place(track=track, is_main=True, branch=head.branch, moved_at=_moved_at(history, head)))
    return tuple(found)


def _moved_at(history: History, head: Head) -> datetime:
    place = history.find(head.commit)
    assert place is not None  # noqa: S101 -- heads that lead nowhere were left out when it was read
    return history.committed_at(place)


def chosen(history: History, wanted: Sequence[str] = ()) -> tuple[Place, ...]:
    """The places to look at: those named, else those alive. The main branch is always among them, as what they are held against.

    A name is a line's number, the main branch's name or `main`, a pattern such as `2.5*`, or `all`.
    Raises `UnknownPlaceError`.
    """
    every = places(history)
    if not wanted:
        return alive(history, every)
    named: set[str] = set()
    for name in wanted:
        fits = [one.name for one in every if _is_named(one, name)]
        if not fits:
            raise UnknownPlaceError(
                f"There is no line '{name[:80]}'.",
                advice=f"The newest are {', '.join(one.name for one in every[: -_NAMED - 1 : -1])}; or use '{EVERY_LINE}'.",
                field="lines",
            )
        named.update(fits)
    return tuple(one for one in every if one.is_main or one.name in named)


def _is_named(place: Place, name: str) -> bool:
    if name in {EVERY_LINE, place.name} or (place.is_main and name == MAIN):
        return True
    return name.endswith("*") and fnmatchcase(place.name, name)


def alive(history: History, every: Sequence[Place]) -> tuple[Place, ...]:
    """Of these places the main branch, and the lines with a branch or a patch that moved within a year before the last move."""
    patched = {release.line for release in history.releases if release.version.kind is VersionKind.PATCH}
    kept = [one for one in every if one.is_main or one.branch is not None or one.name in patched]
    last = max((one.moved_at for one in every), default=None)
    return tuple(one for one in kept if one.is_main or (last is not None and one.moved_at >= last - ALIVE_FOR))


def gaps(
    history: History, looked_at: Sequence[Place], *, said: Said = MappingProxyType({}), most: int = MOST_GAPS
) -> Backports:
    """What is done on some of these places and open on others; `said` counts before what the history shows.

    Raises `TooManyGapsError` when there are more than `most`.
    """
    rows: list[_Row] = []
    tickets = count = 0
    # Tickets by the thousand share few sets of releases; each distinct pair of sets is judged once.
    for (in_force, contained), keys in TicketTable(history).alike():
        statuses = tuple(status_on(place.track, in_force=in_force, contained=contained) for place in looked_at)
        tickets += len(keys)
        still_open = _open(statuses)
        if said:
            rows += [(key, _counting(statuses, looked_at, said[key])) for key in keys if key in said]
        if still_open:
            silent = [key for key in keys if key not in said] if said else keys
            rows += [(key, statuses) for key in silent]
            count += still_open * len(silent)
    if count > most:
        raise TooManyGapsError(
            f"These {len(looked_at)} lines have {count} gaps, which nobody can read.",
            advice="Name fewer lines, such as --lines 3.4,3.5.",
            field="lines",
        )
    return Backports(history, looked_at, rows, tickets=tickets)


def _open(statuses: Sequence[LineStatus]) -> int:
    """On how many places it is a gap: done on one at least, and open there."""
    return sum(map(statuses.count, OPEN)) if any(one in statuses for one in DONE) else 0


def _counting(
    statuses: Sequence[LineStatus], looked_at: Sequence[Place], said: Mapping[str, LineStatus]
) -> tuple[LineStatus, ...]:
    return tuple(said.get(place.name, shown) for place, shown in zip(looked_at, statuses, strict=True))


def as_json(found: Backports, history: History, *, most: int | None = None) -> dict[str, Any]:
    """Plain data. `lines` are those looked at; of a gap with the status `unknown` only people can say whether it is one.

    With `most` only the newest tickets of every kind are told, so many; `counts` has all.
    """
    told = list(found.some(most=most)) if most is not None else found.gaps
    newest = list(dict.fromkeys(gap.commits[-1] for gap in told))
    subjects = dict(zip(newest, history.subjects(newest), strict=True))
    # What is told of a ticket is the same on every place where it is missing.
    of_ticket = {gap.ticket: _ticket_json(gap, subjects[gap.commits[-1]], history) for gap in told}
    return {
        "lines": [
            {
                "line": place.name,
                "main": place.is_main,
                "branch": place.branch,
                "moved": place.moved_at.date().isoformat(),
                "gaps": found.counts_on[place.name],
            }
            for place in found.places
        ],
        "lines_left_out": found.left_out,
        "tickets": found.tickets,
        "counts": {
            kind.value: {"gaps": found.counts[kind], "tickets": len(found.tickets_of[kind])} for kind in GapKind
        },
        "gaps": [
            {
                "ticket": gap.ticket,
                "line": gap.place,
                "kind": gap.kind.value,
                "status": gap.status.value,
                "candidate": gap.status is LineStatus.UNKNOWN,
                "reverted_by": gap.reverted_by,
                **of_ticket[gap.ticket],
            }
            for gap in told
        ],
    }


def _ticket_json(gap: Gap, subject: str, history: History) -> dict[str, Any]:
    return {
        "subject": shortened(subject),
        "fixed_on": [line_json(one) for one in gap.fixed_on],
        "commits": [history.graph.ids[commit] for commit in reversed(gap.commits)],
    }
