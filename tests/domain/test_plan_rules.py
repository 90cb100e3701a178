"""Rules that refuse a part of a plan, by example."""

from __future__ import annotations

import pytest

from releaser.domain.plan_rules import shortest_soak_s, too_short_soak
from releaser.domain.spec import ContainerSpec, HealthSpec


@pytest.mark.parametrize(("interval_s", "shortest"), [(0.1, 0.3), (0.2, 0.6), (0.7, 2.1), (1.0, 3.0), (30.0, 90.0)])
def test_soak_as_long_as_the_advice_says_is_long_enough(interval_s: float, shortest: float) -> None:
    spec = ContainerSpec(name="web", soak_s=shortest, health=HealthSpec(http="http://{ip}/", interval_s=interval_s))
    assert shortest_soak_s(spec) == shortest
    assert list(too_short_soak(spec, installation="acme")) == []
