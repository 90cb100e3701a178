"""Lines as tracks, windows of time, and branch points read from the graph."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.release import ReleaseState
from releaser.domain.timeline import (
    FIRST_LOOK,
    SHORTEST,
    BranchPoint,
    Dot,
    InvalidWindowError,
    Window,
    branch_points,
    tracks,
    whole,
    window,
)
from releaser.domain.version import VersionKind
from tests.fakes.told_history import Told, id_of

TODAY = date(2026, 11, 21)


def dot(version: str, on: date) -> Dot:
    kind = VersionKind.PATCH if version.count(".") > 1 else VersionKind.STABLE
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    line = ".".join(version.split(".")[:2])
    return Dot(version=version, line=line, kind=kind, state=ReleaseState.PUBLISHED, at=at)


def weekly(count: int) -> list[Dot]:
    return [dot(f"2.{n}", TODAY - timedelta(days=7 * (count - n))) for n in range(count)]


def test_few_lines_have_a_track_each() -> None:
    trunk, own = tracks(weekly(5), branched={}, ends={})
    assert trunk is None
    assert [track.line for track in own] == ["2.4", "2.3", "2.2", "2.1", "2.0"]


def test_single_releases_of_many_lines_share_the_trunk() -> None:
    dots = weekly(30)
    dots.insert(11, dot("2.10.1", TODAY - timedelta(days=10)))
    point = BranchPoint(commit="a" * 40, at=dots[7].at)
    trunk, own = tracks(dots, branched={"2.7": point}, ends={"2.3": TODAY, "2.4": TODAY}, kept=["2.3"])
    assert [track.line for track in own] == ["2.29", "2.10", "2.7", "2.3"]
    assert trunk is not None
    assert len(trunk.dots) == 26
    assert own[2].branched == point


def test_track_lives_from_its_branch_point_to_the_end_of_its_support() -> None:
    point = BranchPoint(commit="a" * 40, at=datetime(2025, 1, 1, tzinfo=UTC))
    _, (track,) = tracks([dot("3.4", date(2025, 2, 1))], branched={"3.4": point}, ends={"3.4": date(2026, 1, 1)})
    assert (track.begins_at, track.ends_on) == (point.at, date(2026, 1, 1))
    for from_on, to_on, expected in [
        (date(2024, 1, 1), date(2024, 12, 31), False),
        (date(2024, 1, 1), date(2025, 1, 1), True),
        (date(2025, 6, 1), date(2025, 7, 1), True),
        (date(2026, 1, 1), date(2026, 2, 1), True),
        (date(2026, 1, 2), date(2026, 2, 1), False),
    ]:
        assert Window(from_on=from_on, to_on=to_on).touches(track) is expected


def test_long_history_is_looked_at_from_its_end() -> None:
    every = whole(weekly(500), today=TODAY)
    assert every.to_on == TODAY
    assert window(every, from_on=None, to_on=None, today=TODAY) == Window(from_on=TODAY - FIRST_LOOK, to_on=TODAY)
    short = whole(weekly(50), today=TODAY)
    assert window(short, from_on=None, to_on=None, today=TODAY) == short


def test_absurd_days_do_not_stretch_time() -> None:
    every = whole([dot("3.4", date(9999, 12, 31)), dot("3.3", date(2026, 1, 1))], today=TODAY, ends=[date(2999, 1, 1)])
    assert every == Window(from_on=date(2026, 1, 1), to_on=TODAY)
    assert whole([], today=TODAY).to_on == TODAY


@pytest.mark.parametrize(("branched_on", "begins_on"), [((2025, 12, 20), (2025, 12, 20)), ((1970, 1, 1), (2026, 1, 1))])
def test_branch_point_is_seen_shortly_before_the_first_release_only(
    branched_on: tuple[int, int, int], begins_on: tuple[int, int, int]
) -> None:
    point = BranchPoint(commit="a" * 40, at=datetime(*branched_on, tzinfo=UTC))
    every = whole([dot("3.4", date(2026, 1, 1))], today=TODAY, branched=[point])
    assert every.from_on == date(*begins_on)


def test_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidWindowError):
        window(whole(weekly(9), today=TODAY), from_on=TODAY, to_on=TODAY - timedelta(days=1), today=TODAY)


DAYS = st.dates(min_value=date.min, max_value=date.max)
DAY = timedelta(days=1)


@given(from_on=st.none() | DAYS, to_on=st.none() | DAYS, factor=st.floats(0.01, 100), share=st.floats(-3, 3))
def test_windows_stay_within_the_whole_and_are_never_too_short(
    from_on: date | None, to_on: date | None, factor: float, share: float
) -> None:
    every = whole(weekly(200), today=TODAY)
    if from_on and to_on and from_on > to_on:
        from_on, to_on = to_on, from_on
    found = window(every, from_on=from_on, to_on=to_on, today=TODAY)
    for one in (found, found.zoomed(factor, within=every), found.moved(share, within=every)):
        assert every.from_on <= one.from_on <= one.to_on <= every.to_on
        assert one.length >= SHORTEST - DAY
    assert abs(found.moved(share, within=every).length - found.length) <= DAY


def branched() -> dict[str, str]:
    """Line -> the name of the commit it left the main branch at."""
    world = Told().commit("a").commit("b", "a").commit("c", "b").commit("d", "c").commit("e", "d")
    world.commit("x", "b").commit("y", "x").commit("m", "e", "y").commit("s", "d").commit("far")
    world.tag("1.0", "a").tag("1.1", "b").tag("1.1.1", "x").tag("1.2", "d").tag("1.2.1", "s").tag("0.1", "far")
    world.branch("main", "e").branch("1.1", "y").branch("1.0", "a")
    names = {id_of(name): name for name in world.names}
    return {line: names[point.commit] for line, point in branch_points(world.history()).items()}


def test_line_left_the_main_branch_where_its_first_parents_meet_it() -> None:
    assert branched() == {"1.1": "b", "1.2": "d"}


def test_history_without_a_main_branch_has_no_branch_points() -> None:
    world = Told().commit("a").commit("b", "a").tag("1.0", "a").tag("1.0.1", "b").branch("1.0", "b")
    assert branch_points(world.history()) == {}
