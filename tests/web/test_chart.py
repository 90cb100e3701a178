"""The picture of a history: marks never cover each other, every release is in one, dates stand on round places."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.web.pages.chart import LEFT, RIGHT, WIDTH, Chart, draw, half_width

TODAY = date(2026, 11, 21)


def release(version: str, at: datetime, kind: str = "patch") -> dict[str, Any]:
    return {"version": version, "line": "3.4", "kind": kind, "state": "published", "at": at}


def history(days: int, releases: list[dict[str, Any]], **given: Any) -> dict[str, Any]:  # noqa: ANN401 -- a track's own
    track = {
        "line": "3.4",
        "phase": None,
        "is_said": False,
        "supported_until_on": None,
        "branched": None,
        "begins_at": releases[0]["at"] if releases else datetime(2026, 1, 1, tzinfo=UTC),
        "ends_on": releases[-1]["at"].date() if releases else TODAY,
        "releases": releases,
        **given,
    }
    return {
        "window": {"from": TODAY - timedelta(days=days), "to": TODAY},
        "today": TODAY,
        "trunk": None,
        "tracks": [track],
    }


def drawn(days: int, *ages: float, **given: Any) -> Chart:  # noqa: ANN401 -- as above
    now = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    ordered = sorted(ages, reverse=True)
    return draw(
        history(days, [release(f"3.4.{n}", now - timedelta(days=age)) for n, age in enumerate(ordered)], **given)
    )


@given(ages=st.lists(st.floats(0, 700), min_size=1, max_size=120), days=st.integers(7, 6_000))
def test_marks_never_cover_each_other_and_leave_nothing_out(ages: list[float], days: int) -> None:
    inside = [age for age in ages if age < days - 1] or [0.0]
    (row,) = drawn(days, *inside).rows
    assert sum(len(mark.releases) for mark in row.marks) == len(inside)
    for one, other in zip(row.marks, row.marks[1:], strict=False):
        assert one.x + half_width(len(one.releases)) <= other.x - half_width(len(other.releases)) + 0.2
    assert all(LEFT <= mark.x <= WIDTH - RIGHT for mark in row.marks)


def test_several_releases_lead_to_the_days_around_them() -> None:
    (row,) = drawn(700, 100, 99, 98).rows
    (mark,) = row.marks
    assert (mark.label, mark.from_on, mark.to_on) == ("… 3.4.2", date(2026, 8, 12), date(2026, 8, 16))


def test_stable_versions_are_named_first() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    releases = [
        release("3.4", now - timedelta(days=300), "stable"),
        *(release(f"3.4.{n}", now - timedelta(days=300 - 16 * n)) for n in range(1, 19)),
    ]
    (row,) = draw(history(330, releases)).rows
    named = [mark.label for mark in row.marks if mark.label]
    assert named[0] == "3.4"
    assert len(named) < len(row.marks)


@pytest.mark.parametrize("days", [7, 30, 99, 101, 365, 730, 1_460, 3_650, 20_000])
def test_dates_on_the_axis_are_few_and_inside(days: int) -> None:
    ticks = drawn(days, 0).ticks
    assert 1 <= len(ticks) <= 16
    assert all(LEFT <= tick.x <= WIDTH - RIGHT for tick in ticks)
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)


def test_line_is_drawn_as_long_as_it_is_known_to_live() -> None:
    edge = WIDTH - RIGHT
    (unknown,) = drawn(100, 60, 50).rows
    assert unknown.solid_x == unknown.end_x < edge * 0.6
    (maintained,) = drawn(100, 60, 50, phase="maintained", is_said=True).rows
    assert maintained.solid_x > edge * 0.95
    (ended,) = drawn(100, 60, 50, phase="end-of-life", supported_until_on=TODAY - timedelta(days=55)).rows
    assert ended.support_x == ended.solid_x < ended.end_x
    (coming,) = drawn(100, 60, 50, phase="maintained", supported_until_on=TODAY + timedelta(days=55)).rows
    assert coming.support_x is None
    assert coming.solid_x == edge


def test_branch_point_before_the_picture_is_not_drawn() -> None:
    before = {"commit": "a" * 40, "at": datetime(2020, 1, 1, tzinfo=UTC)}
    (row,) = drawn(100, 60, branched=before, begins_at=before["at"]).rows
    assert (row.branch_x, row.begin_x) == (None, LEFT)


def test_releases_of_today_stand_before_today_and_on_their_line() -> None:
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    made = draw({**history(1, [release("3.4", noon), release("3.4.1", noon + timedelta(hours=6))])})
    (row,) = made.rows
    assert made.today_x is not None
    assert row.begin_x <= row.marks[0].x
    assert max(mark.x for mark in row.marks) <= made.today_x == row.end_x
