"""A product's trains with the numbers they give, as seen at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from releaser.domain.train.numbers import Cut, late_until, numbered, train_of_cut, versions_given
from releaser.domain.train.timetable import PREVIEW, around, coming, left, train_named
from releaser.domain.train.train import Decisions, Rhythm, Train, train_at
from releaser.domain.version import Scheme, Version, next_stable


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """What is known of a product's trains at `now`. `versions` are all numbers ever given, burned ones too."""

    rhythm: Rhythm
    decisions: Decisions
    cuts: Sequence[Cut]
    versions: Sequence[Version]
    scheme: Scheme
    now: datetime

    @cached_property
    def given(self) -> Mapping[date, str]:
        """Slot -> the stable release that was cut for its train."""
        return versions_given(self.rhythm, self.cuts, now=self.now)

    def coming(self, count: int = PREVIEW) -> tuple[Train, ...]:
        """The next trains, with the numbers they are expected to give."""
        found = coming(self.rhythm, self.decisions, now=self.now, count=count)
        late = self._late()
        return self._numbered((*late, *found))[len(late) :]

    @cached_property
    def late(self) -> Train | None:
        """The train that left without a stable whose cut may still come, with the number it would give."""
        return next(iter(self._numbered(self._late())), None)

    @cached_property
    def late_until(self) -> datetime | None:
        """Until when the late train's stable may be cut."""
        return self._until(self.late) if self.late is not None else None

    def left(self, count: int) -> tuple[Train, ...]:
        """The last trains that left, with the numbers they gave; one whose cut may still come late has the next number."""
        known = {late.slot_on: late} if (late := self.late) is not None else {}
        found = left(self.rhythm, self.decisions, now=self.now, count=count)
        return tuple(known.get(one.slot_on) or self._given(one) for one in found)

    def named(self, named: str) -> Train:
        """The train a person means; `current` is the one that a cut made now leaves with. Raises `TrainNotFoundError`."""
        if named == "current" and (train := self.of_cut) is not None:
            return train
        return train_named(self.rhythm, self.decisions, named, now=self.now)

    def at(self, slot_on: date) -> Train | None:
        """The train of a slot, None when the rhythm has no such slot."""
        return train_at(self.rhythm, slot_on, self.decisions) if self.rhythm.has(slot_on) else None

    @cached_property
    def of_cut(self) -> Train | None:
        """The current train everywhere: the one that a stable cut made now leaves with; None while the first is far away."""
        return train_of_cut(self.rhythm, self.decisions, taken=self.given.keys(), now=self.now)

    def after(self, train: Train) -> Train | None:
        """The next train that runs after one."""
        found = around(self.rhythm, self.decisions, now=train.departs_at, after=2)
        return next((one for one in found if one.departs_at > train.departs_at and not one.skipped), None)

    def is_over(self, train: Train) -> bool:
        """Whether nothing can be added to a train any more: it was skipped, or left and it is too late to cut for it."""
        return train.skipped or self.now >= self._until(train)

    def _until(self, train: Train) -> datetime:
        """Until when a train's stable may be cut: at the latest until the following leaves."""
        until, following = late_until(self.rhythm, train), self.after(train)
        return min(until, following.departs_at) if following is not None else until

    @cached_property
    def slots(self) -> Mapping[str, date]:
        """Version -> the slot of the train that gave it or is expected to."""
        expected = {one.expected: one.slot_on for one in (*self.coming(), *self.left(1)) if one.expected}
        return {**expected, **{version: slot_on for slot_on, version in self.given.items()}}

    def version_of(self, slot_on: date | None) -> str | None:
        """The number that the train of a slot gave or is expected to give, as far as it is known."""
        return next((version for version, slot in self.slots.items() if slot == slot_on), None)

    @cached_property
    def _newest(self) -> Sequence[Version]:
        """The versions of the newest line: older ones say nothing of the next number."""
        line = max(self.versions).line if self.versions else ""
        return [version for version in self.versions if version.line == line]

    def _late(self) -> tuple[Train, ...]:
        """The train that left without a stable whose cut may still come."""
        train = self.of_cut
        return (train,) if train is not None and train.departs_at <= self.now else ()

    def _given(self, train: Train) -> Train:
        return numbered([train], given=self.given, next_number=lambda: None)[0]

    def _numbered(self, trains: Sequence[Train]) -> tuple[Train, ...]:
        known = list(self._newest)

        def number() -> str:
            known.append(next_stable(known, scheme=self.scheme))
            return known[-1].text

        return numbered(trains, given=self.given, next_number=number, on_day_off=self.rhythm.rules.on_day_off)
