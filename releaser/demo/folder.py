"""The demonstration's own folder: claimed by one run at a time, wiped only when it is known to be ours.

A marker file says whose folder it is, and its lock says who uses it. The lock is handed on to what is kept for the
run, so that a run after a killed one waits until all of that is gone before anything is wiped.

What does not live here: what the folder is filled with (`stage`).
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from releaser.demo.engine import PrivateEngine
from releaser.errors import ConflictError, OutsideError
from releaser.process import is_dead, this_process

MARKER = "MADE-BY-THE-DEMO"
TOLD = "Everything in this folder was made by `make demo` and is deleted when it is run again.\n"


class NotOurFolderError(ConflictError):
    """The folder holds something that the demonstration did not make."""


class FolderBusyError(ConflictError):
    """Another demonstration uses the folder."""


class FolderError(OutsideError):
    """The folder cannot be made or written to."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A claimed folder, empty but for its marker. `lock` keeps it claimed for every process that has it open."""

    path: Path
    lock: IO[str]

    @property
    def engine(self) -> Path:
        return self.path / "engine"

    @property
    def registry(self) -> Path:
        return self.path / "registry"

    @property
    def repository(self) -> Path:
        return self.path / "repository"

    @property
    def mail(self) -> Path:
        return self.path / "mail"

    @property
    def declared(self) -> Path:
        return self.path / "declared"

    @property
    def home(self) -> Path:
        """The service's own folder: database, mirrors, changelogs."""
        return self.path / "home"


@contextlib.contextmanager
def claimed(path: Path, *, free_within_s: float = 20) -> Iterator[Folder]:
    """Claim and empty the folder; given back on leaving, with what was put into it.

    What a killed run left there and on the machine is removed first. Raises NotOurFolderError, FolderBusyError where
    another run uses it, and FolderError.
    """
    path = path.absolute()
    try:
        _check_ours(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / MARKER).open("a+", encoding="utf-8")
    except OSError as error:
        raise FolderError(f"The folder {path} cannot be used: {error.strerror}.", permanent=True) from error
    engine = PrivateEngine(path / "engine")
    with lock:
        _take(lock, path, within_s=free_within_s)
        engine.recover()
        _wipe(path)
        lock.truncate(0)
        lock.write(f"{TOLD}{this_process()}\n")
        lock.flush()
        try:
            yield Folder(path, lock)
        finally:
            lock.close()
            _wait_for_the_last(engine, path, within_s=free_within_s)


def _wait_for_the_last(engine: PrivateEngine, path: Path, *, within_s: float) -> None:
    """What was interrupted while it was being started ends by itself: wait for that, so that really all of it is gone."""
    engine.recover()
    with (path / MARKER).open(encoding="utf-8") as again:
        until = time.monotonic() + within_s
        while not _locked(again) and time.monotonic() < until:
            time.sleep(0.05)


def _check_ours(path: Path) -> None:
    if path.is_dir() and any(path.iterdir()) and not (path / MARKER).is_file():
        raise NotOurFolderError(
            f"The folder {path} holds something that the demonstration did not make, so it is left alone.",
            advice="Move it away, or name another folder with --folder.",
        )


def _take(lock: IO[str], path: Path, *, within_s: float) -> None:
    """Lock the folder; wait only for what a run that has ended left running."""
    until = time.monotonic() + within_s
    while not _locked(lock):
        lock.seek(0)
        owner = lock.read().removeprefix(TOLD).strip()
        if not is_dead(owner) or time.monotonic() > until:
            raise FolderBusyError(
                f"Another demonstration runs in {path}.", advice="End it first, or name another folder with --folder."
            )
        time.sleep(0.05)


def _locked(file: IO[str]) -> bool:
    """Whether the lock could be taken."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wipe(path: Path) -> None:
    for found in path.iterdir():
        if found.name == MARKER:
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
