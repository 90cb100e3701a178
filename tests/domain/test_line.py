from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.line import (
    InvalidSupportError,
    LinePhase,
    Support,
    SupportRule,
    checked_support,
    notices_due,
)

DAY = date(2026, 3, 2)
DEVELOPMENT, MAINTAINED, SECURITY, OVER = LinePhase
_DATES = st.none() | st.dates(date(2026, 1, 1), date(2026, 6, 30))


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


@pytest.mark.parametrize(
    ("support", "phase"),
    [
        (Support(), DEVELOPMENT),
        (Support(released_on=DAY), MAINTAINED),
        (Support(released_on=DAY, maintained_until_on=day(0)), MAINTAINED),
        (Support(released_on=DAY, maintained_until_on=day(-1)), SECURITY),
        (Support(released_on=DAY, supported_until_on=day(0)), MAINTAINED),
        (Support(released_on=DAY, supported_until_on=day(-1)), OVER),
        (Support(released_on=DAY, maintained_until_on=day(-9), supported_until_on=day(0)), SECURITY),
        (Support(released_on=DAY, maintained_until_on=day(-9), supported_until_on=day(-1)), OVER),
        (Support(stated=MAINTAINED), MAINTAINED),
        (Support(released_on=DAY, stated=DEVELOPMENT), MAINTAINED),
        (Support(released_on=DAY, stated=SECURITY), SECURITY),
        (Support(released_on=DAY, stated=OVER, supported_until_on=day(99)), OVER),
        (Support(released_on=DAY, stated=MAINTAINED, supported_until_on=day(-1)), OVER),
    ],
)
def test_phase_is_the_farthest_of_what_is_stated_and_what_the_dates_say(support: Support, phase: LinePhase) -> None:
    assert support.phase(DAY) is phase


@given(
    released=_DATES,
    maintained=_DATES,
    supported=_DATES,
    stated=st.none() | st.sampled_from(LinePhase),
    first=st.dates(date(2025, 1, 1), date(2027, 1, 1)),
    later=st.integers(0, 400),
)
def test_phase_never_goes_back_as_days_pass(
    released: date | None,
    maintained: date | None,
    supported: date | None,
    stated: LinePhase | None,
    first: date,
    later: int,
) -> None:
    support = Support(released_on=released, maintained_until_on=maintained, supported_until_on=supported, stated=stated)
    order = list(LinePhase)
    assert order.index(support.phase(first)) <= order.index(support.phase(first + timedelta(days=later)))


@pytest.mark.parametrize(
    ("support", "rule", "maintained", "supported"),
    [
        (Support(released_on=DAY), SupportRule(), None, None),
        (Support(released_on=DAY), SupportRule(maintained_days=30, supported_days=90), day(30), day(90)),
        (Support(), SupportRule(maintained_days=30, supported_days=90), None, None),
        (Support(released_on=DAY, supported_until_on=day(7)), SupportRule(supported_days=90), None, day(7)),
        (
            Support(released_on=DAY, supported_until_on=day(7)),
            SupportRule(maintained_days=30, supported_days=90),
            None,
            day(7),
        ),
        (
            Support(released_on=DAY, maintained_until_on=day(60)),
            SupportRule(maintained_days=30, supported_days=90),
            day(60),
            day(90),
        ),
    ],
)
def test_rule_gives_dates_only_where_a_line_has_none(
    support: Support, rule: SupportRule, maintained: date | None, supported: date | None
) -> None:
    found = support.by(rule)
    assert (found.maintained_until_on, found.supported_until_on) == (maintained, supported)


def test_maintenance_that_outlasts_support_is_refused() -> None:
    checked_support(maintained_until_on=DAY, supported_until_on=DAY)
    with pytest.raises(InvalidSupportError, match="2026-03-03") as caught:
        checked_support(maintained_until_on=day(1), supported_until_on=DAY)
    assert caught.value.field == "maintained_until_on"


@pytest.mark.parametrize(
    ("ends_in", "told", "due"),
    [
        (91, (), ()),
        (90, (), (90,)),
        (89, (90,), ()),
        (30, (90,), (30,)),
        (20, (), (90, 30)),
        (7, (90, 30), (7,)),
        (0, (90, 30), (7,)),
        (0, (90, 30, 7), ()),
        (-1, (), ()),
    ],
)
def test_end_of_support_is_told_at_its_days_and_never_afterwards(
    ends_in: int, told: tuple[int, ...], due: tuple[int, ...]
) -> None:
    assert notices_due(ends_on=day(ends_in), days_before=(90, 30, 7), told=told, today=DAY) == due
