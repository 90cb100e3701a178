"""What a contract says about planned work: windows in local time, how long before the customer must be told, and who agrees.

Rules: a window is a local rule and a zone, evaluated when needed; it may cross midnight, and where clocks change it lasts as long
as clocks in the zone say. The lead of N working days is over at the end of the N-th working day after the day of
telling, in the contract's zone. A contract without a regulation has no windows and no lead, and asks for nobody's consent.

What does not live here: which days are worked (`domain.calendar`), who is told (`domain.notice`), and what a given consent covers
(`domain.consent`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any

from releaser.domain import consent
from releaser.domain.calendar import (
    MAX_DAYS,
    ONE_DAY,
    Calendar,
    Changes,
    calendar_named,
    end_of_day,
    first_instant_at,
    zone_named,
)
from releaser.domain.consent import ConsentRule
from releaser.domain.target import Stop
from releaser.errors import InvalidError

# Windows repeat weekly, but one may fall into the hour that clocks are put forward over: look two weeks around.
_HORIZON_DAYS = 16
_ENDLESS_FOR = 8 * ONE_DAY
COMMON_WITHIN = 31 * ONE_DAY
MAX_EMERGENCY_HOURS = 24 * 366


class InvalidRegulationError(InvalidError):
    """The regulation of a contract cannot be read; `field` is the place in it."""


class Urgency(IntEnum):
    """Whether the ordinary lead holds, or the shorter one of an emergency, which needs a reason."""

    ORDINARY = 0
    EMERGENCY = 1


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Local hours on some days of the week in which work may be done.

    `days` are 0 (Monday) to 6; a window whose `to` is not after `from_` ends on the next day, `to` 00:00 is midnight.
    """

    days: frozenset[int]
    from_: time
    to: time

    def span(self, on: date, *, zone: str) -> tuple[datetime, datetime]:
        """When the window that begins on `on` opens and closes, in UTC."""
        known = zone_named(zone)
        last = on if self.to > self.from_ else on + ONE_DAY
        return first_instant_at(on, self.from_, zone=known), first_instant_at(last, self.to, zone=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulation:
    """A contract's rules. Leads are working days of the calendar of `country`, changed by `changes`.

    `consent` says who has to agree to updates; None: nobody does.
    """

    zone: str = "UTC"
    windows: tuple[Window, ...] = ()
    lead_full: int = 10
    lead_partial: int = 5
    lead_none: int = 2
    emergency_hours: int = 24
    country: str | None = None
    changes: Changes = Changes()  # noqa: RUF009 -- frozen, and so are its sets
    consent: ConsentRule | None = None

    @property
    def calendar(self) -> Calendar:
        """The production calendar that counts the contract's working days."""
        return Calendar(country=self.country, changes=self.changes)

    def lead(self, stop: Stop) -> int:
        """How many working days before work that stops this much the customer must be told."""
        return {Stop.FULL: self.lead_full, Stop.PARTIAL: self.lead_partial, Stop.NONE: self.lead_none}[stop]

    def open_at(self, now: datetime) -> bool:
        """Whether work may be done now."""
        return not self.windows or any(start <= now < end for start, end in self._spans(now))

    def closes_at(self, now: datetime) -> datetime | None:
        """When the window that is open now ends; None when none is open, or it has no end."""
        for start, end in self._spans(now):
            if start <= now < end:
                return end if end - now < _ENDLESS_FOR else None
        return None

    def next_opening(self, now: datetime) -> datetime:
        """`now` when work may be done now, else when the next window opens."""
        if self.open_at(now):
            return now
        return min(start for start, end in self._spans(now) if start > now)

    def opening_for(self, needs: timedelta, now: datetime) -> datetime | None:
        """`now` or later: when work that takes so long may begin. None where no window of the next days is long enough."""
        if not self.windows:
            return now
        enough = min(needs, _ENDLESS_FOR)
        opening = ((max(start, now), end) for start, end in self._spans(now) if end > now)
        return next((at for at, end in opening if at + enough <= end), None)

    def longest_window(self, now: datetime) -> timedelta | None:
        """The longest window of the next days; None where work may be done at any time, or for days on end."""
        if not self.windows:
            return None
        longest = max((end - max(start, now) for start, end in self._spans(now) if end > now), default=timedelta(0))
        return longest if longest < _ENDLESS_FOR else None

    def earliest_start(self, announced_at: datetime, *, stop: Stop, urgency: Urgency = Urgency.ORDINARY) -> datetime:
        """The earliest start of work announced at that instant, windows aside. Raises `CalendarHorizonError`."""
        days = self.lead(stop)
        if not days:
            return announced_at
        urgent = announced_at + timedelta(hours=self.emergency_hours)
        zone = zone_named(self.zone)
        told_on = announced_at.astimezone(zone).date()
        # No N working days are shorter than N - 1 days: an emergency beats them without asking a calendar.
        if urgency is Urgency.EMERGENCY and urgent - announced_at <= (days - 1) * ONE_DAY:
            return urgent
        ordinary = end_of_day(self.calendar.add_working_days(told_on, days), zone=zone)
        return min(ordinary, urgent) if urgency is Urgency.EMERGENCY else ordinary

    def _spans(self, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """The windows around `now`, those that touch or overlap joined, in order; the last few days are incomplete."""
        return _spans(self.windows, self.zone, now.astimezone(zone_named(self.zone)).date())


def common_opening(rules: Collection[Regulation], at: datetime) -> datetime | None:
    """The first instant from `at` on at which every contract allows work, None where they have none in common for a month."""
    last = at + COMMON_WITHIN
    while at <= last:
        opening = max((rule.next_opening(at) for rule in rules), default=at)
        if opening == at:
            return at
        at = opening
    return None


NO_REGULATION = Regulation(lead_full=0, lead_partial=0, lead_none=0, emergency_hours=0)


@lru_cache(maxsize=1024)
def _spans(windows: tuple[Window, ...], zone: str, on: date) -> tuple[tuple[datetime, datetime], ...]:
    """A worker asks this several times a second for every waiting target, always for the same day."""
    days = [on + n * ONE_DAY for n in range(-_HORIZON_DAYS, _HORIZON_DAYS + 1)]
    spans = (window.span(day, zone=zone) for day in days for window in windows if day.weekday() in window.days)
    return tuple(_joined(sorted(span for span in spans if span[0] < span[1])))


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for start, end in spans:
        if current is not None and start <= current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


_LEADS = ("lead_full", "lead_partial", "lead_none")
_KEYS = ("zone", "windows", *_LEADS, "emergency_hours", "country", "days_off", "working_days", "known_until", "consent")


def from_mapping(data: Mapping[str, Any], *, zone: str = "UTC") -> Regulation:
    """Read a contract's regulation; `zone` is the customer's, for one that names none. Empty: no regulation at all.

    Keys: `zone`, `windows` (each `days` such as `[sat, sun]` or `mon-fri`, `from` and `to` as `HH:MM`, `24:00` allowed),
    `lead_full`, `lead_partial`, `lead_none` (working days), `emergency_hours`, `country`, and changes of its calendar:
    `days_off`, `working_days` (dates), `known_until`; `consent` (`by` whom, to which `updates`: `all` or `stopping`). Raises `InvalidRegulationError`, `UnknownZoneError`.
    """
    if not data:
        return NO_REGULATION
    unknown = sorted(str(key) for key in data if key not in _KEYS)
    if unknown:
        raise _invalid(unknown[0], "is no part of a regulation", f"Use {', '.join(_KEYS)}.")
    named = str(data.get("zone") or zone)
    zone_named(named)
    windows = data.get("windows") or []
    if not isinstance(windows, list | tuple):
        raise _invalid("windows", "is no list", "Write a list of windows with days, from and to.")
    country = data.get("country") or None
    if country is not None and not isinstance(country, str):
        raise _invalid("country", "is no name", "Write RU, in quotes where YAML reads a word such as NO differently.")
    return Regulation(
        zone=named,
        windows=tuple(_window(one, where=f"windows.{n}") for n, one in enumerate(windows)),
        **{key: _number(data, key, default=_DEFAULTS[key], most=MAX_DAYS) for key in _LEADS},
        emergency_hours=_number(
            data, "emergency_hours", default=_DEFAULTS["emergency_hours"], most=MAX_EMERGENCY_HOURS
        ),
        country=country,
        changes=Changes(
            off=frozenset(_dates(data, "days_off")),
            working=frozenset(_dates(data, "working_days")),
            known_until=_date(data["known_until"], "known_until") if data.get("known_until") else None,
        ),
        consent=_consent(data.get("consent")),
    )


_DEFAULTS = {"lead_full": 10, "lead_partial": 5, "lead_none": 2, "emergency_hours": 24}


def checked(regulation: Regulation) -> Regulation:
    """The same, once its calendar is known to exist (which costs the time of loading it). Raises `UnknownCalendarError`."""
    calendar_named(regulation.country)
    return regulation


def to_mapping(regulation: Regulation) -> dict[str, Any]:
    """The regulation as plain data that JSON and YAML can hold; `from_mapping` reads it back."""
    if regulation == NO_REGULATION:
        return {}
    data: dict[str, Any] = {
        "zone": regulation.zone,
        "windows": [_window_data(window) for window in regulation.windows],
        **{key: getattr(regulation, key) for key in (*_LEADS, "emergency_hours")},
        "country": regulation.country,
    }
    changes = regulation.changes
    if changes.off:
        data["days_off"] = [day.isoformat() for day in sorted(changes.off)]
    if changes.working:
        data["working_days"] = [day.isoformat() for day in sorted(changes.working)]
    if changes.known_until:
        data["known_until"] = changes.known_until.isoformat()
    if regulation.consent is not None:
        data["consent"] = consent.to_mapping(regulation.consent)
    return data


def _invalid(where: str, why: str, advice: str) -> InvalidRegulationError:
    return InvalidRegulationError(f"'{where[:60]}' {why}.", advice=advice, field=f"regulation.{where[:60]}")


def _consent(data: object) -> ConsentRule | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise _invalid("consent", "says not who agrees to updates", "Give it by, such as head of operations.")
    try:
        return consent.from_mapping(data)
    except InvalidError as error:
        raise InvalidRegulationError(
            error.detail, advice=error.advice, field=f"regulation.consent.{(error.field or '')[:60]}".rstrip(".")
        ) from error


def _number(data: Mapping[str, Any], key: str, *, default: int, most: int) -> int:
    value = data.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _invalid(key, "is no whole number in range", f"Use 0 to {most}.")
    return value


def _dates(data: Mapping[str, Any], key: str) -> list[date]:
    values = data.get(key) or []
    if not isinstance(values, list | tuple):
        raise _invalid(key, "is no list of dates", "Write dates such as 2026-11-05.")
    return [_date(value, key) for value in values]


def _date(value: object, where: str) -> date:
    try:
        return value if type(value) is date else date.fromisoformat(str(value))
    except ValueError as error:
        raise _invalid(where, "holds something that is no date", "Write dates such as 2026-11-05.") from error


def _window(data: object, *, where: str) -> Window:
    if not isinstance(data, Mapping) or set(data) - {"days", "from", "to"}:
        raise _invalid(where, "is no window", "Give it days, from and to.")
    from_, to = _time(data.get("from"), f"{where}.from"), _time(data.get("to"), f"{where}.to")
    if from_ == to and from_ != time(0):
        raise _invalid(where, "begins and ends at the same time", "Write 00:00 to 24:00 for a whole day.")
    return Window(days=_days(data.get("days"), f"{where}.days"), from_=from_, to=to)


def _time(value: object, where: str) -> time:
    """`22:00`; YAML 1.1 reads an unquoted 22:00 as the number of minutes 1320."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value // 60:02}:{value % 60:02}"
    text = str(value)
    try:
        return time(0) if text == "24:00" else datetime.strptime(text, "%H:%M").replace(tzinfo=UTC).time()
    except ValueError as error:
        raise _invalid(where, "is no time of the day", "Write it as 22:00, in quotes.") from error


def _days(value: object, where: str) -> frozenset[int]:
    """`sat`, `mon-fri`, `sat,sun`, or a list of such; none at all means every day."""
    parts = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else None
    if value is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in (piece.strip().lower() for text in parts or [""] for piece in str(text).split(",")):
        first, dash, last = part.partition("-")
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise _invalid(where, "names no days of the week", f"Use {', '.join(WEEKDAYS)} or mon-fri.")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update(day % 7 for day in range(start, end + 1 + (7 if end < start else 0)))
    return frozenset(days)


def _window_data(window: Window) -> dict[str, Any]:
    to = "24:00" if window.to == time(0) else f"{window.to:%H:%M}"
    return {"days": [WEEKDAYS[day] for day in sorted(window.days)], "from": f"{window.from_:%H:%M}", "to": to}
