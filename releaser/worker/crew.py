"""Threads that nobody waits for at the end of the process: what they do may be killed at any moment anyway."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from releaser.clock import Clock


class Crew:
    """A fixed number of threads that carry out what is given to them, in order of arrival.

    A pool of the standard library would be waited for when the program ends, for as long as the longest step takes.
    """

    def __init__(self, threads: int, *, name: str, clock: Clock) -> None:
        """`threads` at work at once; they begin with the first piece of work."""
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[Callable[[], object], Future[None]] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        self._begin = threading.Lock()
        self._begun = False

    def submit(self, work: Callable[[], object]) -> Future[None]:
        """Have it carried out; the future is done when it is, and carries what it raised."""
        with self._begin:
            if not self._begun:
                self._begun = True
                for thread in self._threads:
                    thread.start()
        done: Future[None] = Future()
        self._waiting.put((work, done))
        return done

    def end(self, timeout_s: float) -> None:
        """Let the threads go home after what is at hand, and wait so long for it; what has not begun is dropped."""
        while not self._waiting.empty():
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
        for _ in self._threads:
            self._waiting.put(None)
        ends = self._clock.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - self._clock.monotonic()))

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            work, done = given
            if not done.set_running_or_notify_cancel():
                continue
            try:
                work()
            except BaseException as error:  # noqa: BLE001 -- it belongs to who asked for the work
                done.set_exception(error)
            else:
                done.set_result(None)
            del work, done, given
