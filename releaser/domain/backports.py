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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from releaser.domain.changelog.text import shortened
from releaser.domain.contains import line_json
from releaser.domain.history import Head, History, LineStatus, OnLine, TicketTable
from releaser.domain.history.evidence import Evidence, Track, status_on
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Backports:
    """The gaps of the places looked at, gravest and then newest first.

    `left_out` lines were not looked at; `tickets` is how many were compared.
    """

    places: tuple[Place, ...]
    left_out: int
    tickets: int
    gaps: tuple[Gap, ...]


_KINDS = tuple(GapKind)


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
    return history.commit(place).committed_at


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


Judge = Callable[[str, tuple[LineStatus, ...]], tuple[LineStatus, ...]]
"""`(ticket, statuses)` -> what counts on the places looked at, when it is not only the history that is asked."""


def gaps(history: History, looked_at: Sequence[Place], *, judged_by: Judge | None = None) -> Backports:
    """What is done on some of these places and open on others. Raises `TooManyGapsError`."""
    table = TicketTable(history)
    rows: list[tuple[str, tuple[LineStatus, ...]]] = []
    tickets = count = 0
    # Tickets by the thousand share few sets of releases; each distinct pair of sets is judged once.
    judged: dict[tuple[int, int], tuple[LineStatus, ...]] = {}
    for key, in_force, contained in table.places():
        sets = (in_force, contained)
        statuses = judged.get(sets)
        if statuses is None:
            statuses = judged[sets] = tuple(
                status_on(place.track, in_force=in_force, contained=contained) for place in looked_at
            )
        tickets += 1
        counting = statuses if judged_by is None else judged_by(key, statuses)
        still_open = sum(map(counting.count, OPEN))
        if still_open and any(one in counting for one in DONE):
            rows.append((key, counting))
            count += still_open
    if count > MOST_GAPS:
        raise TooManyGapsError(
            f"These {len(looked_at)} lines have {count} gaps, which nobody can read.",
            advice="Name fewer lines, such as --lines 3.4,3.5.",
            field="lines",
        )
    found = [gap for key, statuses in rows for gap in _gaps_of(history, key, table.evidence(key), looked_at, statuses)]
    found.sort(key=lambda gap: history.graph.order(gap.commits[-1]), reverse=True)
    found.sort(key=lambda gap: _KINDS.index(gap.kind))
    lines = sum(not place.is_main for place in looked_at)
    return Backports(places=tuple(looked_at), left_out=len(history.tracks) - lines, tickets=tickets, gaps=tuple(found))


def _gaps_of(
    history: History,
    key: str,
    evidence: Evidence | None,
    looked_at: Sequence[Place],
    statuses: Sequence[LineStatus],
) -> Iterable[Gap]:
    assert evidence is not None  # noqa: S101 -- its place is known, so it is
    having = [n for n, status in enumerate(statuses) if status in DONE]
    fixed_on = tuple(evidence.on_line(looked_at[n].track, history.releases) for n in having)
    commits = tuple(history.graph.oldest_first(commit for commit, _ in evidence.brought))
    for n, status in enumerate(statuses):
        if status not in OPEN:
            continue
        reverted = status is LineStatus.AFFECTED
        carried = GapKind.FORWARD_PORT if having[0] < n else GapKind.BACKPORT
        yield Gap(
            ticket=key,
            place=looked_at[n].name,
            kind=GapKind.REVERTED if reverted else carried,
            status=status,
            fixed_on=fixed_on,
            reverted_by=evidence.on_line(looked_at[n].track, history.releases).reverted_by if reverted else None,
            commits=commits,
        )


def as_json(found: Backports, history: History) -> dict[str, Any]:
    """Plain data. `lines` are those looked at; of a gap with the status `unknown` only people can say whether it is one."""
    newest = list(dict.fromkeys(gap.commits[-1] for gap in found.gaps))
    subjects = dict(zip(newest, history.subjects(newest), strict=True))
    return {
        "lines": [
            {
                "line": place.name,
                "main": place.is_main,
                "branch": place.branch,
                "moved": place.moved_at.date().isoformat(),
                "gaps": sum(gap.place == place.name for gap in found.gaps),
            }
            for place in found.places
        ],
        "lines_left_out": found.left_out,
        "tickets": found.tickets,
        "gaps": [_gap_json(gap, subjects[gap.commits[-1]], history) for gap in found.gaps],
    }


def _gap_json(gap: Gap, subject: str, history: History) -> dict[str, Any]:
    ids = [history.graph.ids[commit] for commit in reversed(gap.commits)]
    return {
        "ticket": gap.ticket,
        "line": gap.place,
        "kind": gap.kind.value,
        "status": gap.status.value,
        "candidate": gap.status is LineStatus.UNKNOWN,
        "subject": shortened(subject),
        "fixed_on": [line_json(one) for one in gap.fixed_on],
        "reverted_by": gap.reverted_by,
        "commits": ids,
    }
