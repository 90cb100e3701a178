"""What wakes a sleeping loop: a bell that is never missed, however busy the loop was when it rang."""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings, so that a ring between a look and the sleep after it is still heard."""

    def __init__(self) -> None:
        """Start silent."""
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake everybody who waits, and everybody who is about to."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def heard(self) -> int:
        """How often it rang so far; to be taken before the look that precedes `wait`."""
        with self._condition:
            return self._rings

    def wait(self, heard: int, timeout_s: float) -> None:
        """Sleep until it rings once more than `heard`, or for `timeout_s`."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings > heard, timeout_s)
