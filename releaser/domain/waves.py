"""Which targets go together: installations in order, cut into waves of growing size.

All targets of an installation are in one wave: its modules change together or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from releaser.errors import InvalidError

DEFAULT_SIZES = ("1", "100%")
WHOLE = 100
LONGEST_NUMBER = 6


class InvalidWavesError(InvalidError):
    """The list of wave sizes cannot be used."""


def parse_sizes(text: str) -> tuple[str, ...]:
    """Read `1,5,20%`. Raises `InvalidWavesError`."""
    sizes = tuple(part.strip() for part in text.split(",") if part.strip())
    for size in sizes:
        number = size.removesuffix("%")
        good = number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER and int(number) >= 1
        if not good or (size.endswith("%") and int(number) > WHOLE):
            raise InvalidWavesError(
                f"'{size[:20]}' is no size of a wave.",
                advice="Use counts and percentages of all installations, such as 1,5,20%.",
                field="waves",
            )
    if not sizes:
        raise InvalidWavesError("No wave sizes given.", advice="Use for instance 1,5,20%.", field="waves")
    return sizes


def count_of(size: str, *, of: int) -> int:
    """How many a size means out of `of`, at least 1."""
    if size.endswith("%"):
        return max(1, math.ceil(of * int(size[:-1]) / WHOLE))
    return max(1, int(size))


def parse_limit(text: str, *, field: str, least: int) -> int | str:
    """Read `3` or `20%`: how many of a wave. Raises `InvalidWavesError`."""
    bare = text.strip()
    number = bare.removesuffix("%")
    good = number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER and int(number) >= least
    if not good or (bare.endswith("%") and int(number) > WHOLE):
        raise InvalidWavesError(
            f"'{text[:20]}' is no number of targets for {field}.",
            advice=f"Use a count from {least} on, or a percentage of a wave's targets, such as 20%.",
            field=field,
        )
    return bare if bare.endswith("%") else int(bare)


def limit_of(limit: int | str, *, of: int, least: int) -> int:
    """How many of `of` targets a limit lets through: never more than its percentage, and `least` in any case."""
    if isinstance(limit, str):
        return max(least, of * int(limit.removesuffix("%")) // WHOLE)
    return max(least, limit)


def split(names: Sequence[str], *, sizes: Sequence[str] = DEFAULT_SIZES) -> tuple[tuple[str, ...], ...]:
    """Cut `names` (already in order) into waves; what the sizes leave over is a last wave. No wave is empty."""
    waves: list[tuple[str, ...]] = []
    start = 0
    for size in (*sizes, "100%"):
        end = min(len(names), start + count_of(size, of=len(names)))
        if end > start:
            waves.append(tuple(names[start:end]))
        start = end
    return tuple(waves)
