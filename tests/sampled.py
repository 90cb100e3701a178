"""What is tried of a matrix that is too large for every run: some of it, all of it with HYPOTHESIS_PROFILE=thorough (`make test-all`).

Samples by chance are others in every run at a desk, by a seed that is printed (`KILL_SEED=…` has it again); in CI they are the same in
every run, as those of Hypothesis are: a change is judged by itself.
"""

from __future__ import annotations

import os
import random
import sys
import zlib

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
_IN_CI = 20_261
_STRIDE = 3


def seed() -> int:
    """The seed of this test's samples, printed."""
    chosen = int(os.environ.get("KILL_SEED", "0"))
    if not chosen:
        chosen = _IN_CI if os.environ.get("CI") else random.SystemRandom().randrange(1, 2**32)
    print(f"KILL_SEED={chosen}", file=sys.stderr)  # noqa: T201 -- shown with a failure, to have it again
    return chosen


def chance() -> random.Random:
    """Chance by that seed."""
    return random.Random(seed())  # noqa: S311 -- moments and samples of tests


def some(count: int, *case: object) -> range:
    """Some of 1 … `count`: each third, where different cases begin differently, so that together they leave none out."""
    if IS_THOROUGH:
        return range(1, count + 1)
    return range(1 + zlib.crc32(repr(case).encode()) % _STRIDE, count + 1, _STRIDE)
