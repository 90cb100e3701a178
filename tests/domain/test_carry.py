"""A ticket's way through the trains: first plan, carries, and where it landed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from releaser.domain.carry import Journey, Plan, PlanKind

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ONE, TWO, THREE = date(2026, 11, 3), date(2026, 11, 17), date(2026, 12, 1)


def planned(slot: date | None) -> Plan:
    return Plan(kind=PlanKind.PLANNED if slot else PlanKind.DROPPED, slot_on=slot, at=NOW, by="rita")


def carried(missed: date, slot: date) -> Plan:
    return Plan(kind=PlanKind.CARRIED, slot_on=slot, at=NOW, by="releaser", missed=missed)


def test_way_of_a_ticket_keeps_its_first_plan_and_every_carry() -> None:
    way = Journey(ticket="T-1", plans=[planned(ONE), carried(ONE, TWO), carried(TWO, THREE)])
    assert (way.first_planned_for, way.planned_for, way.carries) == (ONE, THREE, 2)


def test_planning_anew_does_not_forget_carries() -> None:
    way = Journey(ticket="T-1", plans=[planned(ONE), carried(ONE, TWO), planned(None), planned(THREE)])
    assert (way.planned_for, way.carries) == (THREE, 1)


@pytest.mark.parametrize(
    ("plans", "after", "landed", "alert"),
    [
        ([planned(ONE)], 1, None, False),
        ([planned(ONE), carried(ONE, TWO)], 1, None, True),
        ([planned(ONE), carried(ONE, TWO)], 2, None, False),
        ([planned(ONE), carried(ONE, TWO)], 0, None, False),
        ([planned(ONE), carried(ONE, TWO)], 1, "3.5", False),
        ([planned(ONE), carried(ONE, TWO), planned(None)], 1, None, False),
        ([], 1, None, False),
    ],
)
def test_ticket_carried_too_often_alerts_until_it_landed_or_is_planned_no_more(
    plans: list[Plan], after: int, landed: str | None, *, alert: bool
) -> None:
    assert Journey(ticket="T-1", plans=plans, landed_in=landed).alerts(after) is alert
