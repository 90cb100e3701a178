"""Which stable release belongs to which train, and the numbers that trains to come will give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from releaser.domain.calendar import zone_named
from releaser.domain.train.timetable import around
from releaser.domain.train.train import DayOff, Decisions, Rhythm, Train, train_at
from releaser.domain.version import Version


def train_of_cut(rhythm: Rhythm, decisions: Decisions, *, taken: Collection[date], now: datetime) -> Train | None:
    """The current train: the one that a stable cut made at `now` leaves with; `taken` are slots whose stable is there already.

    The next train; but for a while the one that left without a stable, whose cut is late (`late_until`). None while the first
    train is farther away than a cadence.
    """
    ahead = sum(slot_on >= now.date() for slot_on in taken)
    running = [one for one in around(rhythm, decisions, now=now, before=2, after=3 + ahead) if not one.skipped]
    before = [one for one in running if one.departs_at <= now][-1:]
    after = [one for one in running if one.departs_at > now]
    if not after or (not before and _first_at(rhythm, after[0]) - now > timedelta(days=rhythm.cadence_days)):
        return None
    late = [one for one in before if now < late_until(rhythm, one)]
    return next((one for one in (*late, *after) if one.slot_on not in taken), None)


def _first_at(rhythm: Rhythm, train: Train) -> datetime:
    """When the first train leaves or would have: a shift does not make its stable the one of no train."""
    return min(train.departs_at, train_at(rhythm, train.slot_on, {}).departs_at)


def late_until(rhythm: Rhythm, train: Train) -> datetime:
    """Until when a stable may still be cut for a train that left without one: halfway to the following, which must not have left.

    The rhythm and the calendar tell how far that is. What people decide of the following train does not count: a train that
    was too late for a stable would get one again, and every number after it would change.
    """
    slot = train_at(rhythm, train.slot_on, {})
    ahead = around(rhythm, {}, now=slot.departs_at, after=2)
    following = next((one for one in ahead if one.departs_at > slot.departs_at and not one.skipped), None)
    away = following.departs_at - slot.departs_at if following is not None else timedelta(days=rhythm.cadence_days)
    return train.departs_at + away / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A stable release: when it was cut or tagged, and the slot that was written down with it."""

    version: Version
    at: datetime
    slot_on: date | None = None


def versions_given(rhythm: Rhythm, cuts: Iterable[Cut], *, now: datetime) -> dict[date, str]:
    """Slot -> the stable release that belongs to its train.

    What was cut elsewhere, and so tells no slot, belongs to the last train whose day by the rhythm and the calendar had come:
    never to one that is days ahead, and whatever people decide of trains, so that no decision gives a release to another
    train. Of several the highest is the train's. What was there before the first train belongs to none.
    """
    found: dict[date, Version] = {}
    recorded: dict[date, Version] = {}
    for cut in sorted(cuts, key=lambda cut: cut.at):
        if cut.slot_on is not None:
            recorded[cut.slot_on] = cut.version
        # Anybody can write any date into a tag: what is there now was not made later.
        elif (slot_on := _last_slot(rhythm, min(cut.at, now))) is not None:
            found[slot_on] = max(cut.version, found.get(slot_on, cut.version))
    return {slot_on: version.text for slot_on, version in {**found, **recorded}.items()}


def _last_slot(rhythm: Rhythm, at: datetime) -> date | None:
    """The slot of the last train whose day had come, as the rhythm and the calendar have it."""
    today = at.astimezone(zone_named(rhythm.zone)).date()
    come = [one for one in around(rhythm, {}, now=at, before=1, after=1) if one.on <= today and not one.skipped]
    return come[-1].slot_on if come else None


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
        number = None if train.skipped else given.get(train.slot_on)
        if number is None and known and not train.skipped:
            number = next_number()
        found.append(replace(train, expected=number))
    return tuple(found)
