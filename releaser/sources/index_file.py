"""What is kept beside a repository to be quick the next time, in the folder `releaser` of its git folder.

It can always be made again: so whatever goes wrong here is no error, and deleting the folder is harmless. A file is written
whole under another name and then renamed, so that nobody ever reads half of one, however many processes write.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

MOST_FILES = 8
LARGEST_FILE = 1 << 30
_ENDING = ".index"


class IndexFiles:
    """The files of one repository. `folder` is its git folder, the one that its worktrees share."""

    def __init__(self, folder: Path) -> None:
        self._beside = folder
        self._folder = folder / "releaser"

    def read(self, name: str) -> bytes | None:
        """What was kept under a name; None when there is nothing."""
        path = self._folder / (name + _ENDING)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > LARGEST_FILE:
                    return None
                found = file.read()
        except OSError:
            return None
        # The files that were asked for last are kept longest.
        with contextlib.suppress(OSError):
            os.utime(path)
        return found

    def write(self, name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        """Keep these bytes under a name, if that can be: not in somebody else's repository, nor in one that is read-only."""
        with contextlib.suppress(OSError):
            if not self._is_ours():
                return
            self._folder.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".", suffix=_ENDING, dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.writelines(pieces)
                Path(temporary).replace(self._folder / (name + _ENDING))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            self._forget_old()

    def _is_ours(self) -> bool:
        """Files made in another user's repository would only be in that user's way; and a link may lead anywhere."""
        return self._beside.stat().st_uid == os.geteuid() and not self._folder.is_symlink()

    def _forget_old(self) -> None:
        """Keep the files used last; what was left half written by a killed process goes too, once it is the oldest."""
        files = sorted(self._folder.glob(f"*{_ENDING}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in files[MOST_FILES:]:
            path.unlink(missing_ok=True)
