"""A backup as one file: a zip of `manifest.json` and one copy of the database, written whole or not at all.

The manifest says what the copy is, its size and hash, the schema's number and how many rows each table has. Rules: nothing
that exists is written over; a file that is not exactly what its manifest says is refused. What does not live here: how the
copy is made and put back (`store.backup`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from releaser.errors import ConflictError, InvalidError, NotFoundError, OutsideError

FORMAT = "releaser-backup/1"
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1 << 20
_CHUNK = 1 << 20


class BackupExistsError(ConflictError):
    """There is a file of that name already."""


class BackupNotFoundError(NotFoundError):
    """There is no such file."""


class DamagedBackupError(InvalidError):
    """The file is no backup, or not what its manifest says."""


class BackupFailedError(OutsideError):
    """The backup could not be written or read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is in a backup. `database` is `sqlite` or `postgresql`, `file` the name of the copy in the archive."""

    made_at: str
    program: str
    database: str
    schema: str
    file: str
    size: int
    sha256: str
    counts: Mapping[str, int]
    format: str = FORMAT

    def facts(self) -> dict[str, Any]:
        """The manifest as plain data."""
        return {**asdict(self), "made_at": datetime.fromisoformat(self.made_at)}


def sha256_of(path: Path) -> str:
    """The file's hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_archive(to: Path, copy: Path, manifest: Manifest) -> None:
    """Write the backup; it is there with all that is in it, or not at all. Raises `BackupExistsError`, `BackupFailedError`."""
    partial = to.with_name(f".{to.name}.partial")
    try:
        with _created(partial) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=2))
            archive.write(copy, manifest.file)
        try:
            os.link(partial, to)
        except FileExistsError as error:
            raise BackupExistsError(f"There is a file '{to}' already.", advice="Choose another name.") from error
        sync_folder(to.parent)
    except OSError as error:
        raise BackupFailedError(
            f"The backup '{to}' cannot be written: {error.strerror}.",
            permanent=False,
            advice="Check the folder and the free space there.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    """A new file that only its owner may read: it holds everything that is known of customers."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """A backup and its manifest. Raises `BackupNotFoundError`, `DamagedBackupError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _manifest(archive)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BackupNotFoundError(
            f"'{path}' cannot be read: {error.strerror}.", advice="Name a file made by `releaser backup`.", field="file"
        ) from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
        raise DamagedBackupError(
            f"'{path}' is no backup: {error}.", advice="Take another backup.", field="file"
        ) from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        info = archive.getinfo(_MANIFEST)
        if info.file_size > _LARGEST_MANIFEST:
            raise _damaged("its manifest is too large")
        data = json.loads(archive.read(info))
        if data["format"] != FORMAT:
            raise _damaged(f"its format is {str(data['format'])[:40]!a}, and {FORMAT} is known")
        manifest = Manifest(**{one.name: data[one.name] for one in fields(Manifest)})
        datetime.fromisoformat(manifest.made_at)
        if not isinstance(manifest.counts, dict) or not isinstance(manifest.schema, str):
            raise _damaged("its manifest is not of the form it says")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged("it has no manifest that can be read") from error
    return manifest


def _damaged(why: str) -> DamagedBackupError:
    return DamagedBackupError(f"The file is no sound backup: {why}.", advice="Take another backup.", field="file")


def extract(archive: zipfile.ZipFile, manifest: Manifest, to: Path) -> None:
    """Write the copy of the database to `to`, exactly as the manifest says. Raises `DamagedBackupError`."""
    try:
        info = archive.getinfo(manifest.file)
    except (KeyError, TypeError) as error:
        raise _damaged("it holds no copy of a database") from error
    if info.file_size != manifest.size:
        raise _damaged(f"the copy has {info.file_size} bytes, and {manifest.size} were written")
    try:
        with archive.open(info) as source, _created(to) as file:
            shutil.copyfileobj(source, file, _CHUNK)
    except OSError as error:
        raise BackupFailedError(
            f"'{to}' cannot be written: {error.strerror}.", permanent=False, advice="Check the free space there."
        ) from error
    if sha256_of(to) != manifest.sha256:
        raise _damaged("the copy is not what was written (its hash differs)")
