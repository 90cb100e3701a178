"""Lines: what may be patched onto one, and until when.

A line lives through four phases: *development → maintained → security-only → end of life*. Dates decide, seen from today:

- it is in *development* until its first stable is published;
- from the day after `maintained_until_on` it takes security fixes only;
- from the day after `supported_until_on` its life is over.

A person may state a phase as well; then the line is at least that far. Where a line has no dates of its own, the product's
rule gives them: so many days after its first stable. Days are those of the product's zone.

What does not live here: which commits are on a line (`domain.history`), and who is told of its end (flows).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from releaser.errors import InvalidError

MOST_DAYS = 36_500
"""A century: a rule beyond it is a slip."""
NOTICE_DAYS = (90, 30, 7)
"""The days before the end of a line's support at which its customers are told, where a product does not say others."""


class InvalidSupportError(InvalidError):
    """The dates of a line contradict each other."""


class LinePhase(StrEnum):
    """How far a line is in its life, in order."""

    DEVELOPMENT = "development"
    MAINTAINED = "maintained"
    SECURITY_ONLY = "security-only"
    END_OF_LIFE = "end-of-life"


class LinePolicy(StrEnum):
    """What a patch of the line may hold: anything, or nothing that adds a feature or breaks compatibility."""

    OPEN = "open"
    PATCH_ONLY = "patch-only"


class TicketKind(StrEnum):
    """What a person says a ticket is about; policies and the phase of a line ask it."""

    SECURITY = "security"
    FIX = "fix"
    FEATURE = "feature"


_PHASES = tuple(LinePhase)
SUPPORTED = frozenset({LinePhase.MAINTAINED, LinePhase.SECURITY_ONLY})
"""Phases in which customers can rely on patches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRule:
    """A product's rule: how many days after its first stable a line is maintained, and supported at all. None: no end."""

    maintained_days: int | None = None
    supported_days: int | None = None


NO_RULE = SupportRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What is known of a line's support. `released_on` is the day its first stable was published, None while none is.

    Both dates are last days. `stated` is what a person says of the phase.
    """

    released_on: date | None = None
    stated: LinePhase | None = None
    maintained_until_on: date | None = None
    supported_until_on: date | None = None

    def phase(self, today: date) -> LinePhase:
        """The phase of that day."""
        reached = [LinePhase.DEVELOPMENT if self.released_on is None else LinePhase.MAINTAINED]
        if self.stated is not None:
            reached.append(self.stated)
        if self.maintained_until_on is not None and today > self.maintained_until_on:
            reached.append(LinePhase.SECURITY_ONLY)
        if self.supported_until_on is not None and today > self.supported_until_on:
            reached.append(LinePhase.END_OF_LIFE)
        return max(reached, key=_PHASES.index)

    def by(self, rule: SupportRule) -> Support:
        """The same with the rule's dates where it has none of its own; a date of the rule never passes a stated one."""
        if self.released_on is None:
            return self
        supported = self.supported_until_on or _after(self.released_on, rule.supported_days)
        maintained = self.maintained_until_on or _after(self.released_on, rule.maintained_days)
        if maintained and supported and maintained > supported and self.maintained_until_on is None:
            maintained = None
        return Support(
            released_on=self.released_on,
            stated=self.stated,
            maintained_until_on=maintained,
            supported_until_on=supported,
        )


def _after(day: date, days: int | None) -> date | None:
    return day + timedelta(days=days) if days is not None else None


def checked_support(*, maintained_until_on: date | None, supported_until_on: date | None) -> None:
    """Raises `InvalidSupportError` when maintenance would outlast support."""
    if maintained_until_on and supported_until_on and maintained_until_on > supported_until_on:
        raise InvalidSupportError(
            f"The line would be maintained until {maintained_until_on}, and supported until {supported_until_on} only.",
            advice="Give an end of maintenance that is not after the end of support.",
            field="maintained_until_on",
        )


def notices_due(*, ends_on: date, days_before: Collection[int], told: Collection[int], today: date) -> tuple[int, ...]:
    """Of the days before the end at which customers are told, those that have come and are not told yet, farthest first.

    Nothing is due any more once the end has passed. Several at once are one message: they are not sent in a bunch.
    """
    if today > ends_on:
        return ()
    due = {days for days in days_before if today >= ends_on - timedelta(days=days)}
    return tuple(sorted(due - set(told), reverse=True))
