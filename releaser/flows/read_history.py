"""Read a repository's history and compute what it says; nothing is kept."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from releaser.domain.history import History, HistoryBuilder, Refs
from releaser.domain.ticket import TicketPatterns
from releaser.domain.version import TagFormat
from releaser.sources.source import HistorySource, Progress


def read_history(
    repository: HistorySource,
    refs: Refs,
    *,
    tag_format: TagFormat,
    patterns: TicketPatterns,
    line_branch: str = "{line}",
    progress: Progress | None = None,
) -> History:
    """Everything reachable from `refs`, as it stands now. Raises `GitFailedError`."""
    builder = HistoryBuilder(tag_format=tag_format, patterns=patterns, line_branch=line_branch)
    tips = {tag.commit for tag in refs.tags if tag.commit} | {head.commit for head in refs.heads}
    with _collector_resting():
        for batch in repository.commits(sorted(tips), progress=progress):
            builder.add(batch)
        return builder.finish(refs)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Building makes a million small objects and no cycles: the garbage collector would only look at them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
