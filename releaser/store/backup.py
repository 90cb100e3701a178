"""Copies of a whole database: made while others work, examined, and put in its place.

SQLite is copied by its own backup interface, as of one moment and without keeping anybody up; PostgreSQL by its client's
`pg_dump`, which must be installed. What does not live here: the file a copy travels in (`store.archive`), and when it is allowed
to replace a database (`flows.restore_database`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import URL

from releaser.errors import RefusedError
from releaser.store import wakes
from releaser.store.archive import BackupFailedError, DamagedBackupError, sync_folder
from releaser.store.faults import translated
from releaser.store.schema import metadata
from releaser.store.session import Database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_DUMP_S = 3600
_ENDINGS = ("", "-wal", "-shm")


class ClientMissingError(RefusedError):
    """PostgreSQL's own programs are needed and not installed here."""


def copy(database: Database, to: Path) -> None:
    """Write a copy of the database as it is at one moment. Raises `DatabaseError`, `ClientMissingError`, `BackupFailedError`."""
    if database.file is None:
        how = ("--format=custom", "--no-owner", "--no-privileges", f"--exclude-table-data={wakes.TABLES}")
        _run(database, "pg_dump", *how, f"--file={to}")
        return
    with (
        translated(),
        closing(sqlite3.connect(f"file:{database.file}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def counts_of(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    with database.reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in metadata.sorted_tables
        }


def examine(file: Path) -> tuple[str, dict[str, int]]:
    """A copy's schema number and its tables' counts, once it was found sound. Raises `DamagedBackupError`."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(3)").fetchall()
            if found != [("ok",)]:
                raise _unsound(f"SQLite finds it damaged: {found[0][0]}")
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                raise _unsound("rows refer to rows that are not there")
            number = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            known = [table for table in metadata.tables if table in names]
            counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in known}  # nosec B608  # noqa: S608 -- our tables' names
    except sqlite3.Error as error:
        raise _unsound(str(error)) from error
    if number is None:
        raise _unsound("it has no schema number")
    return str(number[0]), counts


def _unsound(why: str) -> DamagedBackupError:
    return DamagedBackupError(
        f"The copy in the backup is not sound: {why}.", advice="Use another backup.", field="file"
    )


def replace_sqlite(file: Path, copy: Path, *, stamp: str) -> Path | None:
    """Put a copy (in the same folder) in the database's place; the old one stays beside it. Returns where, None without.

    Nobody uses the database meanwhile. What a crash leaves is the old database or the new one, whole.
    """
    aside = None
    if file.exists():
        # What the old one has not yet moved out of its log; a damaged one keeps its log beside it.
        with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = file.with_name(f"{file.name}.replaced-{stamp}")
        os.link(file, aside)
        for ending in _ENDINGS[1:]:
            with suppress(FileNotFoundError):
                file.with_name(file.name + ending).rename(aside.with_name(aside.name + ending))
    copy.replace(file)
    sync_folder(file.parent)
    return aside


def replace_postgres(database: Database, copy: Path) -> None:
    """Put a dump in the place of whatever the database holds, in one transaction. Raises `BackupFailedError`."""
    _run(
        database,
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--no-privileges",
        "--single-transaction",
        "--exit-on-error",
        str(copy),
    )


def check_dump(file: Path) -> None:
    """Have PostgreSQL's client read a dump's contents, where it is installed. Raises `DamagedBackupError`."""
    if (program := _program("pg_restore")) is None:
        return
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's own program on a file of ours
        [program, "--list", str(file)], check=False, capture_output=True, timeout=_DUMP_S
    )
    if done.returncode:
        raise _unsound(_said(done.stderr))


def _program(name: str) -> str | None:
    """The newest one of Debian's folders, else what is on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[4].zfill(4))
    return str(found[-1]) if found else shutil.which(name)


def _run(database: Database, name: str, *options: str) -> None:
    program = _program(name)
    if program is None:
        raise ClientMissingError(
            f"There is no '{name}' on this machine, which PostgreSQL's own backups are made with.",
            rule="client-missing",
            advice="Install it (Debian: postgresql-client), or use your server's own backups.",
        )
    url: URL = database.engine.url
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    # The password goes by the environment: what stands on a command line can be read by everybody on the machine.
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    try:
        done = subprocess.run(  # noqa: S603 -- PostgreSQL's own program; the address is the administrator's
            [program, f"--dbname={address}", *options],
            check=False,
            capture_output=True,
            timeout=_DUMP_S,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.defpath, "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": name, **secret},
        )
    except subprocess.TimeoutExpired as error:
        raise BackupFailedError(f"'{name}' took longer than an hour.", permanent=False) from error
    if done.returncode:
        raise BackupFailedError(
            f"'{name}' failed: {_said(done.stderr)}.",
            permanent=False,
            advice="Check the server, and the version of its client.",
        )


def _said(output: bytes) -> str:
    return " ".join(output.decode("utf-8", "replace").split())[:300]
