"""Fixes that a cut leaves missing, here or on another line that customers rely on.

Looked at are the place that is cut and the supported lines; of lines of which nobody stated anything only those that are
alive (`domain.backports`): a product may have a thousand others. Of the gaps between them count

- on the place that is cut, every one: what an older line has is lost by whoever upgrades, so it is *missing*; of what only
  newer places have, it counts what is known of the line;
- on the other lines, those of the tickets that this very cut fixes; on a line that takes security fixes only, only those.

What is known is an override of a person, or where the fault was found. *Affected* is missing; unaffected, fixed and "will not be
fixed" are settled; and where nobody knows, the ticket is *uncertain*: told, and never passed over as fine.

What does not live here: what the gate makes of it (`domain.gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from releaser.domain.backports import Gap, GapKind, Place, alive, gaps, places
from releaser.domain.history import Head, History, LineStatus
from releaser.domain.history.evidence import Track
from releaser.domain.line import LinePhase

Known = Callable[[str, str], LineStatus | None]
"""`(ticket, line)` -> what counts there, None when nothing is known of the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A ticket that is fixed in the version `fixed_in`, or unreleased on that branch, and is not fixed on `line`."""

    ticket: str
    line: str
    fixed_in: str
    is_released: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """A line that customers can rely on. `is_stated` tells that somebody said so, by a phase, a date or a rule."""

    line: str
    phase: LinePhase
    is_stated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPlace:
    """Where is cut: the branch's head, and the line, which a stable only makes. `fixes` are the tickets the cut fixes.

    `security` are those of all tickets that are about security.
    """

    head: Head
    line: str
    is_patch: bool
    fixes: Collection[str]
    security: Collection[str]


def missing_fixes(
    history: History, cut: CutPlace, *, supported: Sequence[Supported], known: Known
) -> tuple[tuple[Missing, ...], tuple[Missing, ...]]:
    """What is missing, and what is uncertain; gravest first."""
    here, looked_at = _looked_at(history, cut, supported)
    phases = {one.line: one.phase for one in supported}
    missing: list[Missing] = []
    uncertain: list[Missing] = []
    for gap in gaps(history, looked_at).gaps:
        is_here = gap.place == here.name
        if not is_here and not _concerns(gap, cut, phases):
            continue
        line = cut.line if is_here else gap.place
        status = known(gap.ticket, line)
        version = _version(gap, here, cut)
        found = Missing(
            ticket=gap.ticket,
            line=line,
            fixed_in=version or _branch(gap, here, cut),
            is_released=bool(version),
        )
        if status is LineStatus.AFFECTED or (status in {None, LineStatus.UNKNOWN} and gap.kind is not GapKind.BACKPORT):
            missing.append(found)
        elif status in {None, LineStatus.UNKNOWN}:
            uncertain.append(found)
    return tuple(missing), tuple(uncertain)


def _concerns(gap: Gap, cut: CutPlace, phases: Mapping[str, LinePhase]) -> bool:
    """Whether a gap on another line is this cut's business."""
    if gap.place not in phases or gap.ticket not in cut.fixes:
        return False
    return phases[gap.place] is not LinePhase.SECURITY_ONLY or gap.ticket in cut.security


def _version(gap: Gap, here: Place, cut: CutPlace) -> str:
    """The oldest version that has it; empty when none has, or when it is this very cut that brings it."""
    first = next((one.first for one in gap.fixed_on if one.first is not None), None)
    by_cut = gap.ticket in cut.fixes and gap.place != here.name
    return first.version.text if first is not None and not by_cut else ""


def _branch(gap: Gap, here: Place, cut: CutPlace) -> str:
    by_cut = gap.ticket in cut.fixes and gap.place != here.name
    return cut.head.branch if by_cut else gap.fixed_on[0].line


def _looked_at(history: History, cut: CutPlace, supported: Sequence[Supported]) -> tuple[Place, tuple[Place, ...]]:
    """The place that is cut, and all that it is compared with, oldest number first and the main branch last."""
    every = places(history)
    moving = {place.name for place in alive(history, every)}
    wanted = {one.line for one in supported if one.is_stated or one.line in moving}
    here = _here(history, every, cut)
    others = [place for place in every if place.is_main or place.name in wanted]
    if any(place.name == here.name for place in every):
        kept = {place.name for place in others} | {here.name}
        return here, tuple(here if place.name == here.name else place for place in every if place.name in kept)
    behind = [place for place in others if place.is_main]
    return here, (*(place for place in others if not place.is_main), here, *behind)


def _here(history: History, every: Sequence[Place], cut: CutPlace) -> Place:
    head = 1 << cut.head.bit
    known = next((place for place in every if place.name == cut.line), None) if cut.is_patch else None
    known = known or next((place for place in every if place.is_main and place.branch == cut.head.branch), None)
    if known is not None:
        return replace(known, track=replace(known.track, head=head), branch=cut.head.branch)
    place = history.find(cut.head.commit)
    assert place is not None  # noqa: S101 -- heads that lead nowhere were left out when it was read
    moved_at = history.committed_at(place)
    track = Track(line=cut.head.branch, releases=0, shipped=0, newest=0, head=head)
    return Place(track=track, is_main=False, branch=cut.head.branch, moved_at=moved_at)
