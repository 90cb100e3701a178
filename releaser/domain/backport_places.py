"""Where backports are looked for: lines, oldest number first, and the main branch, which is newest.

Of a product with a thousand lines most are dead. Looked at are, unless others are named, the lines that are *alive*: they have a
branch or a patch, and it moved within a year before whatever moved last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from releaser.domain.history import Head, History
from releaser.domain.history.evidence import Track
from releaser.domain.version import VersionKind
from releaser.errors import NotFoundError

ALIVE_FOR = timedelta(days=365)
EVERY_LINE = "all"
MAIN = "main"
_NAMED = 8


class UnknownPlaceError(NotFoundError):
    """The history has no such line."""


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
