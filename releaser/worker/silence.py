"""Which hosts did not answer when they were last asked: such a host is asked beside the others' work, by as few as can be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from releaser.domain.target import Assignment, Desired, DriverName, Step, Verdict
from releaser.targets.target import Driver, EngineTimeoutError, EngineUnreachableError

SILENT_AT_ONCE = 8
"""So many silent hosts are asked at once."""
_Answer = TypeVar("_Answer")


class Silence:
    """What one process heard. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent: set[str] = set()
        self._being_asked: set[str] = set()

    def __bool__(self) -> bool:
        """Whether any host is silent: mostly none is, and then nobody has to look where a target stands."""
        return bool(self._silent)

    def __contains__(self, address: object) -> bool:
        return address in self._silent

    def listening(self, drivers: Mapping[DriverName, Driver]) -> dict[DriverName, Driver]:
        """The same drivers; who answers them, and who does not, is heard."""
        return {name: cast("Driver", _Listening(driver, self)) for name, driver in drivers.items()}

    @contextmanager
    def turn(self, address: str) -> Iterator[bool]:
        """Whether it is ours to ask the host, for as long as the block lasts; False while somebody else does."""
        with self._lock:
            mine = address not in self._being_asked
            if mine:
                self._being_asked.add(address)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._being_asked.discard(address)

    def heard(self, address: str, ask: Callable[[], _Answer]) -> _Answer:
        """Ask, and keep whether anybody answered."""
        try:
            answer = ask()
        except (EngineUnreachableError, EngineTimeoutError):
            with self._lock:
                self._silent.add(address)
            raise
        if address in self._silent:
            with self._lock:
                self._silent.discard(address)
        return answer


class _Listening:
    def __init__(self, driver: Driver, silence: Silence) -> None:
        self._driver, self._silence = driver, silence

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        return getattr(self._driver, name)

    def apply(self, step: Step, assignment: Assignment) -> str:
        return self._silence.heard(assignment.address, lambda: self._driver.apply(step, assignment))

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        return self._silence.heard(assignment.address, lambda: self._driver.verify(assignment, wanted=wanted))
