"""What the errors of the databases' drivers mean, said in a person's words.

SQLite is read by its error names, PostgreSQL by its SQLSTATE; only failures to connect have neither and are told by
their text. What does not live here: who raises them (`store.session`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from releaser.errors import ConflictError, InvalidError, OutsideError, ReleaserError


class DatabaseError(OutsideError):
    """The database did not take or give the data; nothing of the transaction was kept."""


class WriteConflictError(ConflictError):
    """What was to be written is there already, or belongs to something that is gone."""


class UnstorableError(InvalidError):
    """A value that no column can hold: too long, too large, or no valid text."""


# error name or SQLSTATE (its beginning) -> permanent, what is so, what to do
_FAULTS = {
    "SQLITE_BUSY": (False, "The database is locked by another process.", "Try again; one process writes at a time."),
    "SQLITE_LOCKED": (False, "The database is locked by another process.", "Try again; one process writes at a time."),
    "SQLITE_READONLY": (True, "The database is read-only.", "Make the file and its folder writable for this user."),
    "SQLITE_FULL": (False, "The disk of the database is full.", "Free space on it; nothing was half written."),
    "SQLITE_IOERR": (False, "The disk of the database failed.", "Check the disk and its free space."),
    "SQLITE_CANTOPEN": (True, "The database file cannot be opened.", "Check that its folder exists and is writable."),
    "SQLITE_PERM": (True, "The database file cannot be opened.", "Check that this user may read and write it."),
    "SQLITE_NOTADB": (True, "The file is no SQLite database.", "Name another file in RELEASER_DATABASE_URL."),
    "SQLITE_CORRUPT": (True, "The database is damaged.", "Stop the service and restore a backup: `releaser restore`."),
    "no such table": (True, "The database has no tables yet.", "Run `releaser serve` or any writing command once."),
    "42P01": (True, "The database has no tables yet.", "Run `releaser serve` or any writing command once."),
    "55P03": (False, "Another process has been writing to the database for too long.", "Try again."),
    "40": (False, "The database gave this transaction up for another one.", "Try again."),
    "25P03": (False, "The database gave this transaction up: nothing was heard of it for too long.", "Try again."),
    "25006": (True, "The database is read-only.", "Name the primary server in RELEASER_DATABASE_URL."),
    "53100": (False, "The disk of the database is full.", "Free space on it; nothing was half written."),
    "53300": (False, "The database server has no connection left.", "Raise its max_connections, or stop a process."),
    "57": (False, "The database server is stopping or starting.", "Try again in a moment."),
    "08": (False, "The connection to the database broke off.", "Check the server and the network; try again."),
    "28": (True, "The database server does not let us in.", "Check user and password in RELEASER_DATABASE_URL."),
    "3D": (True, "The database server has no such database.", "Create it, or correct RELEASER_DATABASE_URL."),
    "42501": (True, "The database's user may not do that.", "Make it the owner of the database."),
}
# What libpq says when there is no connection, and so no SQLSTATE.
_CONNECTING = (
    ("password authentication failed", "28"),
    ("no password supplied", "28"),
    ("does not exist", "3D"),
    ("too many clients", "53300"),
    ("the database system is", "57"),
)


@contextmanager
def translated(*, writes: bool = True) -> Iterator[None]:
    """Let driver's errors leave as ours; what is a fault of this program leaves as it is."""
    try:
        yield
    except PoolTimeoutError as error:
        raise busy() from error
    except (OverflowError, UnicodeEncodeError) as error:
        # SQLite's driver refuses such values itself, in Python's own words.
        raise _unstorable() from error
    except (StatementError, sqlite3.Error) as error:
        if meant := _meaning(error, writes=writes):
            raise meant from error
        raise


def busy() -> DatabaseError:
    """Waited too long for a turn in this process."""
    return DatabaseError(
        "The database is busy: too much is being written or read at once.", permanent=False, advice="Try again."
    )


def _unstorable() -> UnstorableError:
    return UnstorableError(
        "A value cannot be stored: it is too long, too large, or no valid text.", advice="Correct the input."
    )


def _meaning(error: StatementError | sqlite3.Error, *, writes: bool) -> ReleaserError | None:
    if isinstance(error, sqlite3.Error):
        return _fault(_sign(error))
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error, IntegrityError):
        return WriteConflictError(
            "Something of the same name or number is there already, or what it belongs to is gone.",
            advice="Look at what is there now, and try again if it still makes sense.",
            constraint=_constraint(error.orig),
        )
    if isinstance(error, DataError):
        return _unstorable()
    sign = _sign(error.orig)
    if not writes and sign in {"SQLITE_READONLY", "25006"}:
        return None  # written inside `reading()`: a fault of ours
    if fault := _fault(sign):
        return fault
    if isinstance(error, OperationalError | InterfaceError) and not isinstance(error.orig, sqlite3.Error):
        reason = " ".join(str(error.orig).split())[:300]
        return DatabaseError(
            f"The database server failed or cannot be reached: {reason}.",
            permanent=False,
            advice="Check that it runs, and RELEASER_DATABASE_URL.",
        )
    return None


def _fault(sign: str) -> DatabaseError | None:
    for start, (permanent, detail, advice) in _FAULTS.items():
        if sign.startswith(start):
            return DatabaseError(detail, permanent=permanent, advice=advice)
    return None


def _sign(orig: BaseException | None) -> str:
    """SQLite's error name or PostgreSQL's SQLSTATE; empty when there is neither."""
    if isinstance(orig, sqlite3.Error):
        name = getattr(orig, "sqlite_errorname", "")
        return "no such table" if "no such table" in str(orig) else name
    if state := getattr(orig, "sqlstate", None):
        return str(state)
    text = str(orig).lower()
    return next((sign for words, sign in _CONNECTING if words in text), "")


def _constraint(orig: BaseException | None) -> str:
    """The name of the constraint that said no, or what SQLite tells instead: `table.column`."""
    named = getattr(getattr(orig, "diag", None), "constraint_name", None)
    return str(named) if named else str(orig).partition(": ")[2]
