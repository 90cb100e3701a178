"""Cutting installations into waves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.waves import InvalidWavesError, limit_of, parse_limit, parse_sizes, split

NAMES = tuple("abcdefghij")


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        (("1", "100%"), [1, 9]),
        (("100%",), [10]),
        (("1", "2", "20%"), [1, 2, 2, 5]),
        (("1%",), [1, 9]),
        (("50%", "50%"), [5, 5]),
        (("20",), [10]),
    ],
)
def test_sizes_over_ten_installations_make_these_waves(sizes: tuple[str, ...], lengths: list[int]) -> None:
    assert [len(wave) for wave in split(NAMES, sizes=sizes)] == lengths


@given(names=st.lists(st.integers(), unique=True, max_size=60), sizes=st.lists(st.integers(1, 30), max_size=6))
def test_every_installation_is_in_exactly_one_wave_in_order(names: list[int], sizes: list[int]) -> None:
    waves = split([str(n) for n in names], sizes=[str(size) for size in sizes])
    assert [name for wave in waves for name in wave] == [str(n) for n in names]
    assert all(waves)


@pytest.mark.parametrize("text", ["", "0", "-1", "1,x", "101%", "%", "1.5", "\u0661", "9999999"])
def test_sizes_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidWavesError):
        parse_sizes(text)


def test_sizes_are_read_with_blanks_around_them() -> None:
    assert parse_sizes(" 1, 5 ,20% ") == ("1", "5", "20%")


@pytest.mark.parametrize(
    ("limit", "of", "least", "count"),
    [
        (3, 10, 1, 3),
        ("20%", 10, 1, 2),
        ("25%", 10, 1, 2),
        ("1%", 10, 1, 1),
        ("1%", 10, 0, 0),
        ("0%", 10, 0, 0),
        ("100%", 7, 1, 7),
        (0, 7, 0, 0),
        ("50%", 0, 1, 1),
    ],
)
def test_limit_is_never_more_than_its_percentage(limit: int | str, of: int, least: int, count: int) -> None:
    assert limit_of(limit, of=of, least=least) == count


@pytest.mark.parametrize(
    ("text", "least", "limit"), [("3", 1, 3), (" 20% ", 1, "20%"), ("0", 0, 0), ("0%", 0, "0%"), ("100%", 1, "100%")]
)
def test_limits_are_read_as_numbers_or_percentages(text: str, least: int, limit: int | str) -> None:
    assert parse_limit(text, field="threshold", least=least) == limit


@pytest.mark.parametrize("text", ["", "0", "0%", "-1", "101%", "%", "1.5", "\u0661", "9999999", "1%%"])
def test_limits_that_mean_nothing_are_refused_by_their_name(text: str) -> None:
    with pytest.raises(InvalidWavesError, match="max-parallel"):
        parse_limit(text, field="max-parallel", least=1)
