"""Puts a backup in the place of the database. Never under a running service, and never over data without `FORCE`.

It takes the database itself instead of ports: nothing may use it, and it may be damaged or not be there at all. What it
replaces stays beside it (SQLite). An older schema is stepped up by the next start.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from releaser.clock import Clock
from releaser.errors import RefusedError
from releaser.flows.ports import Facts
from releaser.flows.verify_backup import check_copy
from releaser.store import installations
from releaser.store.archive import extract, opened
from releaser.store.backup import POSTGRESQL, SQLITE, replace_postgres, replace_sqlite
from releaser.store.in_use import alone
from releaser.store.session import Database
from releaser.store.upgrade import schema_number


class RestoreRefusedError(RefusedError):
    """The backup may not be put there."""


class Over(Enum):
    """Whether a database that is there may be replaced."""

    NOTHING = "nothing"
    ANYTHING = "anything"


def restore_database(database: Database, *, file: Path, over: Over, clock: Clock) -> Facts:
    """Put the backup in place; tells the manifest and where the old database went (`replaced`).

    Raises `DatabaseInUseError`, `RestoreRefusedError` (rules `database-exists`, `other-database`), `BackupNotFoundError`,
    `DamagedBackupError`, `NewerSchemaError`, `BackupFailedError`, `DatabaseError`.
    """
    with opened(file) as (archive, manifest):
        kind = SQLITE if database.is_sqlite else POSTGRESQL
        if manifest.database != kind:
            raise RestoreRefusedError(
                f"The backup is one of {manifest.database}, and the database is {kind}.",
                rule="other-database",
                advice="Name a database of the same kind in RELEASER_DATABASE_URL.",
            )
        folder = database.file.parent if database.file else Path(file).absolute().parent
        folder.mkdir(parents=True, exist_ok=True)
        copied = folder / ".database.restoring"
        with alone(database):
            if over is Over.NOTHING and _is_there(database):
                raise RestoreRefusedError(
                    "There is a database already, and restoring would replace all of it.",
                    rule="database-exists",
                    advice="Take a backup of it first; then use --force.",
                )
            try:
                extract(archive, manifest, copied)
                check_copy(manifest, copied)
                database.close()
                replaced = None
                if database.file:
                    replaced = replace_sqlite(database.file, copied, stamp=f"{clock.now():%Y%m%dT%H%M%SZ}")
                else:
                    replace_postgres(database, copied)
            finally:
                copied.unlink(missing_ok=True)
    with database.transaction() as session:
        installations.begin_generations_anew(session)
    return {**manifest.facts(), "backup": str(file), "replaced": str(replaced) if replaced else None}


def _is_there(database: Database) -> bool:
    if database.file:
        return database.file.exists() and database.file.stat().st_size > 0
    return schema_number(database) is not None
