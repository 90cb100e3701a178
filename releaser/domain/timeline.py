"""A product's history in time: which releases stand on which track, where lines branched off, and the part of time that is looked at.

A track is a line. Lines of a single release, of which a product that releases its main branch every week has hundreds, share one
track, the *trunk*, as soon as there are more lines than a page can show. What does not live here: pixels (`web.pages.chart`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from releaser.domain.history import History
from releaser.domain.history.records import instant
from releaser.domain.release import ReleaseState
from releaser.domain.version import VersionKind
from releaser.errors import InvalidError

FEW_LINES = 12
"""As many lines may have a track each, whatever they hold."""
SHORTEST = timedelta(days=7)
SHORTLY = timedelta(days=31)
FIRST_LOOK = timedelta(days=2 * 365)
_LONG = timedelta(days=3 * 365)
_FURTHEST_WALK = 20_000


class InvalidWindowError(InvalidError):
    """The part of time that is asked for ends before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A release in time: `at` is when customers could see it, else when it was tagged or cut."""

    version: str
    line: str
    kind: VersionKind
    state: ReleaseState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPoint:
    """The last commit that a line shares with the main branch."""

    commit: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What stands on one row, oldest first. The trunk has no `line`; `branched` is where the line left the main branch."""

    line: str | None
    dots: Sequence[Dot]
    branched: BranchPoint | None = None
    supported_until_on: date | None = None

    @property
    def begins_at(self) -> datetime:
        """Where the row begins: at the branch point or the first release, whichever is earlier."""
        first = self.dots[0].at
        return min(first, self.branched.at) if self.branched else first

    @property
    def ends_on(self) -> date:
        """The last day on which the line lives, as far as known: its end of support, else its last release."""
        last = max(dot.at for dot in self.dots).date()
        return max(last, self.supported_until_on) if self.supported_until_on else last


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of time, both days included."""

    from_on: date
    to_on: date

    @property
    def begins_at(self) -> datetime:
        """Its first instant."""
        return datetime(self.from_on.year, self.from_on.month, self.from_on.day, tzinfo=UTC)

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.to_on - self.from_on + timedelta(days=1)

    def holds(self, at: datetime) -> bool:
        """Whether an instant is in it, by its UTC day."""
        return self.from_on <= at.date() <= self.to_on

    def touches(self, track: Track) -> bool:
        """Whether the track lives in it."""
        return track.begins_at.date() <= self.to_on and track.ends_on >= self.from_on

    def zoomed(self, factor: float, *, within: Window) -> Window:
        """The same middle, `factor` times as long, never longer than `within` and never shorter than a week."""
        length = min(max(self.length * factor, SHORTEST), within.length)
        middle = self.from_on + self.length / 2
        return Window(from_on=middle - length / 2, to_on=middle + length / 2 - timedelta(days=1)).inside(within)

    def moved(self, share: float, *, within: Window) -> Window:
        """Further by a share of its length, at most to the edge of `within`."""
        by = self.length * share
        return Window(from_on=self.from_on + by, to_on=self.to_on + by).inside(within)

    def inside(self, other: Window) -> Window:
        """As long as it is, moved into `other` as far as it goes."""
        over = max(other.from_on - self.from_on, timedelta()) - max(self.to_on - other.to_on, timedelta())
        return Window(from_on=max(self.from_on + over, other.from_on), to_on=min(self.to_on + over, other.to_on))


def whole(
    dots: Collection[Dot], *, today: date, ends: Iterable[date] = (), branched: Iterable[BranchPoint] = ()
) -> Window:
    """All of time that there is to see: from the first release to today, or to the last end of support that is near.

    A branch point shortly before the first release is seen as well. Absurd days, which real histories have, do not stretch time.
    """
    latest = today + FIRST_LOOK
    near = [day for day in [*(dot.at.date() for dot in dots), *ends] if day <= latest]
    first = min([today - SHORTEST, *near])
    before = [day for point in branched if (day := point.at.date()) < first <= day + SHORTLY]
    return Window(from_on=min([first, *before]), to_on=max([today, *near]))


def window(every: Window, *, from_on: date | None, to_on: date | None, today: date) -> Window:
    """The part that is asked for, as far as there is anything; without a wish all, or the last two years of a long history.

    Raises `InvalidWindowError` when it would end before it begins.
    """
    if from_on is not None and to_on is not None and from_on > to_on:
        raise InvalidWindowError(
            f"The time from {from_on} to {to_on} ends before it begins.", advice="Turn the days around.", field="from"
        )
    if from_on is None and to_on is None and every.length > _LONG:
        from_on = today - FIRST_LOOK
    first = min(max(from_on or every.from_on, every.from_on), every.to_on)
    last = min(max(to_on or every.to_on, first), every.to_on)
    short = SHORTEST - timedelta(days=1)
    begin = min(first, max(every.from_on, last - short))
    return Window(from_on=begin, to_on=max(last, min(every.to_on, begin + short)))


def tracks(
    dots: Sequence[Dot],
    *,
    branched: Mapping[str, BranchPoint],
    ends: Mapping[str, date],
    kept: Collection[str] = (),
) -> tuple[Track | None, tuple[Track, ...]]:
    """The trunk, where there is one, and the lines' own tracks, newest number first. `dots` come lowest version first.

    The lines `kept` have their own track whatever they hold.
    """
    by_line: dict[str, list[Dot]] = {}
    for dot in dots:
        by_line.setdefault(dot.line, []).append(dot)
    newest = next(reversed(by_line), None)
    is_long = len(by_line) > FEW_LINES
    single = {
        line
        for line, of in by_line.items()
        if is_long and len(of) == 1 and line != newest and line not in branched and line not in kept
    }
    trunk = [dot for dot in dots if dot.line in single]
    own = tuple(
        Track(
            line=line,
            dots=sorted(by_line[line], key=lambda dot: dot.at),
            branched=branched.get(line),
            supported_until_on=ends.get(line),
        )
        for line in reversed(by_line)
        if line not in single
    )
    return Track(line=None, dots=sorted(trunk, key=lambda dot: dot.at)) if trunk else None, own


def branch_points(history: History) -> dict[str, BranchPoint]:
    """Line -> where its branch, else its newest release, left the main branch; lines that lie on it, or never met it, have none."""
    main = next((head for head in history.heads if head.main), None)
    if main is None:
        return {}
    tips = {release.line: release.commit for release in history.releases}
    tips |= {head.line: head.commit for head in history.heads if head.line is not None}
    found: dict[str, BranchPoint] = {}
    for line, tip in tips.items():
        point = _left(history, history.find(tip), main.bit)
        if point is not None:
            found[line] = BranchPoint(commit=history.graph.ids[point], at=instant(history.columns.committed[point]))
    return found


def _left(history: History, tip: int | None, main: int) -> int | None:
    """The first commit on the way down from `tip` that the main branch contains; None when it is `tip` itself."""
    commit = tip
    for _ in range(_FURTHEST_WALK):
        if commit is None or history.bits(commit) >> main & 1:
            break
        commit = next(iter(history.graph.parents(commit)), None)
    return commit if commit != tip else None
