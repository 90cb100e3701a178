"""One train of a rhythm, and on which day it leaves.

What does not live here: which trains come (`timetable`), what numbers they give (`numbers`), and which days are worked
(`domain.calendar`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from releaser.domain.calendar import (
    ONE_DAY,
    Calendar,
    CalendarHorizonError,
    Changes,
    first_instant_at,
    zone_named,
)
from releaser.i18n import DEFAULT_LANGUAGE

EARLIEST, LATEST = date(1970, 1, 1), date(2300, 12, 31)
"""The days that a rhythm may begin on; calendars and clocks know nothing useful beyond."""


class DayOff(StrEnum):
    """What becomes of a train whose slot is a day off."""

    EARLIER = "earlier"
    LATER = "later"
    SKIP = "skip"


class TrainState(StrEnum):
    """What a person made of a train."""

    SCHEDULED = "scheduled"
    SHIFTED = "shifted"
    SKIPPED = "skipped"


MOVES: Mapping[TrainState, frozenset[TrainState]] = {
    TrainState.SCHEDULED: frozenset({TrainState.SHIFTED, TrainState.SKIPPED}),
    TrainState.SHIFTED: frozenset({TrainState.SHIFTED, TrainState.SKIPPED, TrainState.SCHEDULED}),
    TrainState.SKIPPED: frozenset({TrainState.SHIFTED, TrainState.SCHEDULED}),
}


class Because(StrEnum):
    """Why a train leaves on its day, or does not leave."""

    RHYTHM = "rhythm"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    NO_WORKING_DAY = "no_working_day"
    NOT_KNOWN = "not_known"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRules:
    """How a product's trains leave, as it is declared.

    `at` is the local hour. `country` names the production calendar (none: Monday to Friday), which `days_off`,
    `working_days` and `known_until` change. The freeze's phases begin so many working days before a train (0: no such
    phase) and end `thaw_hours` after it. A ticket that was carried over `alert_after_carries` times is an alert,
    which is mailed to `alert_mail` in `alert_language`.
    """

    at: time = time(12)
    country: str | None = None
    on_day_off: DayOff = DayOff.LATER
    days_off: tuple[date, ...] = ()
    working_days: tuple[date, ...] = ()
    known_until: date | None = None
    branch_point_days: int = 0
    soft_freeze_days: int = 0
    freeze_days: int = 0
    thaw_hours: int = 0
    alert_after_carries: int = 3
    alert_mail: tuple[str, ...] = ()
    alert_language: str = DEFAULT_LANGUAGE

    @property
    def calendar(self) -> Calendar:
        """The production calendar with the product's own changes."""
        changes = Changes(
            off=frozenset(self.days_off), working=frozenset(self.working_days), known_until=self.known_until
        )
        return Calendar(country=self.country, changes=changes)

    @property
    def freezes(self) -> bool:
        """Whether anything is frozen before a train."""
        return bool(self.soft_freeze_days or self.freeze_days)

    @property
    def phased(self) -> bool:
        """Whether a train has phases, so that it matters where its branch was when."""
        return self.freezes or bool(self.branch_point_days)


DEFAULT_RULES = TrainRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When trains leave: slots from `first_on` on, every `cadence_days`, in the local time of `zone`."""

    first_on: date
    cadence_days: int = 14
    zone: str = "UTC"
    rules: TrainRules = DEFAULT_RULES

    def slot(self, number: int) -> date:
        """The day of the train with that number, counted from 0."""
        return self.first_on + timedelta(days=self.cadence_days * number)

    def number(self, on: date) -> int:
        """The number of the first slot on that day or after it."""
        return max(0, -((self.first_on - on).days // self.cadence_days))

    def has(self, slot_on: date) -> bool:
        """Whether that day is a slot."""
        away = (slot_on - self.first_on).days
        return away >= 0 and not away % self.cadence_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person made of one train: `on` is the new day of a shifted one. The newest decision counts."""

    state: TrainState
    by: str
    reason: str
    at: datetime
    on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """One train. `slot_on` is its identity, `on` the day it leaves (of a skipped one its slot), `departs_at` the instant.

    `expected` is the number it gives: none when it is skipped, or when that is not known. `day_off` is what the calendar calls
    the slot's day when that is a holiday. `known_until` is set where the calendar's horizon decided.
    """

    slot_on: date
    on: date
    departs_at: datetime
    because: Because
    skipped: bool = False
    day_off: str = ""
    known_until: date | None = None
    decision: Decision | None = None
    expected: str | None = None

    @property
    def moved(self) -> bool:
        """Whether it leaves on another day than its slot."""
        return not self.skipped and self.on != self.slot_on

    @property
    def certain(self) -> bool:
        """Whether its day is known, and not only expected."""
        return self.because is not Because.NOT_KNOWN


Decisions = Mapping[date, Decision]
"""Slot -> what a person last decided about its train."""


def train_at(rhythm: Rhythm, slot_on: date, decisions: Decisions) -> Train:
    """The train of a slot as it stands."""
    decision = decisions.get(slot_on)
    if decision is None or decision.state is TrainState.SCHEDULED:
        on, because, skipped = _by_calendar(rhythm, slot_on)
    else:
        on, because = decision.on or slot_on, Because.PERSON
        skipped = decision.state is TrainState.SKIPPED
    calendar = rhythm.rules.calendar
    return Train(
        slot_on=slot_on,
        on=on,
        departs_at=first_instant_at(on, rhythm.rules.at, zone=zone_named(rhythm.zone)),
        because=because,
        skipped=skipped,
        day_off=calendar.day_off_name(slot_on) if because in _NAMED else "",
        known_until=calendar.known_until if because is Because.NOT_KNOWN else None,
        decision=decision,
    )


_NAMED = frozenset({Because.HOLIDAY, Because.NO_WORKING_DAY})


def _by_calendar(rhythm: Rhythm, slot_on: date) -> tuple[date, Because, bool]:
    """The day that the calendar gives a slot, why, and whether the train is skipped instead."""
    calendar, rule = rhythm.rules.calendar, rhythm.rules.on_day_off
    try:
        if calendar.is_working(slot_on):
            return slot_on, Because.RHYTHM, False
        weekend = slot_on.weekday() >= 5 and not calendar.day_off_name(slot_on)
        because = Because.WEEKEND if weekend else Because.HOLIDAY
        if rule is DayOff.SKIP:
            return slot_on, because, True
        step = ONE_DAY if rule is DayOff.LATER else -ONE_DAY
        for days in range(1, rhythm.cadence_days):
            if calendar.is_working(slot_on + step * days):
                return slot_on + step * days, because, False
    except CalendarHorizonError:
        return slot_on, Because.NOT_KNOWN, False
    return slot_on, Because.NO_WORKING_DAY, True
