"""Tell what is fixed on one line and missing on another, from a repository as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from releaser.domain.backports import as_json, chosen, gaps
from releaser.flows.read_in_place import Habits, read_in_place
from releaser.sources.source import Progress, Repository


def read_backports(
    repository: Repository,
    *,
    lines: Sequence[str] = (),
    habits: Habits,
    most: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The gaps of these lines, or of those that are alive, as `domain.backports` tells them, of `most` tickets of every kind.

    Raises `UnknownPlaceError`, `TooManyGapsError`, and what `read_in_place` raises.
    """
    history = read_in_place(repository, habits=habits, with_tickets=True, progress=progress)
    return as_json(gaps(history, chosen(history, lines)), history, most=most)
