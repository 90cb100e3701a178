"""Tell where a commit or a ticket is, from a repository as it is."""

from __future__ import annotations

from functools import partial
from typing import Any

from releaser.domain.contains import as_json, whereabouts
from releaser.flows.compare_patches import compare_patches
from releaser.flows.read_in_place import Habits, read_in_place
from releaser.sources.source import Progress, Repository


def read_contains(
    repository: Repository, *, query: str, habits: Habits, deep: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Every release and line that has it, and how, as `domain.contains` tells it; `deep` compares patches too.

    Raises `UnknownChangeError`, `AmbiguousCommitError`, and what `read_in_place` raises.
    """
    history = read_in_place(repository, habits=habits, progress=progress)
    comparing = partial(compare_patches, repository, history) if deep else None
    return as_json(whereabouts(history, query, comparing=comparing), history)
