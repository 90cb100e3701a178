"""Which trains come and which have left, and what a person may make of one.

Trains never overtake each other: one leaves after the one before it and before the one after it, skipped ones aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from releaser.domain.calendar import zone_named
from releaser.domain.train.train import EARLIEST, LATEST, Decision, Decisions, Rhythm, Train, train_at
from releaser.errors import InvalidError, NotFoundError, RefusedError

PREVIEW = 26
"""A year of two-week trains."""
_FAR = 400
_LONGEST_REST = 30


class TrainNotFoundError(NotFoundError):
    """The product has no such train."""


class TrainOrderError(RefusedError):
    """A train would leave before the one before it, or after the one after it."""


def coming(rhythm: Rhythm, decisions: Decisions, *, now: datetime, count: int) -> tuple[Train, ...]:
    """The next `count` trains from `now` on in the order they leave, skipped ones among them."""
    return tuple(one for one in around(rhythm, decisions, now=now, after=count) if one.departs_at > now)[:count]


def left(rhythm: Rhythm, decisions: Decisions, *, now: datetime, count: int) -> tuple[Train, ...]:
    """The last `count` trains that have left by `now`, oldest first, those that would have if not skipped among them."""
    found = [one for one in around(rhythm, decisions, now=now, before=count) if one.departs_at <= now]
    return tuple(found[len(found) - min(count, len(found)) :])


def around(
    rhythm: Rhythm, decisions: Decisions, *, now: datetime, before: int = 0, after: int = 0
) -> tuple[Train, ...]:
    """At least so many trains before and after an instant, as far as there are any, in the order they leave."""
    middle = rhythm.number(now.astimezone(zone_named(rhythm.zone)).date())
    # The calendar moves a train by less than a cadence, or skips all that fall into a long rest; a person may move one
    # farther, so every decided one is looked at.
    decided = {rhythm.number(slot_on) for slot_on in decisions if rhythm.has(slot_on)}
    spare = len(decided) + 2 + _LONGEST_REST // rhythm.cadence_days
    numbers = decided.union(range(max(0, middle - before - spare), middle + after + spare))
    return in_order(train_at(rhythm, rhythm.slot(number), decisions) for number in numbers)


def in_order(trains: Iterable[Train]) -> tuple[Train, ...]:
    """In the order they leave."""
    return tuple(sorted(trains, key=lambda one: (one.departs_at, one.slot_on)))


def train_named(rhythm: Rhythm, decisions: Decisions, named: str, *, now: datetime) -> Train:
    """The train that a person means: by its slot's day, by the day it leaves, or `next`. Raises `TrainNotFoundError`."""
    nearest = coming(rhythm, decisions, now=now, count=PREVIEW)
    running = [one for one in nearest if not one.skipped]
    if named == "next" and running:
        return running[0]
    try:
        day = date.fromisoformat(named)
    except ValueError:
        day = None
    if day is not None and rhythm.has(day) and day <= LATEST:
        return train_at(rhythm, day, decisions)
    for slot_on in (*(one.slot_on for one in nearest), *decisions):
        if rhythm.has(slot_on) and (found := train_at(rhythm, slot_on, decisions)).on == day:
            return found
    raise TrainNotFoundError(
        f"There is no train {named[:40]!a}.",
        advice=f"Name it by its day, such as {', '.join(str(one.slot_on) for one in nearest[:3])}, or say next.",
        field="train",
    )


def decided(rhythm: Rhythm, decisions: Decisions, train: Train, decision: Decision) -> Train:
    """The train as it stands once a person decided so; no other one moves.

    Raises `RefusedError` (rules `train-left`, `train-in-past`), `TrainOrderError`, and `InvalidError` for an absurd day.
    """
    if train.departs_at <= decision.at:
        raise RefusedError(
            f"The train of {train.on} has left.",
            rule="train-left",
            advice="Only trains that are still to come can be shifted, skipped or restored.",
            field="train",
        )
    if decision.on is not None and not EARLIEST <= decision.on <= LATEST:
        raise InvalidError(
            f"{decision.on} is out of range.", advice=f"Use a day from {EARLIEST} to {LATEST}.", field="on"
        )
    after = train_at(rhythm, train.slot_on, {**decisions, train.slot_on: decision})
    if after.skipped:
        return after
    if after.departs_at <= decision.at:
        raise RefusedError(
            f"{after.on} is over: a train cannot leave in the past.",
            rule="train-in-past",
            advice="Name a later day.",
            field="on",
        )
    _check_order(rhythm, decisions, after)
    return after


def _check_order(rhythm: Rhythm, decisions: Decisions, train: Train) -> None:
    """No train overtakes another one that runs, nor leaves on the same day."""
    number = rhythm.number(train.slot_on)
    for step in (-1, 1):
        other = _neighbour(rhythm, decisions, number, step)
        if other is None or (other.on < train.on if step < 0 else train.on < other.on):
            continue
        raise TrainOrderError(
            f"The train of {train.slot_on} cannot leave on {train.on}: "
            f"the {'one before it' if step < 0 else 'next one'}, of {other.slot_on}, leaves on {other.on}.",
            rule="train-order",
            advice=f"Choose a day {'after' if step < 0 else 'before'} {other.on}, or skip one of the two.",
            field="on",
        )


def _neighbour(rhythm: Rhythm, decisions: Decisions, number: int, step: int) -> Train | None:
    """The nearest train that runs, before (-1) or after (1) the one with that number."""
    for near in range(number + step, max(-1, number + step * _FAR), step):
        other = train_at(rhythm, rhythm.slot(near), decisions)
        if not other.skipped:
            return other
    return None
