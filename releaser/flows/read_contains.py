"""Tell where a commit or a ticket is, from a repository as it is."""

from __future__ import annotations

from typing import Any

from releaser.domain.contains import as_json, whereabouts
from releaser.flows.read_in_place import Habits, read_in_place
from releaser.sources.source import HistorySource, Progress


def read_contains(
    repository: HistorySource, *, query: str, habits: Habits, progress: Progress | None = None
) -> dict[str, Any]:
    """Every release and line that has it, and how, as `domain.contains` tells it.

    Raises `UnknownChangeError`, `AmbiguousCommitError`, and what `read_in_place` raises.
    """
    history = read_in_place(repository, habits=habits, progress=progress)
    return as_json(whereabouts(history, query), history)
