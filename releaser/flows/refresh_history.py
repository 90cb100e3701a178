"""Read a repository's history: what is kept of it beside the repository is brought up to date with what is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from releaser.domain.history import Delta, History, HistoryBuilder, Index, Refs
from releaser.domain.history.packing import FORMAT, is_worn, pack, pack_tail
from releaser.domain.history.unpacking import unpack
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat
from releaser.flows.rest_collector import rest_collector
from releaser.sources.source import GitFailedError, HistorySource, Progress

_MADE_BY = "1"
"""Names the rules a history is computed by; another one has every history read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How tags, tickets and branches are called; `paths` when the repository is narrowed to them."""

    tag_format: TagFormat
    patterns: TicketPatterns
    line_branch: str = "{line}"
    paths: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Names these rules: what was kept by others is of no use."""
        told = (
            f"{FORMAT} {_MADE_BY}",
            self.tag_format.scheme.value,
            self.tag_format.text,
            self.line_branch,
            *(f"ticket {text}" for text in self.patterns.texts),
            *(f"path {path}" for path in self.paths),
        )
        return sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A history, and what became other since it was read last."""

    history: History
    delta: Delta = field(repr=False)


def refresh_history(
    repository: HistorySource,
    refs: Refs,
    *,
    rules: Rules,
    known: History | None = None,
    with_tickets: bool = False,
    keeping: bool = True,
    progress: Progress | None = None,
) -> Reading:
    """Everything reachable from `refs`, as it stands now. Raises `GitFailedError`.

    What is new is read, on top of `known` where that was read by the same rules, else of what was kept; and then that is kept, unless not `keeping`. `with_tickets` has
    the classes of tickets found and kept too, which only the whole table needs.
    """
    index = known.index if known is not None and known.index.rules == rules.name else None
    if index is None and keeping:
        index = _kept(repository, rules)
    with rest_collector():
        try:
            reading = _read(repository, refs, rules, index, progress)
        except GitFailedError:
            if index is None:
                raise
            # What it was read from last may be gone by now.
            reading = _read(repository, refs, rules, None, progress)
        made = with_tickets and reading.history.index.classes is None
        if made:
            reading.history.index.classify()
        if keeping and (made or not reading.delta.is_empty):
            _keep(repository, rules, reading.history.index)
    return reading


def _kept(repository: HistorySource, rules: Rules) -> Index | None:
    raw = repository.kept(rules.name)
    index = unpack(raw, repository.kept(f"{rules.name}-new")) if raw is not None else None
    return index if index is not None and index.rules == rules.name else None


def _keep(repository: HistorySource, rules: Rules, index: Index) -> None:
    """Write what is new, or all of it where that is much."""
    if is_worn(index):
        repository.keep(rules.name, pack(index))
    else:
        repository.keep(f"{rules.name}-new", pack_tail(index))


def _read(
    repository: HistorySource, refs: Refs, rules: Rules, index: Index | None, progress: Progress | None
) -> Reading:
    builder = HistoryBuilder(
        tag_format=rules.tag_format,
        patterns=rules.patterns,
        line_branch=rules.line_branch,
        rules=rules.name,
        known=index,
        read=repository.messages,
    )
    same = builder.unchanged(refs)
    if same is not None:
        return Reading(history=same, delta=builder.delta)
    tips, excluded = builder.wanted(refs)
    for batch in repository.commits(tips, known=excluded, progress=progress) if tips else ():
        builder.add(batch)
    return Reading(history=builder.finish(refs), delta=builder.delta)
