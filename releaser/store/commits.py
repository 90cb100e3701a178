"""What the history says: commits, the releases that hold them, and their tickets, picks and reverts.

Everything here is derived from git and can be read again; what people state (overrides, notes) is kept apart.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from releaser.domain.history import Standing
from releaser.store.base import Base, words


class Commit(Base):
    """One commit. `release_set` names the set of releases that contain it.

    `place` is its place in the history at the state that the product names, negative when nothing leads to it any more.
    """

    __tablename__ = "commits"
    __table_args__ = (
        UniqueConstraint("product_id", "sha"),
        Index("ix_commits_product_author", "product_id", "author"),
        Index("ix_commits_product_place", "product_id", "place"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    sha: Mapped[str] = mapped_column(String(64))
    place: Mapped[int]
    author: Mapped[str] = mapped_column(Text)
    authored_at: Mapped[datetime]
    committed_at: Mapped[datetime]
    subject: Mapped[str] = mapped_column(Text)
    release_set: Mapped[int]
    is_merge: Mapped[bool] = mapped_column(default=False)


class ReleaseSet(Base):
    """A distinct set of releases: bit n of `bits` (little-endian) is the release of rank n in version order."""

    __tablename__ = "release_sets"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    bits: Mapped[bytes] = mapped_column(LargeBinary)


class ReleaseCommit(Base):
    """A commit that is new in a release: in it, and not in the previous one; with what a changelog does with it.

    `breaking` is what its message says of the change that breaks something, empty when it says nothing.
    """

    __tablename__ = "release_commits"

    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    commit_id: Mapped[int] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    position: Mapped[int]
    standing: Mapped[Standing] = mapped_column(words(Standing), default=Standing.SHOWN)
    picked_from: Mapped[str] = mapped_column(String(64), default="")
    reverted_by: Mapped[str] = mapped_column(String(64), default="")
    breaking: Mapped[str] = mapped_column(Text, default="")


class TicketCommit(Base):
    """A commit that names a ticket; `relation` is fixes or refs."""

    __tablename__ = "ticket_commits"
    __table_args__ = (Index("ix_ticket_commits_product_key", "product_id", "ticket"),)

    commit_id: Mapped[int] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    ticket: Mapped[str] = mapped_column(String(120), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    relation: Mapped[str] = mapped_column(String(8))


class FixSet(Base):
    """Where fixes are in force: bit n of `bits` (little-endian) is the release of rank n in version order.

    Tickets by the thousand share one; a fix that was taken back, or is not released, has no bit.
    """

    __tablename__ = "fix_sets"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    bits: Mapped[bytes] = mapped_column(LargeBinary)


class TicketFix(Base):
    """Which set tells where the fix of a ticket is in force. Tickets that no commit fixes are absent."""

    __tablename__ = "ticket_fixes"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    ticket: Mapped[str] = mapped_column(String(120), primary_key=True)
    fix_set: Mapped[int]


class Pick(Base):
    """A commit that is a copy of `source` (which may be missing here); `via` is the layer that recognised it."""

    __tablename__ = "picks"

    commit_id: Mapped[int] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    via: Mapped[str] = mapped_column(String(20))


class Revert(Base):
    """A commit that takes `reverted` back."""

    __tablename__ = "reverts"

    commit_id: Mapped[int] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    reverted: Mapped[str] = mapped_column(String(64), primary_key=True)
