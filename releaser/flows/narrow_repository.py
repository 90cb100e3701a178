"""A repository as one of several products sees it that share it: only what touches its paths is its own.

The graph stays whole, so that what is in which release is found as ever; commits outside are told without a message, and so
name no ticket, are no pick and no revert, and stand in no changelog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

from releaser.domain.history import OUTSIDE, CommitBatch
from releaser.sources.source import Progress, Repository


def narrow_repository(repository: Repository, paths: Sequence[str]) -> Repository:
    """`repository` with the commits outside of `paths` emptied; the repository itself when there are no paths."""
    return cast("Repository", _Narrowed(repository, tuple(paths))) if paths else repository


class _Narrowed:
    """Passes everything on but the reading of commits."""

    def __init__(self, repository: Repository, paths: tuple[str, ...]) -> None:
        self._repository = repository
        self._paths = paths

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a repository has
        return getattr(self._repository, name)

    def kept(self, name: str) -> bytes | None:
        """What was kept of what these paths tell."""
        return self._repository.kept(self._own(name))

    def keep(self, name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        """Keep it apart from what the whole repository tells."""
        self._repository.keep(self._own(name), pieces)

    def _own(self, name: str) -> str:
        return sha256("\0".join([name, *self._paths]).encode()).hexdigest()[:24]

    def commits(
        self, tips: Iterable[str], *, known: Iterable[str] = (), progress: Progress | None = None
    ) -> Iterator[CommitBatch]:
        """Every commit, those outside the paths without a message."""
        wanted, excluded = list(tips), list(known)
        inside = self._repository.touching(self._paths, wanted, known=excluded)
        for batch in self._repository.commits(wanted, known=excluded, progress=progress):
            messages = [
                message if one in inside else OUTSIDE for one, message in zip(batch.ids, batch.messages, strict=True)
            ]
            yield replace(batch, messages=messages)
