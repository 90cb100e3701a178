"""A release's notes as data, as one audience may read them; and, for internal readers, every text they ever had."""

from __future__ import annotations

from releaser.domain.changelog import Audience
from releaser.flows.ports import Facts, Ports
from releaser.store import note_revisions, notes, products, releases


def show_notes(ports: Ports, *, product: str, version: str, audience: Audience = Audience.CUSTOMER) -> list[Facts]:
    """The notes in every language. Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`."""
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        found = notes.of_release(session, release, now=ports.clock.now(), audience=audience)
    return [
        {
            "ticket": note.ticket,
            "section": note.section.value,
            "audience": note.audience.value,
            "language": note.language,
            "text": note.text,
            "needs_action": note.needs_action,
            "breaking": note.is_breaking,
            "corrected_at": note.corrected_at,
            "disclosed_at": note.disclosed_at,
            "embargo_until": note.embargo_until,
        }
        for note in found
    ]


def note_history(ports: Ports, *, product: str, version: str, ticket: str) -> list[Facts]:
    """Every revision of a ticket's notes in a release, by audience and language, oldest first: who, when and why.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`.
    """
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        return [note_revisions.facts(row) for row in note_revisions.of_ticket(session, release.id, ticket)]
