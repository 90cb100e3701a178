"""Carry-over: for which train a ticket was planned, and how often it missed it.

Rules: a ticket is planned for one train at a time. When that train has left without its fix, or is skipped, the ticket is
carried over to the next train that runs; so is one whose fix landed but did not leave. What is closed without a fix is not
carried. Every plan stays: what was planned first, each carry, and where the fix landed at last.

What does not live here: when a train leaves (`domain.train`), and which release has a fix (`domain.history`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from releaser.i18n import Translator, mark


class PlanKind(StrEnum):
    """How a ticket came to its train."""

    PLANNED = "planned"
    CARRIED = "carried"
    DROPPED = "dropped"


class CarryWhy(StrEnum):
    """Why nothing can come into a train any more."""

    SKIPPED = "skipped"
    LEFT = "left"
    TOO_LATE = "too-late"
    NO_RELEASE = "no-release"


_SAYS = {
    CarryWhy.SKIPPED: mark("The train of {day} was skipped."),
    CarryWhy.LEFT: mark("{version} left without it."),
    CarryWhy.TOO_LATE: mark("The train of {day} left without it."),
    CarryWhy.NO_RELEASE: mark("The train of {day} left without a release."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryReason:
    """Why a ticket was carried: `slot_on` is the train that it missed, `version` what that gave, if anything."""

    why: CarryWhy
    slot_on: date
    version: str = ""

    def told(self, t: Translator) -> str:
        """The reason in one sentence."""
        return t(_SAYS[self.why], day=t.day(self.slot_on), version=self.version)

    def as_data(self) -> dict[str, str]:
        """The reason as data that JSON can hold."""
        return {"code": self.why.value, "train": self.slot_on.isoformat(), "version": self.version}


def reason_from(data: Mapping[str, str]) -> CarryReason:
    """The reason that `as_data` wrote."""
    return CarryReason(
        why=CarryWhy(data["code"]), slot_on=date.fromisoformat(data["train"]), version=data.get("version", "")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One decision about a ticket: the slot of its train from then on, None when it is planned for none any more.

    A carry tells in `missed` the slot of the train that left without it, and `why`; `reason` is what a person wrote.
    """

    kind: PlanKind
    slot_on: date | None
    at: datetime
    by: str
    reason: str = ""
    missed: date | None = None
    why: CarryReason | None = None

    def told(self, t: Translator) -> str:
        """Why it was decided: in the reader's words, or as a person wrote it."""
        return self.why.told(t) if self.why is not None else self.reason


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
