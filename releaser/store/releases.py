"""Releases, the digests their modules resolved to, and their notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias, cast

from sqlalchemy import CursorResult, ForeignKey, Index, String, Text, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.domain.release import CutStep, ReleaseState
from releaser.domain.version import VersionKind, parse
from releaser.errors import NotFoundError
from releaser.store.base import Base, words
from releaser.store.products import Module, Product

FROM_FRAGMENT = "a changelog fragment"
"""Who wrote a note that came with its release as a fragment."""


class ReleaseNotFoundError(NotFoundError):
    """The product has no release of that version."""


class Release(Base):
    """A version made available, or on its way there.

    `version` is the shown form, `version_key` the normalised one that is unique in the product, `sort_key` its rank
    among all of the product's versions (bigger is newer), `rank` its bit in the sets of the last collect, None while that
    read no tag of it. `imported` releases were found in the history. `cut_step`
    is the last durable step of a cut; `tag_object` the id of the tag on the remote, once known. With a `stop_reason` it is
    a required stop: no upgrade may pass it by. With a `one_way_reason` it is not safe to roll back.
    """

    __tablename__ = "releases"
    __table_args__ = (
        UniqueConstraint("product_id", "version_key"),
        Index("ix_releases_product_sort", "product_id", "sort_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    version: Mapped[str] = mapped_column(String(80))
    version_key: Mapped[str] = mapped_column(String(120))
    sort_key: Mapped[int] = mapped_column(default=0)
    rank: Mapped[int | None]
    line: Mapped[str] = mapped_column(String(80), index=True)
    kind: Mapped[VersionKind] = mapped_column(words(VersionKind))
    state: Mapped[ReleaseState] = mapped_column(words(ReleaseState))
    imported: Mapped[bool] = mapped_column(default=False)
    commit: Mapped[str] = mapped_column(String(64), default="")
    branch: Mapped[str] = mapped_column(String(200), default="")
    tag: Mapped[str] = mapped_column(String(200), default="")
    tag_object: Mapped[str] = mapped_column(String(64), default="")
    previous: Mapped[str] = mapped_column(String(80), default="")
    cut_step: Mapped[CutStep | None] = mapped_column(words(CutStep))
    cut_by: Mapped[str] = mapped_column(String(200), default="")
    tagged_at: Mapped[datetime | None]
    cut_at: Mapped[datetime | None]
    promoted_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    yanked_at: Mapped[datetime | None]
    yank_reason: Mapped[str] = mapped_column(Text, default="")
    stop_reason: Mapped[str] = mapped_column(Text, default="")
    stop_by: Mapped[str] = mapped_column(String(200), default="")
    stop_set_at: Mapped[datetime | None]
    one_way_reason: Mapped[str] = mapped_column(Text, default="")
    one_way_by: Mapped[str] = mapped_column(String(200), default="")
    one_way_set_at: Mapped[datetime | None]
    planned_on: Mapped[date | None]

    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    images: Mapped[list[ReleaseImage]] = relationship(back_populates="release")
    notes: Mapped[list[Note]] = relationship(back_populates="release", lazy="select", order_by="Note.id")


class ReleaseImage(Base):
    """What a module's tag resolved to when the candidate was made: `image` (`host/name:tag`) -> `digest`."""

    __tablename__ = "release_images"
    __table_args__ = (UniqueConstraint("release_id", "module_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    module_id: Mapped[int] = mapped_column(ForeignKey("modules.id"))
    image: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(80))
    resolved_at: Mapped[datetime]

    release: Mapped[Release] = relationship(back_populates="images")
    module: Mapped[Module] = relationship(lazy="joined", innerjoin=True)


class Note(Base):
    """One entry of the release notes: ticket x audience x language; `text` is Markdown, never trusted.

    `written_by` is empty for a draft that was made from the history; `is_breaking` is what the history says of its ticket. An empty `text` keeps the ticket out of the notes.
    `corrected_at` is when it was changed last after its release was published.
    """

    __tablename__ = "notes"
    __table_args__ = (UniqueConstraint("release_id", "ticket", "audience", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    ticket: Mapped[str] = mapped_column(String(120), default="")
    section: Mapped[str] = mapped_column(String(40), default="")
    audience: Mapped[str] = mapped_column(String(40), default="customer")
    language: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    needs_action: Mapped[bool] = mapped_column(default=False)
    is_breaking: Mapped[bool] = mapped_column(default=False)
    written_at: Mapped[datetime]
    written_by: Mapped[str] = mapped_column(String(200), default="")
    corrected_at: Mapped[datetime | None]

    release: Mapped[Release] = relationship(back_populates="notes")


Releases: TypeAlias = Sequence[Release]


def get(session: Session, product: Product, version: str) -> Release:
    """The release `version` (any accepted spelling). Raises `InvalidVersionError`, `ReleaseNotFoundError`."""
    parsed = parse(version, scheme=product.scheme)
    release = session.scalars(
        select(Release).where(Release.product_id == product.id, Release.version_key == parsed.key)
    ).one_or_none()
    if release is None:
        newest = session.scalars(
            select(Release.version)
            .where(Release.product_id == product.id, Release.state != ReleaseState.YANKED)
            .order_by(Release.sort_key.desc())
            .limit(3)
        ).all()
        raise ReleaseNotFoundError(
            f"Product '{product.name}' has no release {parsed.text}.",
            advice=f"Its newest: {', '.join(newest)}." if newest else "Run `releaser collect` or cut one first.",
            field="version",
        )
    return release


def find(session: Session, product_id: int, version: str) -> Release | None:
    """The release shown as `version`, or None."""
    query = select(Release).where(Release.product_id == product_id, Release.version == version)
    return session.scalars(query).unique().one_or_none()


def by_id(session: Session, release_id: int) -> Release:
    """The release with that id, which is known to be there."""
    return session.scalars(select(Release).where(Release.id == release_id)).one()


def by_product(
    session: Session, product_id: int, *, limit: int | None = None, offset: int = 0, line: str | None = None
) -> Sequence[Release]:
    """A product's releases, newest number first."""
    query = select(Release).where(Release.product_id == product_id).order_by(Release.sort_key.desc())
    if line is not None:
        query = query.where(Release.line == line)
    return session.scalars(query.limit(limit).offset(offset)).unique().all()


def count(session: Session, product_id: int) -> int:
    """How many releases the product has."""
    return session.scalars(select(func.count()).select_from(Release).where(Release.product_id == product_id)).one()


def in_states(session: Session, product_id: int, *states: ReleaseState) -> Sequence[Release]:
    """A product's releases that are in one of `states`, newest number first."""
    return (
        session.scalars(
            select(Release)
            .where(Release.product_id == product_id, Release.state.in_(states))
            .order_by(Release.sort_key.desc())
        )
        .unique()
        .all()
    )


def step_cut(session: Session, release: Release, *, source: CutStep, to: CutStep, now: datetime) -> bool:
    """Record a step of a cut by compare-and-set; False when somebody else recorded it first."""
    result = cast(
        "CursorResult[Any]",
        session.execute(
            update(Release)
            .where(Release.id == release.id, Release.cut_step == source)
            .values(cut_step=to, cut_at=now)
            .execution_options(synchronize_session=False)
        ),
    )
    if result.rowcount == 1:
        session.refresh(release)
    return result.rowcount == 1


def keep_images(
    session: Session, release: Release, images: Mapping[int, str], digests: Mapping[int, str], *, now: datetime
) -> None:
    """Keep what each module's image resolved to (module id -> digest), in place of what was kept before."""
    session.execute(delete(ReleaseImage).where(ReleaseImage.release_id == release.id))
    for module_id, digest in digests.items():
        session.add(
            ReleaseImage(
                release_id=release.id, module_id=module_id, image=images[module_id], digest=digest, resolved_at=now
            )
        )
    session.flush()
    session.expire(release, ["images"])


def abandoned_tags(session: Session, product_id: int) -> frozenset[str]:
    """Tags of versions that were abandoned: they stay in the repository and are no releases."""
    query = select(Release.tag).where(Release.product_id == product_id, Release.state == ReleaseState.ABANDONED)
    return frozenset(session.scalars(query))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was written down of a release when its tag was read or made."""

    version: str
    tag: str
    tag_object: str
    commit: str
    tagged_at: datetime | None


def recorded(session: Session, product_id: int) -> list[Recorded]:
    """The releases that have a tag: not those that are being cut, nor the abandoned ones."""
    columns = (Release.version, Release.tag, Release.tag_object, Release.commit, Release.tagged_at)
    query = select(*columns).where(
        Release.product_id == product_id,
        Release.state.not_in((ReleaseState.CUTTING, ReleaseState.ABANDONED)),
        Release.tag_object != "",
        Release.commit != "",
    )
    return [
        Recorded(version=row[0], tag=row[1], tag_object=row[2], commit=row[3], tagged_at=row[4])
        for row in session.execute(query)
    ]


def renumber(session: Session, product: Product) -> None:
    """Give every release of the product its rank by version order again."""
    session.flush()
    rows = session.execute(
        select(Release.id, Release.version, Release.sort_key).where(Release.product_id == product.id)
    ).all()
    ranked = sorted(rows, key=lambda row: parse(row.version, scheme=product.scheme))
    moved = [{"id": row.id, "sort_key": rank} for rank, row in enumerate(ranked, start=1) if row.sort_key != rank]
    if moved:
        session.execute(update(Release), moved)
        for known in session.identity_map.values():
            if isinstance(known, Release):
                session.expire(known, ["sort_key"])


def facts(release: Release) -> dict[str, Any]:
    """A release as plain data: the one shape that commands and the API show."""
    return {
        "product": release.product.name,
        "version": release.version,
        "line": release.line,
        "kind": release.kind.value,
        "state": release.state.value,
        "imported": release.imported,
        "commit": release.commit,
        "tag": release.tag,
        "previous": release.previous or None,
        "cut_step": release.cut_step.value if release.cut_step else None,
        "cut_by": release.cut_by,
        "tagged_at": release.tagged_at,
        "published_at": release.published_at,
        "yanked_at": release.yanked_at,
        "yank_reason": release.yank_reason,
        "required_stop": release.stop_reason or None,
        "required_stop_by": release.stop_by,
        "one_way": release.one_way_reason or None,
        "one_way_by": release.one_way_by,
        "images": [{"module": i.module.name, "image": i.image, "digest": i.digest} for i in release.images],
    }


def version_of_digest(session: Session, product_id: int, digest: str) -> str | None:
    """The newest release of the product that this image was recorded for; None when it is none's."""
    query = (
        select(Release.version)
        .join(ReleaseImage, ReleaseImage.release_id == Release.id)
        .where(ReleaseImage.digest == digest, Release.product_id == product_id)
        .order_by(Release.id.desc())
        .limit(1)
    )
    return session.scalar(query)
