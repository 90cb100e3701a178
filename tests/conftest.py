"""What holds for every test: how many examples the generated tests try.

Fakes live in `tests/fakes`, fixtures of one floor in that floor's own conftest.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: two busy cores are no reason to fail. In CI the examples are the same in every run.
settings.register_profile(
    "house",
    max_examples=60,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
