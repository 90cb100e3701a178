"""Rules that refuse a part of a plan, by example."""

from __future__ import annotations

import pytest

from releaser.domain.plan_rules import shortest_soak_s, too_short_soak, why_one_way
from releaser.domain.spec import ContainerSpec, HealthSpec
from releaser.domain.version import Scheme, parse
from releaser.domain.way import RequiredStop


@pytest.mark.parametrize(("interval_s", "shortest"), [(0.1, 0.3), (0.2, 0.6), (0.7, 2.1), (1.0, 3.0), (30.0, 90.0)])
def test_soak_as_long_as_the_advice_says_is_long_enough(interval_s: float, shortest: float) -> None:
    spec = ContainerSpec(name="web", soak_s=shortest, health=HealthSpec(http="http://{ip}/", interval_s=interval_s))
    assert shortest_soak_s(spec) == shortest
    assert list(too_short_soak(spec, installation="acme")) == []


@pytest.mark.parametrize(
    ("previous", "desired", "why"),
    [
        ("1.0", "1.1", "1.1 converts"),
        ("1.0", "1.2", "1.1 converts"),
        ("1.0", "1.3", "1.3 converts"),
        (None, "1.1", "1.1 converts"),
        (None, "1.2", ""),
        ("1.1", "1.1", ""),
        ("1.1", "1.2", ""),
        ("1.2", "1.1", "1.1 converts"),
        ("a hand's", "1.2", ""),
    ],
)
def test_way_back_is_shut_by_the_version_itself_and_by_those_behind_which_it_leads(
    previous: str | None, desired: str, why: str
) -> None:
    marks = [
        RequiredStop(version=parse(one, scheme=Scheme.TWO_PART), reason=f"{one} converts") for one in ("1.1", "1.3")
    ]
    assert why_one_way(marks, desired=desired, previous=previous, scheme=Scheme.TWO_PART) == why
