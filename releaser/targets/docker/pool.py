"""One engine per address, kept while it is used and for a while after. Nothing is called here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from releaser.targets.docker.client import Engine

Kept = TypeVar("Kept", bound=Engine)
_SIZE = 64


@dataclass(slots=True)
class _Entry(Generic[Kept]):
    engine: Kept
    users: int = 0


class Pool(Generic[Kept]):
    """Lends engines. Beyond `size` the one that was idle longest is closed; one that is used never is. Safe to share between threads.

    Closing ends connections, over ssh the tunnel: whoever is in the midst of a pull would lose it, and whoever goes on with an engine
    that was closed opens connections that nobody closes.
    """

    def __init__(self, make: Callable[[str], Kept], *, size: int = _SIZE) -> None:
        self._make = make
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[Kept]] = OrderedDict()

    @contextmanager
    def lent(self, address: str) -> Iterator[Kept]:
        """The engine at an address as `address` tells them, for the time of the block."""
        with self._lock:
            entry = self._entries.get(address)
            if entry is None:
                entry = self._entries[address] = _Entry(self._make(address))
            self._entries.move_to_end(address)
            entry.users += 1
        try:
            yield entry.engine
        finally:
            for engine in self._given_back(address, entry):
                engine.close()

    def close(self) -> None:
        """Close every engine: the idle ones now, one that is used when it is given back. The pool may still be used."""
        with self._lock:
            idle = [entry.engine for entry in self._entries.values() if not entry.users]
            self._entries.clear()
        for engine in idle:
            engine.close()

    def _given_back(self, address: str, entry: _Entry[Kept]) -> list[Kept]:
        """Which engines are to be closed now."""
        with self._lock:
            entry.users -= 1
            if self._entries.get(address) is not entry:
                return [] if entry.users else [entry.engine]
            idle = [one for one, kept in self._entries.items() if not kept.users]
            excess = max(0, len(self._entries) - self._size)
            return [self._entries.pop(one).engine for one in idle[:excess]]
