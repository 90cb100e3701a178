"""What releaser wrote of releases into files of products' repositories, so that it corrects its own texts and nobody else's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.store.base import Base


class WrittenChapter(Base):
    """A text that was to be written for a release on a branch; kept before it is pushed, so that it is known as ours.

    `digest` is the SHA-256 of the text as it stands in the file, with line feeds and nothing around it.
    """

    __tablename__ = "written_chapters"
    __table_args__ = (UniqueConstraint("release_id", "branch", "path", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    branch: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(String(400))
    digest: Mapped[str] = mapped_column(String(64))
    written_at: Mapped[datetime]
    written_by: Mapped[str] = mapped_column(String(200), default="")


def digests(session: Session, release_id: int, *, branch: str) -> frozenset[tuple[str, str]]:
    """`(path, digest)` of every text that was ever written for the release on the branch."""
    query = select(WrittenChapter.path, WrittenChapter.digest).where(
        WrittenChapter.release_id == release_id, WrittenChapter.branch == branch
    )
    return frozenset((row.path, row.digest) for row in session.execute(query))


def branches(session: Session, release_id: int) -> frozenset[str]:
    """The branches that the release's texts were written to."""
    return frozenset(session.scalars(select(WrittenChapter.branch).where(WrittenChapter.release_id == release_id)))


def record(session: Session, release_id: int, *, branch: str, written: dict[str, str], now: datetime, by: str) -> None:
    """Remember texts (path -> digest) before they are pushed; those that are known stay as they are."""
    known = digests(session, release_id, branch=branch)
    for path, digest in written.items():
        if (path, digest) not in known:
            session.add(
                WrittenChapter(
                    release_id=release_id, branch=branch, path=path, digest=digest, written_at=now, written_by=by
                )
            )
    session.flush()
