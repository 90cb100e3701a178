"""Compare the patches of a few commits with those of the commits that may be their copies."""

from __future__ import annotations

from collections.abc import Collection

from releaser.domain.history import History, Pick
from releaser.domain.history.patches import by_patch, doubtful
from releaser.sources.source import PatchReader


def compare_patches(repository: PatchReader, history: History, commits: Collection[int]) -> tuple[Pick, ...]:
    """The picks among these commits, and by or of others, that only equal patches tell. Raises `GitFailedError`."""
    others = doubtful(history, commits)
    found = repository.patch_ids(history.graph.ids[one] for one in (*commits, *others))
    return by_patch(history, commits, others, found)
