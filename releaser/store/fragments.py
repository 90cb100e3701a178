"""The changelog fragments that came with each release, as they stood in the repository at its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.changelog import Fragment, parse_fragment
from releaser.store.base import Base


class ReleaseFragment(Base):
    """One fragment that is new in a release; `name` is its file, of which the rest can be told."""

    __tablename__ = "release_fragments"
    __table_args__ = (UniqueConstraint("release_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    name: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)


def keep(session: Session, found: Mapping[int, Iterable[Fragment]]) -> None:
    """Keep the fragments of releases (row id -> fragments) in place of what was kept of them."""
    ids = list(found)
    for start in range(0, len(ids), 500):
        session.execute(delete(ReleaseFragment).where(ReleaseFragment.release_id.in_(ids[start : start + 500])))
    rows = [
        {"release_id": release_id, "name": one.name, "text": one.text}
        for release_id, fragments in found.items()
        for one in fragments
    ]
    if rows:
        session.execute(insert(ReleaseFragment), rows)


def of_releases(session: Session, release_ids: Sequence[int]) -> dict[int, list[Fragment]]:
    """Release -> its fragments; releases without any are absent."""
    found: dict[int, list[Fragment]] = {}
    for start in range(0, len(release_ids), 500):
        some = release_ids[start : start + 500]
        query = select(ReleaseFragment).where(ReleaseFragment.release_id.in_(some)).order_by(ReleaseFragment.name)
        for row in session.scalars(query):
            found.setdefault(row.release_id, []).append(parse_fragment(row.name, row.text))
    return found
