"""Freezes: what may still land before a train leaves, and what a cut refuses because of it.

The phases of a train, each some working days before it, at the train's hour:

- *branch point*: from here on the line may have a branch of its own; nothing is refused yet.
- *soft freeze*: only what is planned for the train may land.
- *freeze*: only what has an exception may land: one ticket, approved by a person, with a reason, for a time.
- *thaw*: the train has left, the branch is open again. What the train carries stays frozen.

When an entry landed is told by the branch's head as it was seen at the freeze, never by a date that a commit claims. What
nobody saw in time is *unproved* and treated as too late, until a person states where the branch was.

What does not live here: when a train leaves (`domain.train`), and which commits a cut brings (`domain.history`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releaser.domain.calendar import ONE_DAY, CalendarHorizonError, first_instant_at, zone_named
from releaser.domain.train import Rhythm, Train

GRACE = timedelta(minutes=5)
"""How long after a phase began a look at the branch still tells where it was."""
_FARTHEST = 400


class Phase(StrEnum):
    """How far a train is on its way out."""

    OPEN = "open"
    BRANCH_POINT = "branch_point"
    SOFT_FREEZE = "soft_freeze"
    FREEZE = "freeze"
    THAW = "thaw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """When the phases of one train begin; None for those the product has no rule for, or that are not known yet."""

    branch_point_at: datetime | None = None
    soft_freeze_at: datetime | None = None
    freeze_at: datetime | None = None
    thaw_at: datetime | None = None

    def at(self, now: datetime) -> Phase:
        """The phase at that instant."""
        begun = (
            (Phase.THAW, self.thaw_at),
            (Phase.FREEZE, self.freeze_at),
            (Phase.SOFT_FREEZE, self.soft_freeze_at),
            (Phase.BRANCH_POINT, self.branch_point_at),
        )
        return next((phase for phase, at in begun if at is not None and at <= now), Phase.OPEN)


def phases_of(train: Train, rhythm: Rhythm) -> Phases:
    """When a train's phases begin: working days before it, at its local hour. A skipped or uncertain train has none."""
    if train.skipped or not train.certain:
        return Phases()
    rules = rhythm.rules
    return Phases(
        branch_point_at=_days_before(train, rhythm, rules.branch_point_days),
        soft_freeze_at=_days_before(train, rhythm, rules.soft_freeze_days),
        freeze_at=_days_before(train, rhythm, rules.freeze_days),
        thaw_at=train.departs_at + timedelta(hours=rules.thaw_hours) if rules.phased else None,
    )


def _days_before(train: Train, rhythm: Rhythm, days: int) -> datetime | None:
    """So many working days before a train; the day it leaves does not count. None for none, and where they are not known."""
    if not days:
        return None
    on, calendar = train.on, rhythm.rules.calendar
    try:
        for _ in range(_FARTHEST):
            on -= ONE_DAY
            days -= calendar.is_working(on)
            if not days:
                return first_instant_at(on, rhythm.rules.at, zone=zone_named(rhythm.zone))
    except CalendarHorizonError:  # a person may let a train leave on a day beyond the calendar
        return None
    return None


class Proof(StrEnum):
    """How it is known in which phase an entry landed."""

    SEEN = "seen"
    STATED = "stated"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSeen:
    """A branch's newest commit: from when to when it was seen there, without another one in between."""

    commit: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PointStated:
    """A person's word on where the branch was."""

    commit: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a branch was when a phase began.

    What `commit` contains landed before (None: nothing is known to). What it does not contain landed after, unless the point is
    `UNPROVED`: then that is sure only of what `seen_after` does not contain either.
    """

    at: datetime
    commit: str | None
    proof: Proof
    seen_after: str | None = None


def point_of(at: datetime, seen: Sequence[HeadSeen], stated: PointStated | None) -> Point:
    """Where a branch was at that instant; `seen` is in the order of time.

    A person's word counts first. Else the head seen at that instant, or the first one seen within `GRACE` after it: nobody can
    look at the very instant. Else the point is unproved, between the last head seen before and the first one seen after.
    """
    if stated is not None:
        return Point(at=at, commit=stated.commit, proof=Proof.STATED)
    for head in seen:
        if head.first_at <= at <= head.last_at or at < head.first_at <= at + GRACE:
            return Point(at=at, commit=head.commit, proof=Proof.SEEN)
    before = [head.commit for head in seen if head.last_at < at]
    after = [head.commit for head in seen if head.first_at > at]
    return Point(
        at=at,
        commit=before[-1] if before else None,
        proof=Proof.UNPROVED,
        seen_after=after[0] if after else None,
    )


class Why(StrEnum):
    """Why an entry may not be in a cut."""

    NOT_PLANNED = "not_planned"
    NO_EXCEPTION = "no_exception"
    EXPIRED = "expired"
    NO_TICKET = "no_ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A commit that a cut would bring. `tickets` are those it fixes, or, fixing none, those it refers to.

    `landed` is `OPEN` (in time), `SOFT_FREEZE` or `FREEZE`: the phase in which the branch was first seen with it.
    """

    commit: str
    subject: str
    tickets: tuple[str, ...]
    landed: Phase
    proof: Proof = Proof.SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeException:
    """Leave for one ticket to land in one train after its freeze. It holds from being made until it expires or is revoked."""

    ticket: str
    approver: str
    reason: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether a cut made at `now` may rely on it."""
        return self.made_at <= now < self.expires_at and (self.revoked_at is None or now < self.revoked_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An entry that a cut refuses. `tickets` are those of its tickets that nothing allows; none for `NO_TICKET`."""

    entry: Entry
    why: Why
    tickets: tuple[str, ...]


def frozen(
    entries: Iterable[Entry],
    *,
    exceptions: Collection[FreezeException],
    planned: Collection[str] = (),
    now: datetime,
) -> tuple[Violation, ...]:
    """The entries that may not be in a cut made at `now`, in the order given. The gate before a cut asks this.

    `exceptions` are those of the train that the cut leaves with, `planned` the tickets planned for it. An entry with several
    tickets needs every one of them allowed: an exception names one ticket, and nothing else travels on it. `flows.freeze_state`
    gathers all of it for a product and answers the violations as plain data.
    """
    holding = {one.ticket for one in exceptions if one.holds(now)}
    lapsed = {one.ticket for one in exceptions} - holding
    found = (_violation(entry, holding, lapsed, frozenset(planned)) for entry in entries)
    return tuple(one for one in found if one is not None)


def _violation(
    entry: Entry, holding: Collection[str], lapsed: Collection[str], planned: Collection[str]
) -> Violation | None:
    if entry.landed not in {Phase.SOFT_FREEZE, Phase.FREEZE}:
        return None
    if not entry.tickets:
        return Violation(entry=entry, why=Why.NO_TICKET, tickets=())
    soft = entry.landed is Phase.SOFT_FREEZE
    refused = tuple(key for key in entry.tickets if key not in holding and not (soft and key in planned))
    if not refused:
        return None
    why = Why.EXPIRED if any(key in lapsed for key in refused) else Why.NOT_PLANNED if soft else Why.NO_EXCEPTION
    return Violation(entry=entry, why=why, tickets=refused)
