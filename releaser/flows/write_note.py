"""Replace the text of a release note by what a person wrote; after publication that is a correction, and readers are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.changelog import Audience, Section
from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.flows.retell_ticket import retell_ticket
from releaser.i18n import LANGUAGES
from releaser.store import embargoes, note_revisions, notes, products, releases
from releaser.store.releases import Note, Release

MAX_TEXT = 20_000
MAX_REASON = 2_000
MAX_TICKET = 120


class InvalidNoteError(InvalidError):
    """The note cannot be kept."""


class MissingNoteReasonError(InvalidNoteError):
    """A correction of what readers have read already says why it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What is asked for, checked. None leaves it as it is."""

    ticket: str
    audience: Audience
    language: str
    text: str
    section: Section | None
    needs_action: bool | None
    reason: str
    by: str
    now: datetime


def write_note(
    ports: Ports,
    *,
    product: str,
    version: str,
    ticket: str,
    language: str,
    text: str,
    by: str,
    section: Section | None = None,
    needs_action: bool | None = None,
    audience: Audience = Audience.CUSTOMER,
    reason: str = "",
) -> Facts:
    """Write one note (Markdown). A repeated cut keeps it; the same again changes nothing (`unchanged`).

    A ticket's first note goes to `section` (changed when not given); later it moves the ticket's notes there. Of a release
    that customers can see it is a correction: `reason` is demanded, the text before stays readable for internal readers,
    and files and feeds are written again.
    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidNoteError`, and what `retell_ticket` raises (the note is
    kept then; the same command completes it).
    """
    _check(ticket, language, text, reason)
    written = _Written(
        ticket=ticket,
        audience=audience,
        language=language,
        text=text,
        section=section,
        needs_action=needs_action,
        reason=reason.strip(),
        by=by,
        now=ports.clock.now(),
    )
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        facts = _write(session, release, written)
        is_visible = release.state in notes.VISIBLE
    if is_visible and audience is Audience.CUSTOMER:
        retell_ticket(ports, product=product, ticket=ticket, by=by)
    return facts


def _check(ticket: str, language: str, text: str, reason: str) -> None:
    if language not in LANGUAGES or not text.strip() or len(text) > MAX_TEXT or not 0 < len(ticket) <= MAX_TICKET:
        raise InvalidNoteError(
            "A note needs a ticket, a text, and a language that is known.",
            advice=f"Languages: {', '.join(LANGUAGES)}; at most {MAX_TEXT} characters.",
            field="text" if language in LANGUAGES else "language",
        )
    check_reason(reason)


def check_reason(reason: str) -> None:
    """Raises `InvalidNoteError` for one that no column holds."""
    if len(reason) > MAX_REASON:
        raise InvalidNoteError(f"The reason is longer than {MAX_REASON} characters.", field="reason")


def _write(session: Session, release: Release, written: _Written) -> Facts:
    note = notes.find(session, release, ticket=written.ticket, language=written.language, audience=written.audience)
    beside = next((one for one in notes.of_ticket(session, release, written.ticket) if one is not note), None)
    if note is None:
        note = _new(session, release, written, beside)
    section = written.section.value if written.section else note.section
    action = note.needs_action if written.needs_action is None else written.needs_action
    wanted = (written.text, section, action)
    is_unchanged = bool(note.written_by) and wanted == (note.text, note.section, note.needs_action)
    if not is_unchanged:
        keep(session, release, note, wanted, reason=written.reason, by=written.by, now=written.now)
    if written.section is not None:
        for one in notes.of_ticket(session, release, written.ticket):
            one.section = section
    return {**facts_of(note), "product": release.product.name, "version": release.version, "unchanged": is_unchanged}


def _new(session: Session, release: Release, written: _Written, beside: Note | None) -> Note:
    """A row without a text; the section and the need of action are those of the ticket's other notes."""
    note = Note(
        release_id=release.id,
        ticket=written.ticket,
        section=beside.section if beside else Section.CHANGED.value,
        audience=written.audience.value,
        language=written.language,
        text="",
        needs_action=beside.needs_action if beside else False,
        written_at=written.now,
        written_by="",
    )
    session.add(note)
    return note


def keep(
    session: Session,
    release: Release,
    note: Note,
    wanted: tuple[str, str, bool],
    *,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Give the note another text, section and need of action, as a revision. Raises `MissingNoteReasonError`."""
    is_correction = _was_read(session, release, note, now)
    if is_correction and not reason:
        raise MissingNoteReasonError(
            f"{release.product.name} {release.version} is published: changing a note of it is a correction.",
            advice="Say why, for instance --reason 'the setting is called differently'.",
            field="reason",
        )
    before = note_revisions.of_note(session, note)
    number = len(before)
    if not before and (note.text or note.written_by):
        number = 1
        note_revisions.record(session, note, number=number, reason="")
    note.text, note.section, note.needs_action = wanted
    note.written_at, note.written_by = now, by
    if is_correction:
        note.corrected_at = now
    session.flush()
    note_revisions.record(session, note, number=number + 1, reason=reason)


def _was_read(session: Session, release: Release, note: Note, now: datetime) -> bool:
    """Whether customers can have read what is changed: not before publication, nor while the ticket is under embargo.

    Of a release that was found in the history nobody here told anything before the first note.
    """
    if release.state not in notes.VISIBLE or note.audience != Audience.CUSTOMER:
        return False
    if release.imported and not note.written_by:
        return False
    return note.ticket not in embargoes.hidden(session, release.product_id, now=now)


def facts_of(note: Note) -> Facts:
    """A note as plain data."""
    return {
        "ticket": note.ticket,
        "section": note.section,
        "audience": note.audience,
        "language": note.language,
        "text": note.text,
        "needs_action": note.needs_action,
        "written_at": note.written_at,
        "written_by": note.written_by,
        "corrected_at": note.corrected_at,
    }
