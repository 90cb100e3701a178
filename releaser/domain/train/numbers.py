"""Which stable release belongs to which train, and the numbers that trains to come will give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from releaser.domain.train.timetable import around, left
from releaser.domain.train.train import DayOff, Decisions, Rhythm, Train


def train_of_cut(rhythm: Rhythm, decisions: Decisions, *, taken: Collection[date], now: datetime) -> Train | None:
    """The train that a stable cut made at `now` leaves with; `taken` are slots whose stable is cut already.

    The next train; but until halfway to it the one that left without a stable, whose cut is late. None while the first train
    is farther away than a cadence.
    """
    return next((one for one in _trains_of_cut(rhythm, decisions, taken, now) if one.slot_on not in taken), None)


def _trains_of_cut(rhythm: Rhythm, decisions: Decisions, taken: Collection[date], now: datetime) -> list[Train]:
    """The trains that a cut may leave with, the nearest first; those that are taken among them, but for the one that left."""
    ahead = sum(slot_on >= now.date() for slot_on in taken)
    running = [one for one in around(rhythm, decisions, now=now, before=2, after=3 + ahead) if not one.skipped]
    before = [one for one in running if one.departs_at <= now][-1:]
    after = [one for one in running if one.departs_at > now]
    if not after or (not before and after[0].departs_at - now > timedelta(days=rhythm.cadence_days)):
        return []
    late = [one for one in before if one.slot_on not in taken and now < late_until(one, after[0])]
    return [*late, *after]


def late_until(train: Train, following: Train) -> datetime:
    """Until when a stable may still be cut for a train that left without one: halfway to the following."""
    return train.departs_at + (following.departs_at - train.departs_at) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A stable release: when it was cut or tagged, and the slot that was written down with it."""

    version: str
    at: datetime
    slot_on: date | None = None


def versions_given(rhythm: Rhythm, decisions: Decisions, cuts: Iterable[Cut]) -> dict[date, str]:
    """Slot -> the stable release that belongs to its train.

    What was cut elsewhere, and so tells no slot, belongs to the nearest train, as long as none came first. Products have
    releases before they have a rhythm: of those only the last can belong to the first train, if it was cut shortly before.
    """
    ordered = sorted(cuts, key=lambda cut: cut.at)
    given = {cut.slot_on: cut.version for cut in ordered if cut.slot_on is not None}
    elsewhere = [cut for cut in ordered if cut.slot_on is None]
    early = [cut for cut in elsewhere if not left(rhythm, decisions, now=cut.at, count=1)]
    for cut in elsewhere:
        if cut not in early or (cut is early[-1] and _is_shortly_before_the_first(rhythm, decisions, cut.at)):
            for train in _trains_of_cut(rhythm, decisions, given.keys(), cut.at)[:1]:
                given.setdefault(train.slot_on, cut.version)
    return given


def _is_shortly_before_the_first(rhythm: Rhythm, decisions: Decisions, at: datetime) -> bool:
    first = next(iter(_trains_of_cut(rhythm, decisions, (), at)), None)
    return first is not None and first.departs_at - at <= timedelta(days=rhythm.cadence_days) / 2


def numbered(
    trains: Sequence[Train],
    *,
    given: Mapping[date, str],
    next_number: Callable[[], str | None],
    on_day_off: DayOff = DayOff.LATER,
) -> tuple[Train, ...]:
    """The trains with the numbers they give: those `given` already, else the next ones in the order they leave.

    A skipped train gives none. Where it is not known whether a train will be skipped, no number after it is known either.
    """
    found: list[Train] = []
    known = True
    for train in trains:
        known = known and (train.certain or on_day_off is not DayOff.SKIP)
        number = given.get(train.slot_on)
        if number is None and known and not train.skipped:
            number = next_number()
        found.append(replace(train, expected=number))
    return tuple(found)
