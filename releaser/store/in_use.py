"""Who uses a database right now, so that nobody replaces it under them.

On SQLite every process holds a shared lock on `FILE.lock` for as long as it works with the database; the system lets go of it
when the process ends, however it ends. On PostgreSQL the server knows who is connected. Only replacing the whole database asks.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from releaser.errors import RefusedError
from releaser.store.session import APPLICATION, Database


class DatabaseInUseError(RefusedError):
    """Other processes work with the database, or one replaces it."""


@contextmanager
def in_use(database: Database) -> Iterator[None]:
    """Hold the database against being replaced. Raises `DatabaseInUseError` while it is."""
    if database.file is None or (lock := _opened(_lock_file(database.file))) is None:
        yield
        return
    try:
        if not _locked(lock, fcntl.LOCK_SH):
            raise DatabaseInUseError(
                "A backup is being restored into this database.",
                rule="database-in-use",
                advice="Wait until it is done.",
            )
        yield
    finally:
        os.close(lock)


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Keep everybody else away from the database. Raises `DatabaseInUseError` when somebody uses it."""
    if database.file is None:
        _check_nobody_connected(database)
        yield
        return
    lock = os.open(_lock_file(database.file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(lock, fcntl.LOCK_EX):
            raise _used(_holders(lock))
        yield
    finally:
        os.close(lock)


def _lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _opened(file: Path) -> int | None:
    """None where nobody may write: who only reads there needs no lock, for nobody replaces the file either."""
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _locked(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _used(who: str) -> DatabaseInUseError:
    return DatabaseInUseError(
        f"The database is in use{who}.",
        rule="database-in-use",
        advice="Stop the service and every other command first.",
    )


def _holders(lock: int) -> str:
    """Which processes hold locks of that file, where Linux tells."""
    inode = f":{os.fstat(lock).st_ino}"
    try:
        rows = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except OSError:
        return ""
    found = sorted({row[4] for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].endswith(inode)})
    return f" by process {', '.join(found)}" if found else ""


def _check_nobody_connected(database: Database) -> None:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name = :name"
    )
    with database.reading() as session:
        others = session.execute(query, {"name": APPLICATION}).scalar_one()
    if others:
        raise _used(f": {others} other connections are open")
