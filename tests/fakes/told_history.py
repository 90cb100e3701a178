"""Histories told commit by commit, without git: ids are made from names, time moves on by a minute each."""

from __future__ import annotations

import hashlib
from datetime import datetime

from releaser.domain.history import BranchHead, CommitBatch, History, HistoryBuilder, Refs, TagRef
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat, parse


def id_of(name: str) -> str:
    """The id of the commit called `name`."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


class Told:
    """`commit` in order of time, then `tag` and `branch`, then `history`. `{name}` in a message becomes that commit's id."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._rows: list[tuple[str, str, int, int, str, str]] = []
        self._tags: list[TagRef] = []
        self._heads: list[BranchHead] = []

    def commit(
        self, name: str, *parents: str, message: str = "", mail: str = "ann@example.org", authored: int | None = None
    ) -> Told:
        """Add a commit; without a message its name is the subject."""
        at = 1_700_000_000 + 60 * len(self._rows)
        text = (message or name).format(**{one: id_of(one) for one in (*self.names, name)})
        wrote = at if authored is None else authored
        self._rows.append((id_of(name), " ".join(map(id_of, parents)), wrote, at, mail, text + "\n"))
        self.names.append(name)
        return self

    def tag(self, version: str, name: str, *, at: datetime | None = None) -> Told:
        """Tag a commit."""
        self._tags.append(TagRef(name=version, object_id=id_of(version), commit=id_of(name), tagged_at=at))
        return self

    def branch(self, branch: str, name: str) -> Told:
        """Point a branch at a commit."""
        self._heads.append(BranchHead(name=branch, commit=id_of(name)))
        return self

    def history(self, *, pattern: str = r"T-\d+", line_branch: str = "{line}", size: int = 3) -> History:
        """The history, read in batches of `size`, newest first."""
        builder = HistoryBuilder(
            tag_format=TagFormat(scheme=Scheme.TWO_PART), patterns=TicketPatterns([pattern]), line_branch=line_branch
        )
        rows = self._rows[::-1]
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            builder.add(
                CommitBatch(
                    ids=[row[0] for row in part],
                    parents=[row[1] for row in part],
                    authored=[str(row[2]) for row in part],
                    committed=[str(row[3]) for row in part],
                    names=["Ann" for _ in part],
                    mails=[row[4] for row in part],
                    messages=[row[5] for row in part],
                )
            )
        refs = Refs(tags=tuple(self._tags), heads=tuple(self._heads), main="main", fingerprint="")
        return builder.finish(refs)

    def told(self, ids: list[int], history: History) -> set[str]:
        """Commits by their names."""
        by_id = {id_of(name): name for name in self.names}
        return {by_id[history.graph.ids[one]] for one in ids}


def standings(told: Told, history: History, version: str) -> dict[str, str]:
    """Commit -> standing in a release."""
    release = history.release(parse(version, scheme=Scheme.TWO_PART))
    if release is None:
        raise AssertionError(version)
    by_id = {id_of(name): name for name in told.names}
    return {by_id[change.commit.id]: change.standing.value for change in history.changes(release)}
