"""Every ticket on every line as it counts: what the history shows and what people state, judged together and ready to be asked.

Made once for a state of the history and of what people said. Thousands of tickets share few rows of statuses, so each distinct
row is kept once, with a set of lines (as bits, oldest line first) for every status: a question is answered by rows, not by cells.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from types import MappingProxyType

from releaser.domain.history import History, LineStatus, TaggedRelease, TicketHistory, TicketTable, Via
from releaser.domain.status import OPEN, Evidence, FoundIn, Judged, Override, Reach, derive, judge, reach_of
from releaser.domain.version import Version

_SHOWN_AS = {
    LineStatus.FIXED: Evidence.FIXED,
    LineStatus.AFFECTED: Evidence.AFFECTED,
    LineStatus.UNKNOWN: Evidence.UNKNOWN,
}
_DONE = (LineStatus.FIXED, LineStatus.VERIFIED)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_Masks = dict[LineStatus, int]
_Version = tuple[TaggedRelease, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tickets are asked for. `lines` are the ones looked at; every condition must hold on one of them.

    `gaps`: done on one of the lines and open on another. `text` is looked for in the key and in the title,
    but for the titles of those `untitled`.
    """

    lines: Sequence[str]
    statuses: frozenset[LineStatus] = frozenset()
    text: str = ""
    gaps: bool = False
    overridden: bool = False
    conflicts: bool = False
    by: str = ""
    untitled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A ticket on a line: how it is judged, and the line's first release that has the fix."""

    judged: Judged
    first: TaggedRelease | None


class StatusTable:
    """Ask it; nothing in it changes."""

    def __init__(
        self,
        history: History,
        *,
        overrides: Mapping[tuple[str, str], Override],
        found_in: Mapping[str, FoundIn],
        others: Iterable[str] = (),
        titles: Mapping[str, str] = _NOTHING,
        planned_for: Mapping[str, str] = _NOTHING,
    ) -> None:
        """`others` are tickets that the history need not name, such as requests, oldest first.

        `titles` and `planned_for` are what is said of tickets as a whole, where anything is.
        """
        self.titles = titles
        self.planned_for = planned_for
        self.people = sorted({override.by for override in overrides.values()})
        """Everybody who overrides anything."""
        self._history = history
        self._tickets = TicketTable(history)
        self._found = _FoundIn(history, self._tickets, found_in)
        self._said: dict[str, dict[str, Override]] = {}
        for (key, line), override in overrides.items():
            self._said.setdefault(key, {})[line] = override
        self.lines = history.lines
        self._place = {line: place for place, line in enumerate(self.lines)}
        self._shown: dict[str, tuple[LineStatus, ...]] = dict(self._tickets.statuses())
        unknown = (LineStatus.UNKNOWN,) * len(self.lines)
        for key in (*others, *found_in, *self._said):
            self._shown.setdefault(key, unknown)
        self.keys = tuple(reversed(self._shown))
        """Every ticket, newest first."""
        self._rows: list[_Masks] = []
        self._row_of = self._number_rows()

    def _number_rows(self) -> list[int]:
        """For every key the number of its row. What is the same for many is judged once."""
        known: dict[Hashable, int] = {}
        bases: dict[int, _Masks] = {}
        numbers: list[int] = []
        for key in self.keys:
            alike = key if key in self._said else self._found.alike(key)
            # Rows that the history shares are one object: comparing thousands of statuses is left out.
            number = known.setdefault((alike, id(self._shown[key])), len(self._rows))
            if number == len(self._rows):
                self._rows.append(self._counting(key, bases))
            numbers.append(number)
        return numbers

    def _counting(self, key: str, bases: dict[int, _Masks]) -> _Masks:
        """Status -> the lines where it counts, as bits; `judged` for all lines at once."""
        shown = self._shown[key]
        masks = bases.get(id(shown))
        if masks is None:
            masks = bases[id(shown)] = _masks(shown)
        masks = self._found.counting(key, masks)
        for line, override in self._said.get(key, {}).items():
            bit = 1 << self._place[line] if line in self._place else 0
            masks = {status: lines & ~bit for status, lines in masks.items()}
            masks[override.status] = masks.get(override.status, 0) | bit
        return masks

    def __contains__(self, key: str) -> bool:
        return key in self._shown

    @cached_property
    def _shipped(self) -> Mapping[str, tuple[int, int]]:
        """Line -> its releases without candidates, and all of them, as bits."""
        return {track.line: (track.shipped, track.releases) for track in self._history.tracks}

    @cached_property
    def release_counts(self) -> Mapping[str, int]:
        """Line -> how many releases it has that are no candidates."""
        return {line: shipped.bit_count() for line, (shipped, _) in self._shipped.items()}

    def find(self, wanted: Wanted) -> list[str]:
        """The tickets asked for, newest first."""
        window = sum(1 << self._place[line] for line in wanted.lines if line in self._place)
        fits = [_fits(masks, window, wanted) for masks in self._rows]
        keys = list(compress(self.keys, map(fits.__getitem__, self._row_of)))
        if wanted.overridden or wanted.conflicts or wanted.by:
            keys = [key for key in keys if self._is_said(key, wanted)]
        if wanted.text:
            text = wanted.text.casefold()
            titles = {key: title for key, title in self.titles.items() if key not in wanted.untitled}
            keys = [key for key in keys if text in key.casefold() or text in titles.get(key, "").casefold()]
        return keys

    def _is_said(self, key: str, wanted: Wanted) -> bool:
        said = self._said.get(key)
        if said is None:
            return False
        on_lines = [line for line in wanted.lines if line in said and wanted.by in {"", said[line].by}]
        if not wanted.conflicts:
            return bool(on_lines)
        return any(judged.is_conflict for judged in self.judged(key, on_lines))

    def judged(self, key: str, lines: Sequence[str] | None = None) -> tuple[Judged, ...]:
        """A ticket on every line, or on those asked for that there are."""
        wanted = self.lines if lines is None else [line for line in lines if line in self._place]
        said = self._said.get(key, {})
        shown = self._shown[key]
        reaches = self._found.reaches(key)
        newer = self._found.newer_fixes(key)
        found: list[Judged] = []
        for line in wanted:
            place = self._place[line]
            evidence = _SHOWN_AS.get(shown[place], Evidence.UNKNOWN)
            if evidence is Evidence.FIXED and newer is not None and line not in newer:
                evidence = Evidence.REFUTED
            reach = reaches[place] if reaches is not None else Reach.NOT_STATED
            found.append(judge(line, evidence, reach, said.get(line)))
        return tuple(found)

    def row(self, key: str, lines: Sequence[str]) -> tuple[Cell, ...]:
        """A ticket on some lines, each with the first release that has the fix."""
        in_force = self._found.in_force.get(key, 0)
        return tuple(
            Cell(judged=judged, first=self._first(judged.line, in_force)) for judged in self.judged(key, lines)
        )

    def _first(self, line: str, in_force: int) -> TaggedRelease | None:
        shipped, releases = self._shipped[line]
        bits = in_force & shipped or in_force & releases
        return self._history.releases[(bits & -bits).bit_length() - 1] if bits else None


class _FoundIn:
    """What the versions that faults were found in say of the lines."""

    def __init__(self, history: History, tickets: TicketTable, stated: Mapping[str, FoundIn]) -> None:
        self._history = history
        self._tickets = tickets
        releases = {release.version.text: release for release in history.releases}
        # A version that was not collected, or is no release any more, says nothing.
        self._stated = {
            key: (releases[one.version], one.is_first) for key, one in stated.items() if one.version in releases
        }
        self._versions: dict[str, list[Version]] = {}
        for release in history.releases:
            self._versions.setdefault(release.line, []).append(release.version)
        self._reaches: dict[_Version, tuple[Reach, ...]] = {}
        self._reach_masks: dict[_Version, Mapping[Reach, int]] = {}
        self._newer: dict[str, frozenset[str]] = {}
        self.in_force: Mapping[str, int] = dict(tickets.fixed())

    def _is_refuted(self, key: str) -> bool:
        """Whether the fix was in the version already, and the fault was seen on it all the same."""
        return key in self._stated and bool(self.in_force.get(key, 0) >> self._stated[key][0].rank & 1)

    def alike(self, key: str) -> Hashable:
        """What two tickets of the same evidence must have in common to be judged alike; None when nothing is stated."""
        return key if self._is_refuted(key) else self._stated.get(key)

    def reaches(self, key: str) -> tuple[Reach, ...] | None:
        """How every line stands to the version; None when none is stated."""
        stated = self._stated.get(key)
        if stated is None:
            return None
        if stated not in self._reaches:
            release, is_first = stated
            commit = self._history.find(release.commit)
            # Contained, not in force: who takes one commit back has all the others still.
            bits = self._history.bits(commit) if commit is not None else 0
            having = {one.version for one in self._history.releases if bits >> one.rank & 1}
            self._reaches[stated] = tuple(
                reach_of(line, versions, release.version, is_first=is_first, having=having)
                for line, versions in self._versions.items()
            )
        return self._reaches[stated]

    def newer_fixes(self, key: str) -> frozenset[str] | None:
        """The lines that released a fix which the version has not; None when the version has no fix at all.

        A pick is the same fix: what did not help on one line does not help on another.
        """
        if not self._is_refuted(key):
            return None
        if key not in self._newer:
            shown = self._tickets.show(key)
            self._newer[key] = self._newer_of(shown, self._stated[key][0].rank) if shown else frozenset()
        return self._newer[key]

    def _newer_of(self, shown: TicketHistory, rank: int) -> frozenset[str]:
        lines: set[str] = set()
        for one in shown.commits:
            carried = [c.release for c in self._history.carried(one.commit) if c.via is not Via.TICKET]
            if rank not in {other.rank for other in carried}:
                lines.update(other.line for other in carried)
        return frozenset(lines)

    def counting(self, key: str, shown: _Masks) -> _Masks:
        """Status -> lines, derived from the lines where the history shows a status."""
        stated = self._stated.get(key)
        reaches = self.reaches(key)
        if stated is None or reaches is None:
            return shown
        if stated not in self._reach_masks:
            self._reach_masks[stated] = {reach: _bits(reaches, reach) for reach in Reach}
        evidence = {_SHOWN_AS[status]: lines for status, lines in shown.items()}
        newer = self.newer_fixes(key)
        if newer is not None:
            fixed = evidence.pop(Evidence.FIXED, 0)
            standing = sum(1 << place for place, line in enumerate(self._versions) if line in newer)
            evidence |= {Evidence.FIXED: fixed & standing, Evidence.REFUTED: fixed & ~standing}
        found: _Masks = {}
        for shows, here in evidence.items():
            for reach, there in self._reach_masks[stated].items():
                if lines := here & there:
                    status = derive(shows, reach)
                    found[status] = found.get(status, 0) | lines
        return found


def _masks(row: Sequence[LineStatus]) -> _Masks:
    """Status -> the lines that have it, as bits."""
    found: dict[LineStatus, int] = {}
    for place, status in enumerate(row):
        found[status] = found.get(status, 0) | 1 << place
    return found


def _bits(row: Sequence[Reach], wanted: Reach) -> int:
    return sum(1 << place for place, reach in enumerate(row) if reach is wanted)


def _fits(masks: _Masks, window: int, wanted: Wanted) -> bool:
    if wanted.statuses and not any(masks.get(status, 0) & window for status in wanted.statuses):
        return False
    if not wanted.gaps:
        return True
    return any(masks.get(one, 0) & window for one in _DONE) and any(masks.get(one, 0) & window for one in OPEN)
