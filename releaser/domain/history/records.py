"""What a source reads out of a repository: refs and batches of commits, as plain data.

Commits travel as parallel columns of text, not as objects: a large history has hundreds of thousands of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

_LATEST = 253_402_300_799  # the last second of the year 9999


def instant(seconds: int) -> datetime:
    """Seconds since the epoch as an instant; absurd dates, which real commits have, are brought into range."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRef:
    """One tag. `object_id` is what the ref holds; `commit` what it leads to at last, None when that is no commit.

    `tagged_at` is the tagger's date; of a lightweight tag it is None.
    """

    name: str
    object_id: str
    commit: str | None
    tagged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchHead:
    """One branch and its newest commit."""

    name: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """Every tag and branch at one moment. `main` is the default branch's name; `fingerprint` names this very state."""

    tags: tuple[TagRef, ...]
    heads: tuple[BranchHead, ...]
    main: str | None
    fingerprint: str

    def without_tags(self, names: Collection[str]) -> Refs:
        """The same without these tags: a version that was abandoned is no release, though its tag stays."""
        return replace(self, tags=tuple(tag for tag in self.tags if tag.name not in names))

    def with_tags(self, tags: Collection[TagRef]) -> Refs:
        """The same with these tags, which the repository has no more: what they led to was written down."""
        return replace(self, tags=(*self.tags, *tags)) if tags else self


OUTSIDE = "\0"
"""The message of a commit that touches nothing of a product which shares its repository: it only holds the graph together.

No message of git's can be this, because none holds a NUL.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitBatch:
    """Some commits as columns, one entry per commit in each, newest first.

    `parents` are ids joined by blanks; `authored` and `committed` are seconds since the epoch, as text.
    """

    ids: list[str]
    parents: list[str]
    authored: list[str]
    committed: list[str]
    names: list[str]
    mails: list[str]
    messages: list[str]
