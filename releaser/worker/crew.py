"""Threads that nobody waits for at the end of the process: what they do may be killed at any moment anyway."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from releaser.clock import Clock


class _Given(NamedTuple):
    work: Callable[[], object]
    done: Future[None]
    first: bool


class Crew:
    """A fixed number of threads that carry out what is given to them: what goes first, then the others, each in order of arrival.

    A pool of the standard library would be waited for when the program ends, for as long as the longest step takes.
    """

    def __init__(self, threads: int, *, name: str, clock: Clock, kept: int = 0) -> None:
        """`threads` at work at once, and `kept` more for what goes first; they begin with the first piece of work.

        However long the others take, what goes first finds a thread as long as it does not hold that many itself.
        """
        self._clock = clock
        self._changed = threading.Condition()
        self._first: deque[_Given] = deque()
        self._others: deque[_Given] = deque()
        self._most_others, self._others_at_work = threads, 0
        self._begun = self._ended = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads + kept)
        ]

    def submit(self, work: Callable[[], object], *, first: bool = False) -> Future[None]:
        """Have it carried out; the future is done when it is, and carries what it raised."""
        done: Future[None] = Future()
        with self._changed:
            if not self._begun:
                self._begun = True
                for thread in self._threads:
                    thread.start()
            (self._first if first else self._others).append(_Given(work, done, first))
            self._changed.notify()
        return done

    def end(self, timeout_s: float) -> None:
        """Let the threads go home after what is at hand, and wait so long for it; what has not begun is dropped."""
        with self._changed:
            self._ended = True
            self._first.clear()
            self._others.clear()
            self._changed.notify_all()
        ends = self._clock.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - self._clock.monotonic()))

    def _next(self) -> _Given | None:
        """Wait for what may be begun; None at the end."""
        with self._changed:
            while not self._ended:
                if self._first:
                    return self._first.popleft()
                if self._others and self._others_at_work < self._most_others:
                    self._others_at_work += 1
                    return self._others.popleft()
                self._changed.wait()
        return None

    def _work(self) -> None:
        while (given := self._next()) is not None:
            self._carry_out(given.work, given.done)
            if not given.first:
                with self._changed:
                    self._others_at_work -= 1
                    # This thread may go on with what goes first, and another one that rests with these.
                    self._changed.notify()
            del given

    def _carry_out(self, work: Callable[[], object], done: Future[None]) -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- it belongs to who asked for the work
            done.set_exception(error)
        else:
            done.set_result(None)
