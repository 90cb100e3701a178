"""Trains: the dated slots of a product's rhythm, one stable release each.

Rules: the first train's date and every `cadence_days` after it, counted in days and not in hours, so that no change of
clocks moves a train. A product without a first train has no rhythm.

What does not live here: what a train carries, and which working day a train on a day off moves to (`domain.calendar`).
"""

from __future__ import annotations

from datetime import date, timedelta


def next_trains(*, first_on: date | None, cadence_days: int, today: date, count: int) -> tuple[date, ...]:
    """The dates of the next `count` trains from `today` on (a train of today is still to come); none without a rhythm."""
    if first_on is None or cadence_days < 1:
        return ()
    passed = max(0, -((first_on - today).days // cadence_days)) if first_on < today else 0
    cadence = timedelta(days=cadence_days)
    return tuple(first_on + cadence * (passed + number) for number in range(count))


def train_before(*, first_on: date | None, cadence_days: int, today: date) -> date | None:
    """The date of the last train that left before `today`, or None."""
    coming = next_trains(first_on=first_on, cadence_days=cadence_days, today=today, count=1)
    if not coming or first_on is None or coming[0] <= first_on:
        return None
    return coming[0] - timedelta(days=cadence_days)
