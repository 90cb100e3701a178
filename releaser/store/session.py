"""Where transactions begin and end: the only `commit()` of the product.

`Database.transaction()` is for writers, `Database.reading()` for readers. No transaction may be open across docker, git, HTTP,
mail or sleep. The promises are the same on both databases:

- Writers come one after the other (SQLite: BEGIN IMMEDIATE; PostgreSQL: one advisory lock per transaction), so that nothing
  a writer read is changed by another before it is done: no update is lost, and no flow has to think of `FOR UPDATE`.
- Who works at one target (`Turn.BESIDE`) reads and writes only what belongs to it, and locks its row first. On PostgreSQL those go
  beside each other, and still never beside a writer.
- A reader sees one moment from its first query on, blocks no writer and is blocked by none, and cannot write.
- What the database's driver raises leaves here as `DatabaseError` (not reachable, full, locked …), `WriteConflictError` (a
  unique or foreign key said no) or `UnstorableError`; only faults of ours leave as they are.

What does not live here: what the errors of the drivers mean (`store.faults`), and the schema (`store.upgrade`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from releaser.clock import SystemClock
from releaser.errors import InvalidError
from releaser.store.faults import DatabaseError, UnstorableError, WriteConflictError, busy, translated

__all__ = ["Database", "DatabaseAddressError", "DatabaseError", "Turn", "UnstorableError", "WriteConflictError"]

WAIT_S = 10
"""How long a writer waits for its turn."""
CONNECT_S = 5
APPLICATION = "releaser"
_SWITCHES = 50
_FRESH_S = 0.2
_CLOCK = SystemClock()


class Turn(StrEnum):
    """Whom a writer's transaction waits for."""

    ALONE = "alone"
    """Everybody else who writes."""
    BESIDE = "beside"
    """Writers of the other kind. Nothing may be read to write something else by it but what belongs to the row locked first."""


_GONE = "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
"""The server looks whether who says nothing is still there: a machine that is gone holds nobody up for longer than this."""
_FROZEN_S = {Turn.ALONE: 30, Turn.BESIDE: 5}
"""Who is there and rests for so long between two statements is frozen; whose target it was at is others' by then."""

WRITERS_LOCK = 0x72656C656173  # "releas": a number nobody else's advisory locks are likely to have
_ADVICE = "Use sqlite:///FILE or postgresql://USER@HOST/NAME."


class DatabaseAddressError(InvalidError):
    """The database URL cannot be understood."""


class Database:
    """One engine and the two ways to use it. `file` is where SQLite keeps it, None on PostgreSQL."""

    def __init__(self, url: str, *, wait_s: float = WAIT_S) -> None:
        """Connect lazily to `url` (SQLite file or PostgreSQL); a writer waits `wait_s` for its turn.

        Raises `DatabaseAddressError`.
        """
        parsed = _parsed(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.file: Path | None = Path(parsed.database or "").absolute() if self.is_sqlite else None
        self.engine: Engine = _sqlite(parsed, wait_s) if self.is_sqlite else _postgresql(parsed, wait_s)
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._local = threading.local()
        self._reader = self.engine.execution_options(writes=False)
        self._writer = self.engine.execution_options(writes=True)
        self._writers = {turn: self.engine.execution_options(writes=True, turn=turn) for turn in Turn}

    @contextmanager
    def transaction(self, turn: Turn = Turn.ALONE) -> Iterator[Session]:
        """A writer's transaction: all of it is kept on leaving, or nothing.

        Raises `DatabaseError`, `WriteConflictError`, `UnstorableError`; RuntimeError inside another transaction.
        """
        writer = self._writers[turn]
        with self._alone(), translated(), Session(writer, expire_on_commit=False) as session:
            # The turn is taken before anything is read.
            session.connection()
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A reader's view of one moment; writing in it fails. Raises `DatabaseError`."""
        with translated(writes=False), Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def reshaping(self) -> Iterator[Connection]:
        """A writer's transaction for changing the schema: SQLite's foreign keys are checked at its end.

        SQLite can change a table only by replacing it, which keys that are checked at once would not allow.
        """
        with self._alone(), translated(), self._writer.connect() as connection:
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    if not isinstance(raw, sqlite3.Connection):
                        # A table whose rows still have triggers to come cannot be changed.
                        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
                    yield connection
                    if isinstance(raw, sqlite3.Connection) and (broken := connection.exec_driver_sql(_BROKEN).all()):
                        message = f"a change of the schema broke foreign keys: {broken[:3]}"
                        raise RuntimeError(message)
            finally:
                if isinstance(raw, sqlite3.Connection):
                    raw.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer of this process at a time: in order of arrival, where SQLite would let them poll for the file."""
        if getattr(self._local, "writes", False):
            message = "a transaction inside a transaction of the same thread would wait for itself"
            raise RuntimeError(message)
        if self.is_sqlite and not self._turn.acquire(timeout=self._wait_s):
            raise busy()
        self._local.writes = True
        try:
            yield
        finally:
            self._local.writes = False
            if self.is_sqlite:
                self._turn.release()

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


_BROKEN = "PRAGMA foreign_key_check"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseAddressError("The database URL cannot be read.", advice=_ADVICE, field="database_url") from error
    kind = parsed.get_backend_name()
    if kind not in {"sqlite", "postgresql"}:
        raise DatabaseAddressError(
            f"The database URL names '{kind[:40]}', which is not supported.", advice=_ADVICE, field="database_url"
        )
    if kind == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise DatabaseAddressError("The database URL names no file.", advice=_ADVICE, field="database_url")
    return parsed.set(drivername="postgresql+psycopg") if kind == "postgresql" else parsed


def _sqlite(url: URL, wait_s: float) -> Engine:
    # A connection is a file handle; who may wait for one is bounded by the threads there are.
    engine = create_engine(url, pool_size=8, max_overflow=-1, connect_args={"timeout": wait_s})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL, wait_s: float) -> Engine:
    idle = "-c idle_in_transaction_session_timeout=300s"
    options = f"-c lock_timeout={round(wait_s * 1000)} {idle} {_GONE} -c timezone=UTC"
    wanted = {"connect_timeout": CONNECT_S, "application_name": APPLICATION, "options": options}
    given = {key: value for key, value in wanted.items() if key not in url.query}
    try:
        # We say BEGIN ourselves; see _begin_postgresql.
        how: dict[str, Any] = {
            "pool_size": 10,
            "max_overflow": 10,
            "pool_timeout": WAIT_S,
            "isolation_level": "AUTOCOMMIT",
        }
        engine = create_engine(url, connect_args=given, **how)
    except (ArgumentError, NoSuchModuleError, TypeError) as error:
        raise DatabaseAddressError(
            f"The database URL is not usable: {error}.", advice=_ADVICE, field="database_url"
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_try_rested, engine.dialect))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = _CLOCK.monotonic()


def _try_rested(dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A server that was started again has forgotten its connections; within `_FRESH_S` it cannot have been."""
    rested_s = _CLOCK.monotonic() - record.info.get("used_at", _CLOCK.monotonic())
    if rested_s < _FRESH_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; see _begin_sqlite
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        _log_ahead(cursor)
    except sqlite3.OperationalError as error:
        # A read-only file cannot change its journal mode; reading it still works.
        if not error.sqlite_errorname.startswith("SQLITE_READONLY"):
            raise
    finally:
        cursor.close()


def _log_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to write-ahead logging. SQLite does not wait for its turn here, so we do."""
    for _ in range(_SWITCHES):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", True)
    if connection.info.get("writes") is not writes:
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        connection.info["writes"] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """One message to the server, where its driver would send the beginning alone."""
    options = connection.get_execution_options()
    if not options.get("writes", True):
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return
    turn = options.get("turn", Turn.ALONE)
    lock = "pg_advisory_xact_lock" if turn is Turn.ALONE else "pg_advisory_xact_lock_shared"
    # READ COMMITTED: what follows the lock sees everything the writers before it kept.
    connection.exec_driver_sql(
        f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT {lock}({WRITERS_LOCK}),"
        f" set_config('idle_in_transaction_session_timeout', '{_FROZEN_S[turn]}s', true)"
    )
