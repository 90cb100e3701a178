"""Tells whether a backup is whole and can be restored by this program. It needs no database, so no ports either."""

from __future__ import annotations

import tempfile
from pathlib import Path

from releaser.flows.ports import Facts
from releaser.store.archive import DamagedBackupError, Manifest, extract, opened
from releaser.store.backup import SQLITE, check_dump, examine
from releaser.store.upgrade import check_known


def verify_backup(*, file: Path) -> Facts:
    """Read all of it: hash, size, soundness of the copy, schema and counts; tells the manifest.

    Raises `BackupNotFoundError`, `DamagedBackupError`, `NewerSchemaError`.
    """
    with opened(file) as (archive, manifest), tempfile.TemporaryDirectory(prefix="releaser-") as folder:
        copied = Path(folder) / "database"
        extract(archive, manifest, copied)
        check_copy(manifest, copied)
    return {**manifest.facts(), "backup": str(file), "ok": True}


def check_copy(manifest: Manifest, copied: Path) -> None:
    """Check a copy that was taken out of its backup. Raises `DamagedBackupError`, `NewerSchemaError`."""
    check_known(manifest.schema)
    if manifest.database != SQLITE:
        check_dump(copied)
        return
    schema, counts = examine(copied)
    differing = sorted(
        name for name in counts.keys() | manifest.counts.keys() if counts.get(name) != manifest.counts.get(name)
    )
    if schema != manifest.schema or differing:
        raise DamagedBackupError(
            f"The copy does not hold what the manifest says: {', '.join(differing) or 'another schema'}.",
            advice="Use another backup.",
            field="file",
        )
