"""Blocks: versions that were rolled back, and that are not rolled out again until somebody says that they may be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.store.base import Base
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout


class Block(Base):
    """One block of a version for its line, with the rollout that brought it about; lifted with a reason, never removed."""

    __tablename__ = "blocks"
    __table_args__ = (
        Index(
            "uq_blocks_one_standing",
            "release_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    line: Mapped[str] = mapped_column(String(80))
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(String(200), default="")
    lifted_reason: Mapped[str] = mapped_column(Text, default="")

    release: Mapped[Release] = relationship(lazy="joined", innerjoin=True)


def standing(session: Session, release_id: int) -> Block | None:
    """The block of a release that nobody has lifted, or None."""
    query = select(Block).where(Block.release_id == release_id, Block.lifted_at.is_(None))
    return session.scalars(query).unique().one_or_none()


def of_rollout(session: Session, rollout_id: int) -> Block | None:
    """The block that stands for the version of a rollout, whichever rollout brought it about."""
    query = select(Block).join(Rollout, Rollout.release_id == Block.release_id)
    return session.scalars(query.where(Rollout.id == rollout_id, Block.lifted_at.is_(None))).unique().one_or_none()


def facts(block: Block) -> dict[str, Any]:
    """A block as plain data: the one shape that commands and the API show."""
    return {
        "version": block.release.version,
        "line": block.line,
        "rollout": block.rollout_id,
        "reason": block.reason,
        "at": block.at,
        "lifted_at": block.lifted_at,
        "lifted_by": block.lifted_by,
        "lifted_reason": block.lifted_reason,
    }


def story(session: Session, release_id: int) -> list[dict[str, Any]]:
    """Every block of a release, newest first, lifted ones among them."""
    rows = session.scalars(select(Block).where(Block.release_id == release_id).order_by(Block.id.desc())).unique()
    return [facts(row) for row in rows]
