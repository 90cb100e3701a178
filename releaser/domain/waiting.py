"""What a prepared target waits for before its cutover, until when it may, and who can end the wait. Pure.

The rule: what is known to last is waited out (a window opens, an announced start comes, a freeze ends), and `wait_for` beyond
it. The deadline begins anew when a target waits for something else, and not because the same thing is told in other words; it
stands still while the rollout is paused, and while
targets of the same rollout get their turn in a window or behind a lock it is not the wait that lasts, but the
queue: then it begins anew with each that ended. Whoever still waits at the deadline ends as *timed out*, which counts as a failure.

What does not live here: what is waited for (`domain.regulation`, `domain.update_freeze`, `flows.notice_gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from releaser.domain.rollout import WaitsFor
from releaser.errors import InvalidError

DEFAULT_WAIT_FOR = timedelta(days=3)
LONGEST_WAIT_FOR = timedelta(days=366)


class InvalidWaitError(InvalidError):
    """Nobody can wait for so long, or so shortly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a cutover waits for now, and until when it is known to have to; None where nobody knows. `told` says it to people.

    `never`: it will not come, so the target is left as it is.
    """

    what: WaitsFor
    until: datetime | None = None
    told: str = ""
    never: bool = False


QUEUED = frozenset({WaitsFor.WINDOW, WaitsFor.LOCK})
"""What a target may wait for because others of its rollout come first."""


def deadline(wait: Wait, *, wait_for: timedelta, now: datetime) -> datetime:
    """Until when a target may wait for this."""
    return max(now, wait.until or now) + wait_for


def prolonged(deadline_at: datetime | None, wait: Wait, *, wait_for: timedelta) -> datetime | None:
    """Until when a target may wait that goes on waiting for the same: longer only where that is known to last longer now."""
    if deadline_at is None or wait.until is None:
        return deadline_at
    return max(deadline_at, wait.until + wait_for)


def last_moment(
    what: WaitsFor | None, deadline_at: datetime | None, *, wait_for: timedelta, progress_at: datetime | None
) -> datetime | None:
    """Until when a target may wait at all; `progress_at` is when a target of the rollout last ended. None: for ever."""
    if deadline_at is None or what not in QUEUED or progress_at is None:
        return deadline_at
    return max(deadline_at, progress_at + wait_for)


def is_over(
    what: WaitsFor, deadline_at: datetime | None, *, now: datetime, wait_for: timedelta, progress_at: datetime | None
) -> bool:
    """Whether a wait lasted too long; `progress_at` is when a target of the rollout last ended."""
    last = last_moment(what, deadline_at, wait_for=wait_for, progress_at=progress_at)
    return last is not None and now >= last


def checked_offline(offline_for: timedelta) -> timedelta:
    """The same, when hosts can be waited for so long. Raises `InvalidWaitError`."""
    if not timedelta(seconds=1) <= offline_for <= LONGEST_WAIT_FOR:
        raise InvalidWaitError(
            "No host is waited for so long, or so shortly.",
            advice="Give a time such as 30s or 12h, at most 366d.",
            field="offline-for",
        )
    return offline_for


def checked_wait(wait_for: timedelta) -> timedelta:
    """The same, when somebody can wait for so long. Raises `InvalidWaitError`."""
    if not timedelta(seconds=1) <= wait_for <= LONGEST_WAIT_FOR:
        raise InvalidWaitError(
            "Nobody can wait for so long, or so shortly.", advice="Give a time such as 3d, at most 366d.", field="wait"
        )
    return wait_for


WHO_MAY: Mapping[WaitsFor, str] = {
    WaitsFor.CONSENT: "somebody records what the customer said: releaser rollout consent",
    WaitsFor.WINDOW: "the contract's window opens by itself",
    WaitsFor.NOTICE: "a release manager announces the notice, or its start comes",
    WaitsFor.FREEZE: "a release manager lifts or overrides the freeze",
    WaitsFor.LOCK: "the other rollout at the customer ends",
    WaitsFor.OFFLINE: "an operator brings the host back",
}
"""Who or what ends each wait, for people."""
