"""Takes a backup while the service works: one file with a copy as of one moment, and what it holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from releaser import __version__
from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.store.archive import BackupExistsError, Manifest, sha256_of, write_archive
from releaser.store.backup import POSTGRESQL, SQLITE, copy, counts_of, examine
from releaser.store.upgrade import schema_number


class BackupPlaceError(InvalidError):
    """A backup cannot be written there."""


def backup_database(ports: Ports, *, to: Path) -> Facts:
    """Write a backup to the file `to`, or into that folder under a name of its own; tells what is in it.

    Raises `BackupExistsError`, `BackupPlaceError`, `BackupFailedError`, `ClientMissingError`, `DatabaseError`.
    """
    now = ports.clock.now()
    file = to / f"releaser-{now:%Y%m%dT%H%M%SZ}.zip" if to.is_dir() else to
    if not file.parent.is_dir():
        raise BackupPlaceError(f"There is no folder '{file.parent}'.", advice="Make it first.", field="to")
    if file.exists():
        raise BackupExistsError(f"There is a file '{file}' already.", advice="Choose another name.", field="to")
    # Beside the database there is room for a copy of it, and nobody else reads there.
    with tempfile.TemporaryDirectory(dir=ports.home, prefix="backup-") as folder:
        copied = Path(folder) / "database"
        copy(ports.database, copied)
        if ports.database.is_sqlite:
            schema, counts = examine(copied)
        else:
            schema, counts = schema_number(ports.database) or "", counts_of(ports.database)
        manifest = Manifest(
            made_at=now.isoformat(),
            program=__version__,
            database=SQLITE if ports.database.is_sqlite else POSTGRESQL,
            schema=schema,
            file="database.sqlite3" if ports.database.is_sqlite else "database.pgdump",
            size=copied.stat().st_size,
            sha256=sha256_of(copied),
            counts=counts,
        )
        write_archive(file, copied, manifest)
    return {**manifest.facts(), "backup": str(file), "backup_size": file.stat().st_size}
