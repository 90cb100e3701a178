"""Working days by a named production calendar, and local times of IANA zones.

A calendar is a country or region as the `holidays` library names it (`RU`, `KZ`, `DE-BY`), or none: Monday to Friday. The Russian
one knows transferred days off and working Saturdays. `Changes` overrule single days, per country here or per contract.
Rules: day 0 does not count; beyond what is known of a calendar nothing is guessed, it is refused. A local time that does
not exist is refused, one that exists twice asks which.

What does not live here: when a contract lets work be done (`domain.regulation`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from releaser.errors import InvalidError, RefusedError

if TYPE_CHECKING:
    from holidays import HolidayBase

ONE_DAY = timedelta(days=1)
MAX_DAYS = 3660
_COUNTRY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


class UnknownCalendarError(InvalidError):
    """There is no production calendar of that name."""


class UnknownZoneError(InvalidError):
    """There is no time zone of that name."""


class CalendarHorizonError(RefusedError):
    """The day lies beyond what is known of the calendar; working days there would be guessed."""


class LocalTimeError(InvalidError):
    """The local time does not exist on that day, or exists twice."""


class Fold(StrEnum):
    """Which of two equal local times is meant, when clocks are put back."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Days that differ from a calendar: `off` although it says working, `working` although it says off.

    `known_until` moves the calendar's horizon, for one whose next year has been stated here.
    """

    off: frozenset[date] = frozenset()
    working: frozenset[date] = frozenset()
    known_until: date | None = None


# What the library has wrong or does not have yet, per calendar; a row says where it was published.
PUBLISHED_CHANGES: Mapping[str, Changes] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A production calendar: a country's with `changes`, or Monday to Friday for no country."""

    country: str | None = None
    changes: Changes = field(default_factory=Changes)

    @property
    def known_until(self) -> date | None:
        """The last day that is known; None when the calendar follows by rule and never ends."""
        if self.changes.known_until is not None or self.country is None:
            return self.changes.known_until
        published = PUBLISHED_CHANGES.get(self.country, Changes()).known_until
        return published if published is not None else _horizon(self.country)

    def is_working(self, on: date) -> bool:
        """Whether that day is worked. Raises `UnknownCalendarError`, `CalendarHorizonError`."""
        if on in self.changes.off:
            return False
        if on in self.changes.working:
            return True
        known_until = self.known_until
        if known_until is not None and on > known_until:
            raise CalendarHorizonError(
                f"The production calendar of {self.country or 'the contract'} is known until {known_until}, not for {on}.",
                rule="calendar-horizon",
                advice="Choose an earlier day, update the program, or state that year's days in the contract.",
                calendar=self.country,
                known_until=known_until,
            )
        published = PUBLISHED_CHANGES.get(self.country or "", Changes())
        if on in published.off or on in published.working:
            return on in published.working
        return on.weekday() < 5 if self.country is None else bool(_days_off(self.country).is_working_day(on))

    def day_off_name(self, on: date, *, language: str = "en") -> str:
        """What the country calls that day off; empty for an ordinary weekend, and for a day stated as off."""
        if self.country is None or on in self.changes.off:
            return ""
        return str(_days_off(self.country, language).get(on) or "")

    def add_working_days(self, on: date, days: int) -> date:
        """The `days`-th working day after `on`; `on` itself does not count. 0 days is `on`, whatever day it is."""
        if not 0 <= days <= MAX_DAYS:
            raise InvalidError(f"{days} working days are out of range.", advice=f"Use 0 to {MAX_DAYS}.")
        while days:
            on += ONE_DAY
            days -= self.is_working(on)
        return on

    def working_days_between(self, start: date, end: date) -> int:
        """How many working days are after `start` up to and including `end`; negative when `end` is earlier."""
        if end < start:
            return -self.working_days_between(end, start)
        return sum(self.is_working(start + n * ONE_DAY) for n in range(1, (end - start).days + 1))


def calendar_named(country: str | None, *, changes: Changes | None = None) -> Calendar:
    """The production calendar of a country, checked to exist. Raises `UnknownCalendarError`."""
    if country is not None:
        _days_off(country)
    return Calendar(country=country, changes=changes or Changes())


@cache
def _days_off(country: str, language: str | None = None) -> HolidayBase:
    # Imported here, not above: the library takes as long as everything else of a one-shot command together.
    import holidays  # noqa: PLC0415

    if not _COUNTRY.fullmatch(country):
        raise _unknown(country)
    nation, _, region = country.partition("-")
    try:
        found = holidays.country_holidays(nation, subdiv=region or None)
        named = [one for one in found.supported_languages if language and one.partition("_")[0] == language]
        return holidays.country_holidays(nation, subdiv=region or None, language=named[0]) if named else found
    except NotImplementedError as error:
        raise _unknown(country) from error


def _unknown(country: str) -> UnknownCalendarError:
    return UnknownCalendarError(
        f"There is no production calendar {country[:20]!a}.",
        advice="Name a country such as RU or KZ, a region such as DE-BY, or none for Monday to Friday.",
        field="country",
    )


def _horizon(country: str) -> date | None:
    """Countries that move days off by a yearly decree are known as far as the decrees are; others follow by rule."""
    days_off = _days_off(country)
    if getattr(days_off, "substituted_label", None) is None:
        return date(days_off.end_year, 12, 31)
    years = [year for year in getattr(days_off, "special_public_holidays", {}) if isinstance(year, int)]
    return date(max(years), 12, 31) if years else None


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises `UnknownZoneError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(
            f"There is no time zone {name[:60]!a}.",
            advice="Use an IANA name such as Europe/Moscow or UTC.",
            field="zone",
        ) from error


def instant_of(on: date, at: time, *, zone: str, fold: Fold | None = None) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `at` on that day.

    Raises `LocalTimeError` when they never do (clocks are put forward over it), or do it twice and `fold` does not say
    which time is meant.
    """
    local = datetime.combine(on, at.replace(tzinfo=None, fold=0), tzinfo=zone_named(zone))
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first > second:
        raise LocalTimeError(
            f"{on} {at:%H:%M} does not exist in {zone}: clocks are put forward over it.",
            advice=f"Use {_after_gap(local).astimezone(local.tzinfo):%H:%M} or later.",
            field="at",
        )
    if first < second and fold is None:
        raise LocalTimeError(
            f"{on} {at:%H:%M} exists twice in {zone}: clocks are put back.",
            advice=f"Say which: first ({local:%H:%M%z}) or second ({local.replace(fold=1):%H:%M%z}).",
            field="fold",
        )
    return second if fold is Fold.SECOND else first


def first_instant_at(on: date, at: time, *, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which clocks in `zone` show `at` or, if they jump over it, a later time.

    For rules, which hold on every day; times that a person names go through `instant_of`.
    """
    local = datetime.combine(on, at.replace(tzinfo=None, fold=0), tzinfo=zone)
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    return _after_gap(local) if first > second else first


def _after_gap(local: datetime) -> datetime:
    """The instant at which clocks are put forward over the local time."""
    early, late = local.replace(fold=1).astimezone(UTC), local.astimezone(UTC)
    before = early.astimezone(local.tzinfo).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(local.tzinfo).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def end_of_day(on: date, *, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which that day ends in `zone` and the next one begins."""
    return first_instant_at(on + ONE_DAY, time(0), zone=zone)
