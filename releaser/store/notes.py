"""Queries of release notes, whose table stands in `releases`.

Whatever is told here is told to somebody: customers get nothing of a ticket under embargo, internal readers all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from releaser.domain.changelog import (
    Audience,
    Fragment,
    KeptNote,
    NotesPage,
    ReleaseNote,
    Section,
    draft_internal,
    draft_notes,
    notes_for,
)
from releaser.domain.release import ReleaseState
from releaser.store import changelog, embargoes, fragments
from releaser.store.commits import ReleaseCommit, TicketCommit
from releaser.store.releases import FROM_FRAGMENT, Note, Release
from releaser.store.tickets import Ticket

VISIBLE = frozenset({ReleaseState.PUBLISHED, ReleaseState.YANKED})
_SOME = 500


def freeze(
    session: Session,
    release: Release,
    drafts: Iterable[ReleaseNote],
    *,
    now: datetime,
    internal: Iterable[ReleaseNote] = (),
    written: Iterable[Fragment] = (),
) -> None:
    """Keep drafts as the release's notes; notes that a person wrote here stay as they are.

    A draft whose ticket is in `written` came as a fragment: it is a person's text.
    """
    session.execute(delete(Note).where(Note.release_id == release.id, Note.written_by.in_(("", FROM_FRAGMENT))))
    stand = {(note.ticket, note.audience, note.language) for note in _rows(session, release)}
    authored = {one.ticket or one.slug for one in written}
    for audience, found in ((Audience.CUSTOMER, drafts), (Audience.INTERNAL, internal)):
        for draft in found:
            if (draft.ticket, audience, draft.language) in stand:
                continue
            session.add(
                Note(
                    release_id=release.id,
                    ticket=draft.ticket,
                    section=draft.section.value,
                    audience=audience.value,
                    language=draft.language,
                    text=draft.text,
                    needs_action=draft.needs_action,
                    is_breaking=draft.is_breaking,
                    written_at=now,
                    written_by=FROM_FRAGMENT if audience is Audience.CUSTOMER and draft.ticket in authored else "",
                )
            )
    session.flush()


def find(session: Session, release: Release, *, ticket: str, language: str, audience: Audience) -> Note | None:
    """One note, or None."""
    return session.scalars(
        select(Note).where(
            Note.release_id == release.id,
            Note.ticket == ticket,
            Note.audience == audience.value,
            Note.language == language,
        )
    ).one_or_none()


def of_ticket(session: Session, release: Release, ticket: str) -> Sequence[Note]:
    """Every note of a ticket in a release."""
    return session.scalars(
        select(Note).where(Note.release_id == release.id, Note.ticket == ticket).order_by(Note.id)
    ).all()


def _rows(session: Session, release: Release) -> Sequence[Note]:
    return session.scalars(select(Note).where(Note.release_id == release.id).order_by(Note.id)).all()


def of_release(
    session: Session, release: Release, *, now: datetime, audience: Audience = Audience.CUSTOMER
) -> tuple[ReleaseNote, ...]:
    """The release's notes for `audience`, in the order they were drafted; an imported one is told by its commits."""
    own = [_kept(row) for row in _rows(session, release)]
    if release.imported:
        own += _drafted(session, release, {note.ticket for note in own})
    return notes_for(
        audience,
        own,
        _elsewhere(session, release, {note.ticket for note in own}),
        embargoes=embargoes.of_product(session, release.product_id),
        published_at=None if release.imported else release.published_at,
        now=now,
    )


def _kept(row: Note) -> KeptNote:
    return KeptNote(
        ticket=row.ticket,
        section=Section(row.section) if row.section in set(Section) else Section.CHANGED,
        audience=Audience(row.audience),
        language=row.language,
        text=row.text,
        needs_action=row.needs_action,
        is_breaking=row.is_breaking,
        is_written=bool(row.written_by),
        written_at=row.written_at,
        corrected_at=row.corrected_at,
    )


def _drafted(session: Session, release: Release, known: set[str]) -> list[KeptNote]:
    """Drafts of a release that was found in the history, for tickets that nobody wrote of."""
    commits = changelog.commits_of(session, [release.id])[release.id]
    came = fragments.of_releases(session, [release.id]).get(release.id, [])
    both = (
        (
            Audience.CUSTOMER,
            draft_notes(commits, titles=public_titles(session, release.product_id), fragments=came),
        ),
        (Audience.INTERNAL, draft_internal(commits, private_titles=private_titles(session, release.product_id))),
    )
    return [
        KeptNote(
            ticket=draft.ticket,
            section=draft.section,
            audience=audience,
            language=draft.language,
            text=draft.text,
            needs_action=draft.needs_action,
            is_breaking=draft.is_breaking,
            is_written=False,
            written_at=release.product.created_at,
        )
        for audience, drafts in both
        for draft in drafts
        if draft.ticket not in known
    ]


def _elsewhere(session: Session, release: Release, tickets: Iterable[str]) -> list[KeptNote]:
    """What persons wrote of these tickets for other releases of the product."""
    wanted = sorted(tickets)
    found: list[KeptNote] = []
    for start in range(0, len(wanted), _SOME):
        query = (
            select(Note)
            .join(Release, Release.id == Note.release_id)
            .where(
                Release.product_id == release.product_id,
                Release.id != release.id,
                Note.written_by != "",
                Note.ticket.in_(wanted[start : start + _SOME]),
            )
        )
        found += [_kept(row) for row in session.scalars(query)]
    return found


def page(session: Session, release: Release, *, now: datetime, audience: Audience = Audience.CUSTOMER) -> NotesPage:
    """The release's notes for `audience`, with what stands around them."""
    product = release.product
    return NotesPage(
        title=product.title or product.name,
        version=release.version,
        notes=of_release(session, release, now=now, audience=audience),
        is_imported=release.imported,
        published_at=release.published_at,
        yank_reason=release.yank_reason if release.state is ReleaseState.YANKED else "",
        zone=product.zone,
        audience=audience,
        withdrawn_at=_withdrawn_at(session, release, now=now),
    )


def _withdrawn_at(session: Session, release: Release, *, now: datetime) -> datetime | None:
    """When a note for customers was taken out last after publication, of a ticket that they may know of."""
    hidden = embargoes.hidden(session, release.product_id, now=now)
    query = select(Note.ticket, Note.corrected_at).where(
        Note.release_id == release.id,
        Note.audience == Audience.CUSTOMER.value,
        Note.text == "",
        Note.corrected_at.is_not(None),
    )
    found = (row.corrected_at for row in session.execute(query) if row.ticket not in hidden)
    return max((at for at in found if at is not None), default=None)


def public_titles(session: Session, product_id: int) -> dict[str, str]:
    """Titles of tickets that any customer may read: a customer's own request is that customer's alone."""
    rows = session.execute(
        select(Ticket.key, Ticket.title).where(
            Ticket.product_id == product_id, Ticket.customer_id.is_(None), Ticket.title != ""
        )
    )
    return {row.key: row.title for row in rows}


def private_titles(session: Session, product_id: int) -> dict[str, str]:
    """Titles of customers' own requests, for internal readers."""
    rows = session.execute(
        select(Ticket.key, Ticket.title).where(
            Ticket.product_id == product_id, Ticket.customer_id.is_not(None), Ticket.title != ""
        )
    )
    return {row.key: row.title for row in rows}


def telling(session: Session, product_id: int, ticket: str) -> Sequence[Release]:
    """The releases that customers can see, cut here, whose notes or commits name the ticket; oldest number first."""
    noted = exists().where(Note.release_id == Release.id, Note.ticket == ticket)
    committed = (
        exists()
        .where(ReleaseCommit.release_id == Release.id)
        .where(TicketCommit.commit_id == ReleaseCommit.commit_id, TicketCommit.ticket == ticket)
    )
    query = (
        select(Release)
        .where(Release.product_id == product_id, Release.state.in_(VISIBLE), Release.imported.is_(False))
        .where(noted | committed)
        .order_by(Release.sort_key)
    )
    return session.scalars(query).unique().all()
