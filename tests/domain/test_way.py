from __future__ import annotations

from datetime import timedelta

import pytest

from releaser.domain.version import Scheme, Version, parse
from releaser.domain.way import Basis, RequiredStop, downtime, stops_on_way


def version(text: str) -> Version:
    return parse(text, scheme=Scheme.TWO_PART)


@pytest.mark.parametrize(
    ("since", "upto", "stops"),
    [
        ("1.0", "3.0", ["1.4", "2.0.1"]),
        ("1.4", "3.0", ["2.0.1"]),
        ("1.0", "1.4", []),
        ("2.0", "2.0.1", []),
        ("2.0.1-rc.1", "2.1", ["2.0.1"]),
        ("3.0", "1.0", []),
    ],
)
def test_stops_between_the_two_are_made_in_order(since: str, upto: str, stops: list[str]) -> None:
    marked = [RequiredStop(version=version(text), reason="converts") for text in ("2.0.1", "1.4")]
    assert [one.version.text for one in stops_on_way(marked, version(since), version(upto))] == stops


def test_downtime_is_the_median_of_what_was_measured_and_counts_every_stop() -> None:
    found = downtime(
        ["web", "api"], measured_s={"web": [1.0, 9.0, 2.0]}, planned_s={"web": [30.0], "api": [4.0]}, stops=1
    )
    assert [(one.module, one.basis, one.stop_for, one.count) for one in found.modules] == [
        ("api", Basis.STATED, timedelta(seconds=4), 1),
        ("web", Basis.MEASURED, timedelta(seconds=2), 3),
    ]
    assert (found.stop_for, found.basis, found.updates) == (timedelta(seconds=12), Basis.STATED, 2)


def test_downtime_of_which_a_part_is_not_known_is_not_known() -> None:
    found = downtime(["web", "api"], measured_s={"web": [1.0]}, planned_s={}, stops=0)
    assert (found.stop_for, found.basis) == (None, Basis.UNKNOWN)
    assert downtime([], measured_s={}, planned_s={}, stops=0).stop_for is None


def test_update_that_stops_nothing_is_known() -> None:
    assert downtime(["web"], measured_s={"web": [0.0]}, planned_s={}, stops=2).stop_for == timedelta(0)
