"""Work shared with a second process, for commands that are asked once: Python computes on one core at a time.

The second process is a copy of this one, so nothing has to be handed over but what it makes. It is no more than a help: without
one, or when it dies, this process does everything by itself.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NoReturn, TypeVar

Task = TypeVar("Task")
Sharing = Callable[[Callable[[Task], str], Sequence[Task]], Iterator[str]]
"""Does work at every task, as `map` does."""
_LENGTH = struct.Struct("=Q")


def halved(work: Callable[[Task], str], tasks: Sequence[Task]) -> Iterator[str]:
    """What `work` makes of every task, in their order; the second half of them is done in another process at the same time.

    Only what `work` answers comes back from there, and it must be quiet otherwise. What it raises is raised here.
    """
    middle = (len(tasks) + 1) // 2
    if len(tasks) < 2 or not _is_worth_it():
        yield from map(work, tasks)
        return
    receiving, sending = os.pipe()
    # Copies share memory until somebody writes to it, and the collector writes to everything that it looks at.
    gc.freeze()
    try:
        helper = os.fork()
    except OSError:
        # No room for another process: this one does it alone.
        os.close(receiving)
        os.close(sending)
        gc.unfreeze()
        yield from map(work, tasks)
        return
    if not helper:
        # While it held this end, it would wait for ever for a first process that was killed.
        os.close(receiving)
        _help(work, tasks[middle:], sending)
    os.close(sending)
    try:
        yield from map(work, tasks[:middle])
        with open(receiving, "rb", closefd=False) as pipe:
            made = _received(pipe.read())
    finally:
        os.close(receiving)
        with suppress(ProcessLookupError):
            os.kill(helper, signal.SIGKILL)
        os.waitpid(helper, 0)
        gc.unfreeze()
    yield from made
    yield from map(work, tasks[middle + len(made) :])


def _is_worth_it() -> bool:
    """Whether there is a second core, and a copy of this process would be whole: threads are not copied."""
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _help(work: Callable[[Task], str], tasks: Sequence[Task], sending: int) -> NoReturn:
    """The whole life of the second process. Nothing of the first may run in it: neither handlers, nor what is done at the end."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        made = [work(task).encode("utf-8", "surrogatepass") for task in tasks]
        with open(sending, "wb") as pipe:
            for one in made:
                pipe.write(_LENGTH.pack(len(one)))
                pipe.write(one)
        status = 0
    finally:
        # Whatever went wrong: the other process finds the same, and tells it.
        os._exit(status)


def _received(raw: bytes) -> list[str]:
    """The texts that came whole."""
    found: list[str] = []
    at = 0
    while at + _LENGTH.size <= len(raw):
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if at + length > len(raw):
            break
        found.append(raw[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return found
