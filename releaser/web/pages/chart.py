"""The picture of a product's history: where every track, release, branch point and date stands, in pixels.

Time runs to the right. Releases that would cover each other become one mark that tells how many they are and leads closer.
What does not live here: which tracks and releases there are (`flows.show_history`), and how marks look (the template).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

WIDTH = 1030
ROW = 44
HEAD = 30
FOOT = 12
LEFT, RIGHT = 18, 34
_LETTER = 6.4
_GAP = 12
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One release, or several at one place; `label` is its name, where there is room for it."""

    x: float
    releases: Sequence[dict[str, Any]]
    label: str
    from_on: date
    to_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One track: its line from `begin_x` to `end_x`, solid until `solid_x`; `branch_x` is where it leaves the trunk."""

    track: dict[str, Any]
    y: int
    begin_x: float
    end_x: float
    solid_x: float
    branch_x: float | None
    support_x: float | None
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One date on the axis; `year` is set where a year is to be named."""

    x: float
    on: date
    is_year: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything the template draws."""

    width: int
    height: int
    rows: Sequence[Row]
    ticks: Sequence[Tick]
    by_month: bool
    by_day: bool
    today_x: float | None


class _Scale:
    """Instants to pixels."""

    def __init__(self, from_on: date, to_on: date) -> None:
        self.begin = _start(from_on)
        self.seconds = (_start(to_on) - self.begin).total_seconds() + _DAY_S

    def x(self, at: datetime) -> float:
        """Where an instant stands; those outside stand at the edge."""
        share = (at - self.begin).total_seconds() / self.seconds
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def holds(self, at: datetime) -> bool:
        """Whether an instant is on the picture."""
        return 0 <= (at - self.begin).total_seconds() <= self.seconds


def _start(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=UTC)


def _end(on: date) -> datetime:
    """What is told by days lasts to the end of the day: what happens on it stands before that."""
    return _start(on) + timedelta(seconds=_DAY_S)


def draw(facts: dict[str, Any]) -> Chart:
    """The picture of what `show_history` tells."""
    window = facts["window"]
    scale = _Scale(window["from"], window["to"])
    tracks = ([facts["trunk"]] if facts["trunk"] else []) + facts["tracks"]
    rows = tuple(_row(track, HEAD + ROW * number + ROW * 2 // 3, scale, facts) for number, track in enumerate(tracks))
    length = window["to"] - window["from"]
    today = _end(facts["today"])
    return Chart(
        width=WIDTH,
        height=HEAD + ROW * len(rows) + FOOT,
        rows=rows,
        ticks=tuple(_ticks(window["from"], window["to"], scale)),
        by_month=length < timedelta(days=4 * 365),
        by_day=length < timedelta(days=100),
        today_x=scale.x(today) if scale.holds(today) else None,
    )


def _row(track: dict[str, Any], y: int, scale: _Scale, facts: dict[str, Any]) -> Row:
    is_trunk = track["line"] is None
    support = track["supported_until_on"]
    end = _end(track["ends_on"])
    # The main branch goes on, and so does a line of which somebody said that it lives; of others only the releases are known.
    goes_on = is_trunk or (support is None and track["is_said"] and track["phase"] != "end-of-life")
    solid = max(end, _end(facts["today"])) if goes_on else _end(support) if support else end
    branched = track["branched"]
    ended = _end(support) if support else None
    return Row(
        track=track,
        y=y,
        begin_x=LEFT if is_trunk else scale.x(track["begins_at"]),
        end_x=scale.x(max(end, solid)),
        solid_x=scale.x(solid),
        branch_x=scale.x(track["begins_at"]) if branched and scale.holds(track["begins_at"]) else None,
        support_x=scale.x(ended) if ended and scale.holds(ended) else None,
        marks=_marks(track["releases"], scale),
    )


def _marks(releases: Sequence[dict[str, Any]], scale: _Scale) -> tuple[Mark, ...]:
    """Releases by their place, from the left; what would cover the one before joins it."""
    groups: list[list[dict[str, Any]]] = []
    for release in releases:
        groups.append([release])
        while len(groups) > 1 and _edge(groups[-2], scale, 1) > _edge(groups[-1], scale, -1):
            groups[-2:] = [groups[-2] + groups[-1]]
    places = [_middle(group, scale) for group in groups]
    named = _named(groups, places)
    return tuple(
        Mark(
            x=x,
            releases=group,
            label=name_of(group) if number in named else "",
            from_on=(group[0]["at"] - timedelta(days=1)).date(),
            to_on=(group[-1]["at"] + timedelta(days=1)).date(),
        )
        for number, (group, x) in enumerate(zip(groups, places, strict=True))
    )


def _middle(group: Sequence[dict[str, Any]], scale: _Scale) -> float:
    return round((scale.x(group[0]["at"]) + scale.x(group[-1]["at"])) / 2, 1)


def half_width(count: int) -> int:
    """How far a mark of so many releases reaches to either side."""
    return 8 if count == 1 else 7 + 3 * len(str(count))


def _edge(group: Sequence[dict[str, Any]], scale: _Scale, side: int) -> float:
    return _middle(group, scale) + side * half_width(len(group))


def _named(groups: Sequence[Sequence[dict[str, Any]]], places: Sequence[float]) -> set[int]:
    """Which marks have room for a name: stable versions first, then the newest."""
    taken: list[tuple[float, float]] = []
    named: set[int] = set()
    wanted = sorted(range(len(groups)), key=lambda n: (not _is_stable(groups[n]), -n))
    for number in wanted:
        half = (_LETTER * len(name_of(groups[number])) + _GAP) / 2
        left, right = places[number] - half, places[number] + half
        if all(right <= begin or left >= end for begin, end in taken):
            named.add(number)
            taken.append((left, right))
    return named


def _is_stable(group: Sequence[dict[str, Any]]) -> bool:
    return len(group) == 1 and group[0]["kind"] == "stable"


def name_of(releases: Sequence[dict[str, Any]]) -> str:
    """What stands above a mark: the version, or the last of several."""
    last = str(releases[-1]["version"])
    return last if len(releases) == 1 else f"… {last}"


def _ticks(from_on: date, to_on: date, scale: _Scale) -> list[Tick]:
    """Dates on round places, at most about a dozen: weeks, months, quarters, years."""
    days = (to_on - from_on).days + 1
    if days <= 100:
        step = max(1, round(days / 70)) * 7
        first = from_on + timedelta(days=(7 - from_on.weekday()) % 7)
        found = [first + timedelta(days=step * number) for number in range(days // step + 1)]
    else:
        months = next((step for step in (1, 2, 3, 6) if days / (30 * step) <= 14), 12 * max(1, round(days / 365 / 12)))
        place = -(-(from_on.year * 12 + from_on.month - 1) // months) * months
        found = []
        while len(found) < 40:
            on = date(place // 12, place % 12 + 1, 1)
            if on > to_on:
                break
            found.append(on)
            place += months
    return [
        Tick(x=scale.x(_start(on)), on=on, is_year=on.month == 1 and on.day <= 7)
        for on in found
        if from_on <= on <= to_on
    ]
