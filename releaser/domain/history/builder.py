"""From batches of commits to a `History`. Batches are looked through while git is still busy with the next ones.

Ask `wanted` what is to be read, `add` what comes, and `finish`.
"""

from __future__ import annotations

from releaser.domain.history.delta import Delta, delta_of
from releaser.domain.history.growth import Naming, grow, tell_again, wanted
from releaser.domain.history.history import History
from releaser.domain.history.index import Index, mark_of
from releaser.domain.history.records import CommitBatch, Refs
from releaser.domain.history.said import Numbers, Said
from releaser.domain.history.texts import Reader
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat


class HistoryBuilder:
    """Takes batches in the order git prints them (newest first), then the refs; answers the history once."""

    def __init__(
        self,
        *,
        tag_format: TagFormat,
        patterns: TicketPatterns,
        line_branch: str = "{line}",
        rules: str = "",
        known: Index | None = None,
        read: Reader | None = None,
    ) -> None:
        """`line_branch` names a line's branch with `{line}`; see `releases.read_heads`.

        `rules` names all of this and whatever else decides what is read; `known` was read by the same, and stays as it is. `read`
        reads messages again that are not at hand.
        """
        self._rules = rules
        self._naming = Naming(tag_format=tag_format, line_branch=line_branch)
        self._patterns = patterns
        self._read = read
        self._known = known
        self._said = Said()
        if known is not None:
            self._said.authors = Numbers(
                zip(known.statements.authors, range(len(known.statements.authors)), strict=True)
            )
            self._said.tickets = dict(known.links.numbers)
        self.delta = Delta(since="", state="", whole=True)
        """The way from what was known, once it is finished."""

    def __len__(self) -> int:
        return len(self._said)

    def unchanged(self, refs: Refs) -> History | None:
        """What is known, if these are the very refs that it was read from; then there is nothing to be read."""
        known = self._known
        if known is None or known.mark != mark_of(refs):
            return None
        self.delta = Delta(since=known.state, state=known.state)
        return History(known, tell_again(known, refs, self._naming), read=self._read)

    def wanted(self, refs: Refs) -> tuple[list[str], list[str]]:
        """What is to be read: everything reachable from the first ids and not from the second."""
        return wanted(self._known or Index.empty(), refs)

    def add(self, batch: CommitBatch) -> None:
        """Take some more commits, all older than or beside those before."""
        self._said.add(batch, self._patterns)

    def finish(self, refs: Refs) -> History:
        """Compute everything. `refs` are the same that the commits were read from; call it once."""
        index = self._known.copy() if self._known is not None else Index.empty(self._rules)
        told, grown = grow(index, self._said, refs, self._naming)
        if self._known is not None:
            self.delta = delta_of(self._known, index, grown, told.releases)
            return History(index, told, read=self._read)
        self.delta = Delta(since="", state=index.state, whole=True)
        return History(index, told, read=self._read, messages=grown.arrived.texts(self._said.messages))
