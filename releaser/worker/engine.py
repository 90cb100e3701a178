"""Who calls the ticks: a port with two implementations, and which of them suits a database.

Rows are the truth, an engine only wakes. On SQLite there is one process, whose loop looks at the rows; on PostgreSQL any number
of processes are woken by jobs. Both promise the same:

- What can be done is begun soon after the rows say so, whoever changed them.
- A tick that fails is tried again; a database that goes away is waited for.
- A process that is killed is replaced: its targets are taken up again.
- After `stop` nothing more is begun.
"""

from __future__ import annotations

from typing import Protocol

from releaser.bell import Bell
from releaser.flows.ports import Ports
from releaser.worker.embedded import EmbeddedEngine


class Engine(Protocol):
    """Runs in threads of its own between `start` and `stop`; cannot be started again."""

    name: str
    """What `releaser doctor` calls it."""

    def start(self) -> None:
        """Free what dead processes of this machine held, then begin."""
        ...

    def stop(self) -> None:
        """Begin nothing more, and let the steps at hand end if they do so in a few seconds; what is left is taken up later."""
        ...


def engine_for(ports: Ports, *, bell: Bell, threads: int, tick_s: float) -> Engine:
    """The engine for the database of `ports`; `bell` is what `ports.wake` rings.

    `threads` is how many targets are worked on at once here, `tick_s` the longest time between two looks.
    """
    if ports.database.is_sqlite:
        return EmbeddedEngine(ports, bell=bell, threads=threads, tick_s=tick_s)
    # Start-up: on SQLite nobody should load the queue, which takes a tenth of a second.
    from releaser.worker.queued import QueuedEngine  # noqa: PLC0415 -- see above

    return QueuedEngine(ports, bell=bell, threads=threads, tick_s=tick_s)
