"""Whether an engine still lives, so that one that hangs holds nobody up for longer than it must.

Rules: once it was silent, the next call first asks for a sign of life, which takes a moment, instead of being silent for a whole
time-out again. What may take minutes (a pull) is done beside; whoever waits for it asks for a sign of life now and then, and leaves
when there is none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Final, TypeVar

from releaser.errors import ReleaserError
from releaser.targets.target import EngineTimeoutError, EngineUnreachableError

SIGN_S: Final = 1.0
"""How long a sign of life may take: an engine that lives gives it in milliseconds."""
LONGEST_PAUSE_S: Final = 2.0
_MISSED: Final = 2
_Done = TypeVar("_Done")


class Pulse:
    """One engine's. `sign` asks for a sign of life and raises `OutsideError` when there is none. Safe to share between threads."""

    def __init__(self, sign: Callable[[], None], *, every_s: float) -> None:
        self._sign = sign
        self._every_s = every_s
        self._silent = False

    def check(self) -> None:
        """Before a call: nothing while all is well. Raises `OutsideError` at once when it is still silent."""
        if self._silent:
            self._sign()
            self._silent = False

    def note(self, fault: Exception) -> None:
        """After a call that failed."""
        if isinstance(fault, EngineTimeoutError):
            self._silent = True

    def beside(self, work: Callable[[], _Done]) -> _Done:
        """What `work` returns or raises. Without signs of life it is left alone, to end by its own time-out, and their fault raised."""
        done: Future[_Done] = Future()
        threading.Thread(target=_carried_out, args=(work, done), name="pull", daemon=True).start()
        missed = 0
        while True:
            try:
                return done.result(timeout=self._every_s)
            except NotYet:
                if done.done():
                    continue
                try:
                    self._sign()
                    missed = 0
                except (EngineTimeoutError, EngineUnreachableError) as fault:
                    missed += 1
                    if missed >= _MISSED:
                        self.note(fault)
                        raise


def _carried_out(work: Callable[[], _Done], done: Future[_Done]) -> None:
    try:
        done.set_result(work())
    except ReleaserError as error:
        done.set_exception(error)
    except BaseException as error:
        done.set_exception(error)
        raise
