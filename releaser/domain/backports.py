"""Backport gaps: what is fixed on one line and not on another, ticket by ticket, with evidence.

Compared are *places* (`backport_places`): lines, oldest number first, and the main branch, which is newest. A ticket that is fixed on some place
looked at and not on another is a gap there:

- *reverted*: it was there and was taken back, or somebody says that the fault is there; that is certain;
- *forward-port*: an older place has it, so whoever upgrades from that loses the fix;
- *backport*: only newer places have it. Whether this one ever had the fault is not known, so it is a candidate, and never passed
  over as fine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from releaser.domain.backport_places import Place, UnknownPlaceError, alive, chosen, places
from releaser.domain.changelog.text import shortened
from releaser.domain.contains import line_json
from releaser.domain.history import History, LineStatus, OnLine, TicketTable
from releaser.domain.history.evidence import status_on
from releaser.errors import InvalidError

__all__ = [
    "Backports",
    "Gap",
    "GapKind",
    "Place",
    "TooManyGapsError",
    "UnknownPlaceError",
    "alive",
    "as_json",
    "chosen",
    "gaps",
    "places",
]

MOST_GAPS = 100_000
DONE = (LineStatus.FIXED, LineStatus.VERIFIED)


class TooManyGapsError(InvalidError):
    """More gaps than anybody can read, or a machine's memory should hold."""


class GapKind(StrEnum):
    """Why a ticket is a gap, gravest first; see above."""

    REVERTED = "reverted"
    FORWARD_PORT = "forward-port"
    BACKPORT = "backport"


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


class _Row(NamedTuple):
    """What tickets by the thousand share: for every place looked at the status, and what kind of gap that is, if any."""

    statuses: tuple[LineStatus, ...]
    kinds: tuple[GapKind | None, ...]

    @classmethod
    def of(cls, statuses: Iterable[LineStatus]) -> _Row:
        """With the kinds that follow from the statuses."""
        told = tuple(statuses)
        return cls(told, _kinds(told))


class Backports:
    """The gaps of the places looked at. `tickets` is how many were compared, `left_out` how many lines were not looked at.

    What is told of a gap is looked up when it is asked for: there may be very many.
    """

    def __init__(
        self, history: History, looked_at: Sequence[Place], rows: Iterable[tuple[int, _Row]], *, tickets: int
    ) -> None:
        """`rows` are by the numbers of tickets; only those with gaps count."""
        self.places = tuple(looked_at)
        self.tickets = tickets
        self.left_out = len(history.tracks) - sum(not place.is_main for place in looked_at)
        self._history = history
        self._table = TicketTable(history)
        links, when = history.index.links, history.graph.when
        found = [(when[links.commits[links.last[number]]], number, row) for number, row in rows]
        found.sort(key=itemgetter(0), reverse=True)
        self._rows = {number: row for _, number, row in found}
        self._some: dict[int, tuple[Gap, ...]] = {}

    @cached_property
    def _numbers_of(self) -> Mapping[GapKind, Sequence[int]]:
        kinds = {id(row): [kind for kind in GapKind if kind in row.kinds] for row in self._rows.values()}
        found: dict[GapKind, list[int]] = {kind: [] for kind in GapKind}
        for number, row in self._rows.items():
            for kind in kinds[id(row)]:
                found[kind].append(number)
        return found

    @cached_property
    def tickets_of(self) -> Mapping[GapKind, Sequence[str]]:
        """For every kind the tickets that have a gap of it, newest first; a ticket may have several kinds."""
        keys = self._history.index.links.keys
        return {kind: [keys[number] for number in numbers] for kind, numbers in self._numbers_of.items()}

    @cached_property
    def _amounts(self) -> Sequence[tuple[_Row, int]]:
        """How many tickets have each row. Rows are told apart by what they are, which is much faster than by what they say."""
        amounts = Counter(map(id, self._rows.values()))
        return [(row, amounts[of]) for of, row in {id(row): row for row in self._rows.values()}.items()]

    @cached_property
    def counts(self) -> Mapping[GapKind, int]:
        """How many gaps there are of every kind."""
        return {kind: sum(row.kinds.count(kind) * amount for row, amount in self._amounts) for kind in GapKind}

    @cached_property
    def counts_on(self) -> Mapping[str, int]:
        """How many gaps there are on every place."""
        return {
            place.name: sum(amount for row, amount in self._amounts if row.kinds[n] is not None)
            for n, place in enumerate(self.places)
        }

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All of them, gravest and then newest first."""
        return tuple(self._gaps(len(self._rows)))

    def some(self, *, most: int) -> tuple[Gap, ...]:
        """Those of the newest tickets of every kind, so many at most; gravest and then newest first."""
        if most not in self._some:
            self._some = {most: tuple(self._gaps(most))}
        return self._some[most]

    def _gaps(self, most: int) -> Iterator[Gap]:
        for kind, numbers in self._numbers_of.items():
            for number in numbers[:most]:
                yield from self._gaps_of(number, kind)

    def _gaps_of(self, number: int, kind: GapKind) -> Iterator[Gap]:
        (statuses, kinds), releases = self._rows[number], self._history.releases
        evidence = self._table.evidence_of(number)
        assert evidence is not None  # noqa: S101 -- its places are known, so it is
        having = [self.places[n] for n, status in enumerate(statuses) if status in DONE]
        fixed_on = tuple(evidence.on_line(place.track, releases) for place in having)
        commits = tuple(self._history.graph.oldest_first(commit for commit, _ in evidence.brought))
        for place, status, mine in zip(self.places, statuses, kinds, strict=True):
            if mine is kind:
                reverted = kind is GapKind.REVERTED
                yield Gap(
                    ticket=self._history.index.links.keys[number],
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


def gaps(
    history: History, looked_at: Sequence[Place], *, said: Said = MappingProxyType({}), most: int = MOST_GAPS
) -> Backports:
    """What is done on some of these places and open on others; `said` counts before what the history shows.

    Raises `TooManyGapsError` when there are more than `most`.
    """
    names = tuple(place.name for place in looked_at)
    stated = frozenset((ticket, frozenset(lines.items())) for ticket, lines in said.items())
    found = history.answers.once(("backports", names, stated), lambda: _found(history, looked_at, said))
    count = sum(found.counts.values())
    if count > most:
        raise TooManyGapsError(
            f"These {len(looked_at)} lines have {count} gaps, which nobody can read.",
            advice="Name fewer lines, such as --lines 3.4,3.5.",
            field="lines",
        )
    return found


def _found(history: History, looked_at: Sequence[Place], said: Said) -> Backports:
    numbers = history.index.links.numbers
    counting = {numbers[ticket]: lines for ticket, lines in said.items() if ticket in numbers}
    rows: list[tuple[int, _Row]] = []
    tickets = 0
    tracks = [place.track for place in looked_at]
    deciding = 0
    for track in tracks:
        deciding |= track.releases | track.newest | track.head
    # Tickets by the thousand share few sets of releases, and most sets differ only where nobody looks; each is judged once.
    judged: dict[tuple[int, int], _Row] = {}
    for (in_force, contained), alike in history.tickets_alike.items():
        places_of = in_force & deciding, contained & deciding
        row = judged.get(places_of)
        if row is None:
            row = _Row.of(status_on(track, in_force=in_force, contained=contained) for track in tracks)
            judged[places_of] = row
        tickets += len(alike)
        if counting:
            rows += [(one, _counting(row, looked_at, counting[one])) for one in alike if one in counting]
        if any(row.kinds):
            rows += [(one, row) for one in alike if one not in counting]
    return Backports(history, looked_at, rows, tickets=tickets)


def _counting(row: _Row, looked_at: Sequence[Place], said: Mapping[str, LineStatus]) -> _Row:
    """What counts where people said something."""
    return _Row.of(said.get(place.name, shown) for place, shown in zip(looked_at, row.statuses, strict=True))


def as_json(found: Backports, history: History, *, most: int | None = None) -> dict[str, Any]:
    """Plain data. `lines` are those looked at; of a gap with the status `unknown` only people can say whether it is one.

    With `most` only the newest tickets of every kind are told, so many; `counts` has all.
    """
    told = found.some(most=most) if most is not None else found.gaps
    # What is told of a ticket is the same on every place where it is missing.
    once = {gap.ticket: gap for gap in told}.values()
    subjects = history.subjects([gap.commits[-1] for gap in once])
    of_ticket = {gap.ticket: _ticket_json(gap, text, history) for gap, text in zip(once, subjects, strict=True)}
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
