"""Working at a mirror one at a time, and clearing up after who died at it.

git's own locks make the second of two fail instead of wait, so ours stands before them. It ends with its process, but what
git had locked when it was killed stays locked: files ending in `.lock`, which git removes only by itself. So whoever holds our
lock leaves a mark until he is done in order; who finds one clears up first.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "releaser.lock"
PUSHING = "releaser.push.lock"
_WRITING = {b"fetch", b"update-ref", b"symbolic-ref", b"init"}
_PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.05
_PROCESSES = Path("/proc")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time, of all threads and processes, at the refs of a mirror.

    The lock ends with its process, and what is done under it is bounded in time, so nobody waits forever.
    """
    with (folder / LOCK).open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_size:
            clear_up(folder)
            lock.truncate(0)
        lock.write(b"at work\n")
        lock.flush()
        yield
        # Not after an error: what was ended then may have left something behind.
        lock.truncate(0)


@contextmanager
def one_by_one(folder: Path, name: str) -> Iterator[None]:
    """One at a time, where nothing can be left behind."""
    with (folder / name).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clear_up(folder: Path) -> None:
    """Remove the locks of git processes that are gone. One that still works, outliving who began it, is waited for a while."""
    pause = threading.Event()
    for _ in range(round(_PATIENCE_S / _LOOK_EVERY_S)):
        if not _is_written(folder):
            break
        pause.wait(_LOOK_EVERY_S)
    else:
        return
    for left in (*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock")):
        if left.name not in {LOCK, PUSHING}:
            left.unlink(missing_ok=True)


def _is_written(folder: Path) -> bool:
    """Whether a git process writes refs of the mirror; only readers and writers begun by us run on it."""
    asked = os.fsencode(f"--git-dir={folder}")
    for commands in _PROCESSES.glob("[0-9]*/cmdline"):
        try:
            words = commands.read_bytes().split(b"\0")
        except OSError:
            continue
        if asked in words and _WRITING.intersection(words):
            return True
    return False
