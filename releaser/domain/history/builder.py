"""From batches of commits to a `History`. Batches are looked through while git is still busy with the next ones.

Ask `wanted` what is to be read, `add` what comes, and `finish`.
"""

from __future__ import annotations

from releaser.domain.history.delta import Delta, delta_of
from releaser.domain.history.growth import Naming, grow, wanted
from releaser.domain.history.history import History
from releaser.domain.history.index import Index
from releaser.domain.history.records import CommitBatch, Refs
from releaser.domain.history.said import Said
from releaser.domain.history.texts import Reader
from releaser.domain.ticket import TicketPatterns
from releaser.domain.version import TagFormat


class HistoryBuilder:
    """Takes batches in the order git prints them (newest first), then the refs; answers the history once."""

    def __init__(
        self,
        *,
        tag_format: TagFormat,
        patterns: TicketPatterns,
        line_branch: str = "{line}",
        known: Index | None = None,
        read: Reader | None = None,
    ) -> None:
        """`line_branch` names a line's branch with `{line}`; see `releases.read_heads`. `known` stays as it is.

        `read` reads messages again that are not at hand.
        """
        self._naming = Naming(tag_format=tag_format, line_branch=line_branch)
        self._patterns = patterns
        self._read = read
        self._index = known.copy() if known is not None else Index.empty()
        self._known = known
        authors = {pair: number for number, pair in enumerate(self._index.statements.authors)}
        self._said = Said(authors=authors, tickets=self._index.links.numbers)
        self.delta = Delta(since="", state="", whole=True)
        """The way from what was known, once it is finished."""

    def __len__(self) -> int:
        return len(self._said)

    def wanted(self, refs: Refs) -> tuple[list[str], list[str]]:
        """What is to be read: everything reachable from the first ids and not from the second."""
        return wanted(self._index, refs)

    def add(self, batch: CommitBatch) -> None:
        """Take some more commits, all older than or beside those before."""
        self._said.add(batch, self._patterns)

    def finish(self, refs: Refs) -> History:
        """Compute everything. `refs` are the same that the commits were read from; call it once."""
        told, grown = grow(self._index, self._said, refs, self._naming)
        state = self._index.state
        if self._known is not None:
            self.delta = delta_of(self._known, self._index, grown, told.releases)
            return History(self._index, told, read=self._read)
        self.delta = Delta(since="", state=state, whole=True)
        return History(self._index, told, read=self._read, messages=grown.arrived.texts(self._said.messages))
