"""The changelog fragments that came with each release, as they stood in the repository at its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.changelog import Fragment, parse_fragment
from releaser.store.base import Base
from releaser.store.releases import Release


class ReleaseFragment(Base):
    """One fragment that is new in a release; `name` is its file, of which the rest can be told."""

    __tablename__ = "release_fragments"
    __table_args__ = (UniqueConstraint("release_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    name: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)


def keep(session: Session, product_id: int, found: Mapping[str, Iterable[Fragment]]) -> None:
    """Keep the fragments of a product's releases (version -> fragments) in place of all that were kept."""
    ids = {
        row.version: row.id
        for row in session.execute(select(Release.version, Release.id).where(Release.product_id == product_id))
    }
    mine = select(Release.id).where(Release.product_id == product_id).scalar_subquery()
    session.execute(delete(ReleaseFragment).where(ReleaseFragment.release_id.in_(mine)))
    rows = [
        {"release_id": ids[version], "name": one.name, "text": one.text}
        for version, fragments in found.items()
        if version in ids
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
