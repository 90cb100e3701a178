"""Watching services from outside while they are cut over: a thread for each asks its address every few hundredths of a second.

Rules: the clock of the spans is the monotonic one, so that a jump of the wall clock makes no stop longer or shorter. The more
are watched at once, the more seldom each is asked: all together cost about as much as two. What did not answer when it was
looked at first was away for another reason, and nothing is said of it.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from releaser.clock import Clock
from releaser.targets.probe import Probe, http_probe
from releaser.targets.watch import Seen

EVERY_S = 0.02
"""How fine a stop is measured: a shorter one may not be seen."""
_AT_FULL_PACE = 2
_FIRST_ANSWER_S = 0.5
_LAST_ANSWER_S = 0.5
_LEAST_TIMEOUT_S = 0.25
LONGEST_S = 3600.0


class OutsideWatch:
    """See `releaser.targets.watch.Watch`."""

    def __init__(self, *, clock: Clock, probe: Probe = http_probe) -> None:
        self._clock = clock
        self._probe = probe
        self._lock = threading.Lock()
        self._watched: dict[int, _Watched] = {}

    def begin(self, update_id: int, url: str, *, status: int, timeout_s: float) -> None:
        """Watch, and wait for the first answer, so that what was there before is known."""
        with self._lock:
            there = self._watched.get(update_id)
            if there is not None and there.is_alive():
                return
            watched = _Watched(self, url, status=status, timeout_s=timeout_s)
            self._watched[update_id] = watched
            watched.start()
        watched.asked.wait(_FIRST_ANSWER_S)

    def end(self, update_id: int) -> Seen | None:
        """Wait for a last good answer, and tell what was seen."""
        with self._lock:
            watched = self._watched.get(update_id)
        if watched is None:
            return None
        if watched.is_alive():
            watched.answers.wait(_LAST_ANSWER_S)
        watched.over.set()
        with self._lock:
            self._watched.pop(update_id, None)
        return watched.seen()

    def close(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            for watched in self._watched.values():
                watched.over.set()
            self._watched.clear()

    @property
    def clock(self) -> Clock:
        """Both clocks."""
        return self._clock

    def pause_s(self) -> float:
        """How long each rests between two questions."""
        at_it = sum(watched.is_alive() for watched in tuple(self._watched.values()))
        return EVERY_S * max(1.0, at_it / _AT_FULL_PACE)

    def answered(self, update_id: int) -> bool:
        """See `Watch.answered`."""
        with self._lock:
            watched = self._watched.get(update_id)
        return watched is not None and watched.answered

    def ask(self, url: str, *, status: int, timeout_s: float) -> str:
        """See `Watch.ask`."""
        try:
            answer = self._probe(url, timeout_s=timeout_s)
        except (OSError, ValueError) as error:
            return f"{url} does not answer: {' '.join(str(error).split())[:200] or type(error).__name__}"
        return "" if answer == status else f"{url} answers {answer}, not {status}"


class _Watched(threading.Thread):
    """One service. `asked`: it was asked at least once; `answers`: the last answer was good."""

    def __init__(self, watch: OutsideWatch, url: str, *, status: int, timeout_s: float) -> None:
        super().__init__(name="outside", daemon=True)
        self._watch, self._url, self._status = watch, url, status
        self._timeout_s = timeout_s
        self._slowest_s = 0.0
        self._began_at = watch.clock.now()
        self._began_s = watch.clock.monotonic()
        self._good_s: float | None = None
        self._away_since_s: float | None = None
        self._away_until_s: float | None = None
        self.asked, self.answers, self.over = threading.Event(), threading.Event(), threading.Event()

    def run(self) -> None:
        """Ask until it is over."""
        clock = self._watch.clock
        while not self.over.is_set() and clock.monotonic() < self._began_s + LONGEST_S:
            began = clock.monotonic()
            good = not self._watch.ask(self._url, status=self._status, timeout_s=self._patience_s())
            self._note(began, clock.monotonic(), good=good)
            if not good and self._good_s is None:
                return  # it was away before anything was touched
            self.over.wait(self._watch.pause_s())

    def _patience_s(self) -> float:
        """What hangs is not waited for longer than a few of its usual answers take: each wait makes the measure coarser."""
        if self._good_s is None:
            return self._timeout_s
        return min(self._timeout_s, max(_LEAST_TIMEOUT_S, 4 * self._slowest_s))

    def _note(self, began_s: float, ended_s: float, *, good: bool) -> None:
        if not good:
            if self._away_since_s is None and self._good_s is not None:
                self._away_since_s = self._good_s
            self._away_until_s = None
            self.answers.clear()
        else:
            if self._away_since_s is None:
                self._slowest_s = max(self._slowest_s, ended_s - began_s)
            elif self._away_until_s is None:
                self._away_until_s = ended_s
            self._good_s = ended_s
            self.answers.set()
        self.asked.set()

    @property
    def answered(self) -> bool:
        """Whether there ever was a good answer."""
        return self._good_s is not None

    def seen(self) -> Seen | None:
        """What was seen, by the wall clock as it stood at the beginning."""
        if not self.answers.is_set():
            return None
        return Seen(stopped_at=self._at(self._away_since_s), served_at=self._at(self._away_until_s))

    def _at(self, monotonic_s: float | None) -> datetime | None:
        return None if monotonic_s is None else self._began_at + timedelta(seconds=monotonic_s - self._began_s)
