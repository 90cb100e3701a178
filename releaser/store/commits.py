"""What the history says: commits, the releases that hold them, and their tickets, picks and reverts.

Everything here is derived from git and can be read again; what people state (overrides, notes) is kept apart.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Select, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.history import Standing
from releaser.store.base import Base, words
from releaser.store.products import Line
from releaser.store.releases import Release


class Commit(Base):
    """One commit. `release_set` names the set of releases that contain it."""

    __tablename__ = "commits"
    __table_args__ = (UniqueConstraint("product_id", "sha"), Index("ix_commits_product_author", "product_id", "author"))

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    sha: Mapped[str] = mapped_column(String(64))
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


class TicketFix(Base):
    """Where the fix of a ticket is in force: bit n of `bits` (little-endian) is the release of rank n in version order.

    Tickets that no commit fixes are absent; one whose fix was taken back, or is not released, has no bit.
    """

    __tablename__ = "ticket_fixes"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    ticket: Mapped[str] = mapped_column(String(120), primary_key=True)
    bits: Mapped[bytes] = mapped_column(LargeBinary)


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


def counts(session: Session, product_id: int) -> dict[str, int]:
    """How many commits, releases, lines and tickets the history of a product has."""

    def count(query: Select[int]) -> int:
        return session.scalars(query).one()

    return {
        "commits": count(select(func.count()).select_from(Commit).where(Commit.product_id == product_id)),
        "releases": count(select(func.count()).select_from(Release).where(Release.product_id == product_id)),
        "lines": count(select(func.count()).select_from(Line).where(Line.product_id == product_id)),
        "tickets": count(
            select(func.count(func.distinct(TicketCommit.ticket))).where(TicketCommit.product_id == product_id)
        ),
    }
