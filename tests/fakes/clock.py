"""A clock that stands until somebody moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Starts at `start` (aware); `sleep` and `advance` move both of its hands. Safe to share between threads."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Set the calendar's hand; the monotonic one stays."""
        self._now = now.astimezone(UTC)

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Return at once, with the clock moved on."""
        self.slept.append(seconds)
        self.advance(timedelta(seconds=seconds))

    def advance(self, length: timedelta) -> None:
        with self._lock:
            self._now += length
            self._monotonic += length.total_seconds()
