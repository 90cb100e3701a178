"""Read a repository's history as it stands, for those who do not ask what became other; see `refresh_history`."""

from __future__ import annotations

from releaser.domain.history import History, Refs
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat
from releaser.flows.refresh_history import Rules, refresh_history
from releaser.sources.source import HistorySource, Progress


def read_history(
    repository: HistorySource,
    refs: Refs,
    *,
    tag_format: TagFormat,
    patterns: TicketPatterns,
    line_branch: str = "{line}",
    paths: tuple[str, ...] = (),
    progress: Progress | None = None,
    with_tickets: bool = False,
    keeping: bool = True,
) -> History:
    """Everything reachable from `refs`. It is kept beside the repository for the next time, unless not `keeping`.

    `paths` tell what the repository was narrowed to (`narrow_repository`): what is kept of it is kept apart.

    `with_tickets` for those who ask for the whole table. Raises `GitFailedError`.
    """
    rules = Rules(tag_format=tag_format, patterns=patterns, line_branch=line_branch, paths=paths)
    return refresh_history(
        repository, refs, rules=rules, with_tickets=with_tickets, keeping=keeping, progress=progress
    ).history
