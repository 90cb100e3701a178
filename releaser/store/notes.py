"""Queries of release notes and changelogs; their tables stand in `releases` and `commits`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from releaser.domain.changelog import (
    CUSTOMER,
    ChangelogCommit,
    ChangelogRelease,
    NotesPage,
    ReleaseNote,
    Section,
    draft_notes,
)
from releaser.domain.release import ReleaseState
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.store.commits import Commit, ReleaseCommit, TicketCommit
from releaser.store.releases import Note, Release
from releaser.store.tickets import Ticket


def freeze(session: Session, release: Release, drafts: Iterable[ReleaseNote], *, now: datetime) -> None:
    """Keep drafts as the release's notes for customers; notes that a person wrote stay as they are."""
    session.execute(delete(Note).where(Note.release_id == release.id, Note.written_by == "", Note.audience == CUSTOMER))
    written = {
        (note.ticket, note.language)
        for note in session.scalars(select(Note).where(Note.release_id == release.id, Note.audience == CUSTOMER))
    }
    for draft in drafts:
        if (draft.ticket, draft.language) not in written:
            session.add(
                Note(
                    release_id=release.id,
                    ticket=draft.ticket,
                    section=draft.section.value,
                    audience=CUSTOMER,
                    language=draft.language,
                    text=draft.text,
                    needs_action=draft.needs_action,
                    written_at=now,
                )
            )
    session.flush()


def find(session: Session, release: Release, *, ticket: str, language: str) -> Note | None:
    """One note for customers, or None."""
    return session.scalars(
        select(Note).where(
            Note.release_id == release.id,
            Note.ticket == ticket,
            Note.audience == CUSTOMER,
            Note.language == language,
        )
    ).one_or_none()


def of_release(session: Session, release: Release) -> tuple[ReleaseNote, ...]:
    """The release's notes for customers, in the order they were drafted."""
    rows = session.scalars(
        select(Note).where(Note.release_id == release.id, Note.audience == CUSTOMER).order_by(Note.id)
    ).all()
    return tuple(
        ReleaseNote(
            ticket=row.ticket,
            section=Section(row.section) if row.section in set(Section) else Section.CHANGED,
            language=row.language,
            text=row.text,
            needs_action=row.needs_action,
        )
        for row in rows
    )


def page(session: Session, release: Release) -> NotesPage:
    """The release's notes with what stands around them; a release found in the history is told by its commits."""
    product = release.product
    found = of_release(session, release)
    if not found and release.imported:
        told = changelog_of(session, [release])
        found = draft_notes(told[0].commits, titles=public_titles(session, release.product_id))
    return NotesPage(
        title=product.title or product.name,
        version=release.version,
        notes=found,
        is_imported=release.imported,
        published_at=release.published_at,
        yank_reason=release.yank_reason if release.state is ReleaseState.YANKED else "",
        zone=product.zone,
    )


def public_titles(session: Session, product_id: int) -> dict[str, str]:
    """Titles of tickets that any customer may read: a customer's own request is that customer's alone."""
    rows = session.execute(
        select(Ticket.key, Ticket.title).where(
            Ticket.product_id == product_id, Ticket.customer_id.is_(None), Ticket.title != ""
        )
    )
    return {row.key: row.title for row in rows}


def written_before(session: Session, release: Release, tickets: Iterable[str]) -> dict[tuple[str, str], Note]:
    """What persons wrote of these tickets for other releases of the product: (ticket, language) -> the newest note."""
    rows = session.scalars(
        select(Note)
        .join(Release, Release.id == Note.release_id)
        .where(
            Release.product_id == release.product_id,
            Release.id != release.id,
            Note.audience == CUSTOMER,
            Note.written_by != "",
        )
        .order_by(Note.written_at)
    )
    wanted = set(tickets)
    return {(note.ticket, note.language): note for note in rows if note.ticket in wanted}


def changelog_of(session: Session, found: Sequence[Release]) -> tuple[ChangelogRelease, ...]:
    """What the changelog tells of releases, in the order given."""
    ids = [release.id for release in found]
    links = _links(session, ids)
    commits: dict[int, list[ChangelogCommit]] = {release_id: [] for release_id in ids}
    rows = session.execute(
        select(
            ReleaseCommit.release_id,
            ReleaseCommit.standing,
            ReleaseCommit.picked_from,
            ReleaseCommit.reverted_by,
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
            )
        )
    tags = _tags(session, found)
    return tuple(_told(release, tuple(commits[release.id]), tags) for release in found)


def _told(release: Release, commits: tuple[ChangelogCommit, ...], tags: dict[str, str]) -> ChangelogRelease:
    return ChangelogRelease(
        version=release.version,
        tag=release.tag,
        line=release.line,
        released_on=_day(release),
        previous=tags.get(release.previous),
        commits=commits,
        is_yanked=release.state is ReleaseState.YANKED,
    )


def _day(release: Release) -> date | None:
    """The day it was released by the calendar of the product's zone."""
    at = release.published_at or release.tagged_at
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
