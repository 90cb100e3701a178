"""Queries of changelogs: what stands in a release's commits and fragments; their tables stand in `commits` and `fragments`.

Customers are told nothing that names a ticket under embargo, internal readers all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.changelog import (
    Audience,
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    Fragment,
    Sources,
    entries_from,
    without_tickets,
)
from releaser.domain.changelog.entries import UNKNOWN
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.embargo import Veil
from releaser.domain.release import ReleaseState
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.domain.version import TagFormat
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import embargoes, fragments, undoing
from releaser.store.commits import Commit, ReleaseCommit, TicketCommit
from releaser.store.plain import load
from releaser.store.releases import FROM_FRAGMENT, Note, Release


def of_releases(
    session: Session,
    found: Sequence[Release],
    *,
    now: datetime,
    audience: Audience = Audience.CUSTOMER,
    language: str = DEFAULT_LANGUAGE,
) -> tuple[ChangelogRelease, ...]:
    """What the changelog tells `audience` of releases, in the order given: fragments in `language`, and commits."""
    ids = [release.id for release in found]
    commits = commits_of(session, ids)
    came = fragments.of_releases(session, ids)
    tags = _tags(session, found)
    veils: dict[int, Veil] = {}
    shown = []
    for row in found:
        sources = load(ChangelogKeeping, row.product.changelog).sources
        written = _written(session, row, came.get(row.id, ()), language) if sources is not Sources.COMMITS else ()
        one = replace(_release(row, commits[row.id], tags), written=written, sources=sources)
        if audience is Audience.CUSTOMER:
            if row.product_id not in veils:
                veils[row.product_id] = embargoes.veil(session, row.product_id, now=now)
            veil = veils[row.product_id]
            one = without_tickets(one, frozenset(veil.tickets), commits=veil.commits)
        shown.append(one)
    return tuple(shown)


def _written(session: Session, release: Release, came: Iterable[Fragment], language: str) -> tuple[Entry, ...]:
    """The entries of a release's fragments, as a person corrected them since."""
    found = sorted(came, key=lambda one: one.slug)
    by_hand = _by_hand(session, release, language) if found else {}
    entries: list[Entry] = []
    for slug, group in groupby(found, key=lambda one: one.slug):
        made = entries_from(group, language=language)
        note = by_hand.get(slug)
        if note is None:
            entries += made
        elif note.text:
            day = _local(release, note.corrected_at)
            entries.append(replace(made[0], text=note.text, corrected_on=day))
    return tuple(entries)


def _by_hand(session: Session, release: Release, language: str) -> dict[str, Note]:
    """Ticket -> the note that a person wrote for customers after the fragment came."""
    rows = session.scalars(
        select(Note).where(
            Note.release_id == release.id,
            Note.audience == Audience.CUSTOMER.value,
            Note.language == language,
            Note.written_by.not_in(("", FROM_FRAGMENT)),
        )
    )
    return {note.ticket: note for note in rows}


def commits_of(session: Session, ids: Sequence[int]) -> dict[int, tuple[ChangelogCommit, ...]]:
    """Release -> the commits that are new in it, newest first."""
    links, undone = _links(session, ids), undoing.of_releases(session, ids)
    commits: dict[int, list[ChangelogCommit]] = {release_id: [] for release_id in ids}
    rows = session.execute(
        select(
            ReleaseCommit.release_id,
            ReleaseCommit.standing,
            ReleaseCommit.picked_from,
            ReleaseCommit.reverted_by,
            ReleaseCommit.breaking,
            Commit.id,
            Commit.sha,
            Commit.subject,
            Commit.is_merge,
        )
        .join(Commit, Commit.id == ReleaseCommit.commit_id)
        .where(ReleaseCommit.release_id.in_(ids))
        .order_by(ReleaseCommit.release_id, ReleaseCommit.position)
    )
    for row in rows:
        commits[row.release_id].append(
            ChangelogCommit(
                id=row.sha,
                subject=row.subject,
                tickets=links.get(row.id, ()),
                picked_from=row.picked_from or None,
                reverted_by=row.reverted_by or None,
                standing=row.standing,
                is_merge=row.is_merge,
                breaking=row.breaking,
                undoing=undone.get(row.id),
            )
        )
    return {release_id: tuple(found) for release_id, found in commits.items()}


def _release(release: Release, commits: tuple[ChangelogCommit, ...], tags: dict[str, str]) -> ChangelogRelease:
    return ChangelogRelease(
        version=release.version,
        tag=release.tag,
        line=release.line,
        released_on=_day(release),
        previous=tags.get(release.previous),
        commits=commits,
        is_yanked=release.state is ReleaseState.YANKED,
        yank_reason=release.yank_reason if release.state is ReleaseState.YANKED else "",
        unknown=UNKNOWN.get(unknown_why(release), "") if not commits else "",
    )


def unknown_why(release: Release) -> str:
    """A key of `UNKNOWN`: why the last collect did not find a release that was tagged before it; empty where it did."""
    product, tagged_at = release.product, release.tagged_at
    if release.rank is not None or not release.tag_object or tagged_at is None:
        return ""
    if product.collected_at is None or tagged_at >= product.collected_at:
        return ""
    tag_format = TagFormat(scheme=product.scheme, text=product.tag_format)
    return "gone" if tag_format.version_of(release.tag) is not None else "unread"


def _day(release: Release) -> date | None:
    """The day it was released by the calendar of the product's zone."""
    return _local(release, release.published_at or release.tagged_at)


def _local(release: Release, at: datetime | None) -> date | None:
    zone = ZoneInfo(release.product.zone) if release.product.zone != "UTC" else UTC
    return at.astimezone(zone).date() if at else None


def _links(session: Session, release_ids: Sequence[int]) -> dict[int, tuple[TicketLink, ...]]:
    found: dict[int, list[TicketLink]] = {}
    rows = session.execute(
        select(TicketCommit.commit_id, TicketCommit.ticket, TicketCommit.relation)
        .join(ReleaseCommit, ReleaseCommit.commit_id == TicketCommit.commit_id)
        .where(ReleaseCommit.release_id.in_(release_ids))
        .order_by(TicketCommit.commit_id, TicketCommit.ticket)
        .distinct()
    )
    for commit_id, ticket, relation in rows:
        found.setdefault(commit_id, []).append(TicketLink(key=ticket, relation=TicketRelation(relation)))
    return {commit_id: tuple(links) for commit_id, links in found.items()}


def _tags(session: Session, found: Sequence[Release]) -> dict[str, str]:
    """Version -> tag of the releases that `found` are told against."""
    previous = {release.previous for release in found if release.previous}
    product_ids = {release.product_id for release in found}
    rows = session.execute(
        select(Release.version, Release.tag).where(Release.product_id.in_(product_ids), Release.version.in_(previous))
    )
    return {row.version: row.tag for row in rows}
