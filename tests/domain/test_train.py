from __future__ import annotations

from datetime import date

import pytest

from releaser.domain.train import next_trains, train_before

FIRST = date(2026, 11, 3)


@pytest.mark.parametrize(
    ("today", "coming"),
    [
        (date(2026, 1, 1), [date(2026, 11, 3), date(2026, 11, 17)]),
        (date(2026, 11, 2), [date(2026, 11, 3), date(2026, 11, 17)]),
        (date(2026, 11, 3), [date(2026, 11, 3), date(2026, 11, 17)]),
        (date(2026, 11, 4), [date(2026, 11, 17), date(2026, 12, 1)]),
        (date(2026, 11, 17), [date(2026, 11, 17), date(2026, 12, 1)]),
        (date(2027, 3, 28), [date(2027, 4, 6), date(2027, 4, 20)]),
        (date(2036, 11, 3), [date(2036, 11, 4), date(2036, 11, 18)]),
    ],
)
def test_trains_leave_by_the_rhythm_from_today_on(today: date, coming: list[date]) -> None:
    assert list(next_trains(first_on=FIRST, cadence_days=14, today=today, count=2)) == coming


@pytest.mark.parametrize(("first_on", "cadence"), [(None, 14), (FIRST, 0), (FIRST, -1)])
def test_product_without_a_rhythm_has_no_trains(first_on: date | None, cadence: int) -> None:
    assert next_trains(first_on=first_on, cadence_days=cadence, today=FIRST, count=3) == ()
    assert train_before(first_on=first_on, cadence_days=cadence, today=FIRST) is None


@pytest.mark.parametrize(
    ("today", "before"),
    [
        (date(2026, 10, 1), None),
        (date(2026, 11, 3), None),
        (date(2026, 11, 4), date(2026, 11, 3)),
        (date(2026, 11, 17), date(2026, 11, 3)),
        (date(2026, 11, 18), date(2026, 11, 17)),
    ],
)
def test_train_before_has_left(today: date, before: date | None) -> None:
    assert train_before(first_on=FIRST, cadence_days=14, today=today) == before
