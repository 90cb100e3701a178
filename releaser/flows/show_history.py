"""A product's history in time: its lines as tracks with their releases, a part of time and a page of lines."""

from __future__ import annotations

from datetime import date

from releaser.domain.timeline import BranchPoint, Track, Window, branch_points, tracks, whole, window
from releaser.errors import OutsideError, RefusedError
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.store import history_views, lines, products

TRACKS = 24


def show_history(
    ports: Ports,
    *,
    product: str,
    from_on: date | None = None,
    to_on: date | None = None,
    limit: int = TRACKS,
    offset: int = 0,
) -> Facts:
    """What is in that part of time: the `trunk` of single releases, and `tracks`, newest line first.

    `window` is the time that was asked for, as far as there is anything to see, and never shorter than a week; `first_on` and
    `last_on` are the days of the first and the last release in it, None where there is none.
    Where lines branched off is told as far as the repository can be read; the rest needs the rows only.
    Raises `ProductNotFoundError`, `InvalidWindowError`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
    points, known = _branch_points(ports, product)
    now = ports.clock.now()
    with ports.database.reading() as session:
        dots = history_views.dots(session, row.id)
        standing = lines.standing(session, row, now=now)
        said = history_views.supports(session, row, now=now)
    today = lines.today(row, now)
    ends = {name: end for name, line in standing.items() if (end := line.support.supported_until_on) is not None}
    stated = [name for name, line in standing.items() if not line.says_nothing]
    every = whole(dots, today=today, ends=ends.values(), branched=points.values())
    looked_at = window(every, from_on=from_on, to_on=to_on, today=today)
    trunk, own = tracks(dots, branched=points, ends=ends, kept=stated)
    living = [track for track in own if looked_at.touches(track)]
    seen = [dot.at.date() for dot in dots if looked_at.holds(dot.at)]
    return {
        "product": row.name,
        "title": row.title or row.name,
        "collected_at": row.collected_at,
        "main": known or row.branch,
        "today": today,
        "whole": _window(every),
        "window": _window(looked_at),
        "asked": {"from": from_on, "to": to_on},
        "zooms": {
            "in": _window(looked_at.zoomed(0.5, within=every)),
            "out": _window(looked_at.zoomed(2, within=every)),
            "earlier": _window(looked_at.moved(-0.5, within=every)),
            "later": _window(looked_at.moved(0.5, within=every)),
        },
        "releases": len(seen),
        "first_on": min(seen, default=None),
        "last_on": max(seen, default=None),
        "all_releases": len(dots),
        "lines": len(living),
        "all_lines": len({dot.line for dot in dots}),
        "trunk": _trunk(trunk, every, looked_at) if trunk or points else None,
        "tracks": [
            _track(one, looked_at, standing.get(one.line or ""), is_said=one.line in said)
            for one in living[offset : offset + limit]
        ],
    }


def _branch_points(ports: Ports, product: str) -> tuple[dict[str, BranchPoint], str]:
    """Where lines branched off, and the main branch's name; nothing where the repository cannot be read now."""
    try:
        history = open_history(ports, product=product)
    except (RefusedError, OutsideError):
        return {}, ""
    return branch_points(history), next((head.branch for head in history.heads if head.main), "")


def _window(of: Window) -> Facts:
    return {"from": of.from_on, "to": of.to_on}


def _trunk(trunk: Track | None, every: Window, looked_at: Window) -> Facts:
    """The main branch: it has always been there, and goes on."""
    found = _track(trunk, looked_at, None, is_said=False) if trunk else {**_BARE, "all_releases": 0, "releases": []}
    return {**found, "begins_at": every.begins_at, "ends_on": every.to_on}


_BARE = {"line": None, "phase": None, "branch": None, "is_said": False, "supported_until_on": None, "branched": None}


def _track(track: Track, looked_at: Window, standing: lines.Standing | None, *, is_said: bool) -> Facts:
    """`is_said`: a person or a rule says until when the product's lines live; else only the releases are known."""
    return {
        "line": track.line,
        "phase": standing.phase.value if standing else None,
        "branch": standing.branch if standing else None,
        "is_said": is_said,
        "supported_until_on": track.supported_until_on,
        "begins_at": track.begins_at,
        "ends_on": track.ends_on,
        "branched": {"commit": track.branched.commit, "at": track.branched.at} if track.branched else None,
        "all_releases": len(track.dots),
        "releases": [
            {"version": dot.version, "line": dot.line, "kind": dot.kind.value, "state": dot.state.value, "at": dot.at}
            for dot in track.dots
            if looked_at.holds(dot.at)
        ],
    }
