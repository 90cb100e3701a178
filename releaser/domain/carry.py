"""Carry-over: for which train a ticket was planned, and how often it missed it.

Rules: a ticket is planned for one train at a time. When that train has left without its fix, or is skipped, the ticket is
carried over to the next train that runs; so is one whose fix landed but did not leave. What is closed without a fix is not
carried. Every plan stays: what was planned first, each carry, and where the fix landed at last.

What does not live here: when a train leaves (`domain.train`), and which release has a fix (`domain.history`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class PlanKind(StrEnum):
    """How a ticket came to its train."""

    PLANNED = "planned"
    CARRIED = "carried"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One decision about a ticket: the slot of its train from then on, None when it is planned for none any more.

    A carry tells in `missed` the slot of the train that left without it.
    """

    kind: PlanKind
    slot_on: date | None
    at: datetime
    by: str
    reason: str = ""
    missed: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A ticket's way through the trains, oldest plan first. `landed_in` is the lowest version that has its fix, if any has."""

    ticket: str
    plans: Sequence[Plan]
    landed_in: str | None = None

    @property
    def first_planned_for(self) -> date | None:
        """The slot it was planned for first."""
        return next((plan.slot_on for plan in self.plans if plan.slot_on is not None), None)

    @property
    def planned_for(self) -> date | None:
        """The slot it is planned for now."""
        return self.plans[-1].slot_on if self.plans else None

    @property
    def carries(self) -> int:
        """How often a train left without it. Planning it anew does not forget that."""
        return sum(plan.kind is PlanKind.CARRIED for plan in self.plans)

    def alerts(self, after: int) -> bool:
        """Whether it was carried `after` times or more and still has not landed; 0 never alerts."""
        return bool(after) and self.carries >= after and self.landed_in is None and self.planned_for is not None
