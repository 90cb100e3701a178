"""Freezes of updates: times in which nothing is cut over, for everybody, a product, a customer or one installation. Pure.

Preparing (pulling, checking) goes on, because it touches nothing that serves. A freeze that was lifted holds no longer. An
override lets one rollout through one freeze: somebody stated it, with a reason, and both are kept and shown.

The freeze before a release train, which keeps changes out of a branch, is another thing: `domain.freeze`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from releaser.errors import InvalidError

EARLIEST_YEAR, LATEST_YEAR = 2000, 9000
"""Beyond them an instant of one zone is none in another."""


class InvalidUpdateFreezeError(InvalidError):
    """The freeze cannot be: without a reason, or over before it begins."""


class FreezeScope(StrEnum):
    """What a freeze is for."""

    ALL = "all"
    PRODUCT = "product"
    CUSTOMER = "customer"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a cutover would be: the names of its product, customer and installation."""

    product: str
    customer: str
    installation: str

    def named(self, scope: FreezeScope) -> str:
        """Its name in that scope; of all, none."""
        return "" if scope is FreezeScope.ALL else str(getattr(self, scope.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFreeze:
    """Nothing is cut over from `starts_at` up to `ends_at` wherever `scope` and `name` say. `lifted_at`: ended before its time."""

    id: int
    scope: FreezeScope
    name: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    lifted_at: datetime | None = None

    def ends(self) -> datetime:
        """When it really ends."""
        return min(self.ends_at, self.lifted_at) if self.lifted_at is not None else self.ends_at

    def holds(self, place: Place, *, now: datetime) -> bool:
        """Whether a cutover there has to wait for its end."""
        return self.starts_at <= now < self.ends() and place.named(self.scope) == self.name


def holding(
    freezes: Iterable[UpdateFreeze], place: Place, *, now: datetime, overridden: Collection[int] = ()
) -> UpdateFreeze | None:
    """The freeze that holds a cutover there the longest, those overridden for its rollout aside; None when none does."""
    found = [one for one in freezes if one.id not in overridden and one.holds(place, now=now)]
    return max(found, key=lambda one: (one.ends(), one.id), default=None)


def checked(*, starts_at: datetime, ends_at: datetime, reason: str, now: datetime) -> None:
    """Refuse a freeze that cannot be. Raises `InvalidUpdateFreezeError`."""
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise InvalidUpdateFreezeError(
            "A time of the freeze has no zone.", advice="Write it like 2026-12-24T00:00+03:00.", field="from"
        )
    for at, field in ((starts_at, "from"), (ends_at, "until")):
        if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
            raise InvalidUpdateFreezeError(
                f"A freeze is not in the year {at.year}.",
                advice="Write the time like 2026-12-24T00:00+03:00.",
                field=field,
            )
    if ends_at <= max(starts_at, now):
        raise InvalidUpdateFreezeError(
            f"The freeze would end at {ends_at:%Y-%m-%d %H:%M %Z}, before it begins or before now.",
            advice="Give a later end.",
            field="until",
        )
    if not reason.strip():
        raise InvalidUpdateFreezeError(
            "A freeze needs a reason: it is shown to whoever waits for its end.",
            advice="Give one with --reason.",
            field="reason",
        )
