"""Replace the text of a release note by what a person wrote."""

from __future__ import annotations

from releaser.domain.changelog import CUSTOMER, Section
from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.i18n import LANGUAGES
from releaser.store import notes, products, releases
from releaser.store.releases import Note

MAX_TEXT = 20_000


class InvalidNoteError(InvalidError):
    """The note cannot be kept."""


def write_note(
    ports: Ports,
    *,
    product: str,
    version: str,
    ticket: str,
    language: str,
    text: str,
    by: str,
    section: Section = Section.CHANGED,
    needs_action: bool | None = None,
) -> Facts:
    """Write one note for customers (Markdown); a ticket's first note takes `section`. A repeated cut keeps it.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidNoteError`.
    """
    if language not in LANGUAGES or not text.strip() or len(text) > MAX_TEXT or not 0 < len(ticket) <= 120:
        raise InvalidNoteError(
            "A note needs a ticket, a text, and a language that is known.",
            advice=f"Languages: {', '.join(LANGUAGES)}; at most {MAX_TEXT} characters.",
            field="text" if language in LANGUAGES else "language",
        )
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        note = notes.find(session, release, ticket=ticket, language=language)
        if note is None:
            beside = next((one for one in release.notes if one.ticket == ticket and one.audience == CUSTOMER), None)
            note = Note(
                release_id=release.id,
                ticket=ticket,
                section=beside.section if beside else section.value,
                audience=CUSTOMER,
                language=language,
                needs_action=beside.needs_action if beside else False,
            )
            session.add(note)
        note.text, note.written_at, note.written_by = text, now, by
        if needs_action is not None:
            note.needs_action = needs_action
        return {"ticket": ticket, "section": note.section, "language": language, "text": text, "written_by": by}
