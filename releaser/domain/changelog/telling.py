"""Which notes a reader gets: by audience, by embargo, and from where when a release has none of its own.

Rules: what a person wrote for this release wins; else a fix picked to another line has the note of its ticket there, the
newest a person wrote; else the draft. Customers are told nothing of a ticket under embargo, in any language, and never what
was written for internal readers, who see all of it. What takes a fix back, or brings it back, has a note of its own, and
none is had from elsewhere for it. An empty text keeps a ticket out of the notes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from releaser.domain.changelog.entries import ChangelogRelease, Section, is_turned, keys_of
from releaser.domain.changelog.notes import Audience, ReleaseNote
from releaser.i18n import translator


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNote:
    """One note as it is kept. `is_written` tells whether a person wrote it; else it is a draft.

    `corrected_at` is when a person changed it after its release was published.
    """

    ticket: str
    section: Section
    audience: Audience
    language: str
    text: str
    needs_action: bool
    is_written: bool
    written_at: datetime
    corrected_at: datetime | None = None
    is_breaking: bool = False


def notes_for(
    audience: Audience,
    own: Iterable[KeptNote],
    elsewhere: Iterable[KeptNote],
    *,
    embargoes: Mapping[str, datetime],
    published_at: datetime | None,
    now: datetime,
) -> tuple[ReleaseNote, ...]:
    """The notes of a release for `audience`, in the order that `own` tells the tickets.

    `elsewhere` are notes of the product's other releases; `embargoes` are by ticket, those that are over among them.
    """
    by_ticket: dict[str, dict[tuple[Audience, str], KeptNote]] = {}
    for note in own:
        by_ticket.setdefault(note.ticket, {})[note.audience, note.language] = note
    _inherit(by_ticket, elsewhere, published_at)
    found: list[ReleaseNote] = []
    for ticket, notes in by_ticket.items():
        until = embargoes.get(ticket)
        is_hidden = until is not None and until > now
        if is_hidden and audience is Audience.CUSTOMER:
            continue
        found += [
            replace(
                _note(note),
                is_breaking=any(one.is_breaking for one in notes.values()),
                embargo_until=until if is_hidden else None,
                disclosed_at=until if _is_disclosed(until, published_at, now) else None,
            )
            for note in _of_audience(audience, notes)
        ]
    return tuple(found)


def _inherit(
    by_ticket: Mapping[str, dict[tuple[Audience, str], KeptNote]],
    elsewhere: Iterable[KeptNote],
    published_at: datetime | None,
) -> None:
    """Put what persons wrote of these tickets for other releases in the place of drafts."""
    own = {ticket: {place for place, note in notes.items() if note.is_written} for ticket, notes in by_ticket.items()}
    turned = {ticket for ticket, notes in by_ticket.items() if any(map(_is_turned, notes.values()))}
    for note in sorted(elsewhere, key=lambda one: one.written_at):
        place = (note.audience, note.language)
        if note.ticket in turned or _is_turned(note):
            continue
        if note.is_written and note.ticket in by_ticket and place not in own[note.ticket]:
            notes = by_ticket[note.ticket]
            drafted = notes.get(place) or next(iter(notes.values()))
            is_later = published_at is not None and note.written_at > published_at
            notes[place] = replace(
                note,
                section=drafted.section,
                is_breaking=drafted.is_breaking,
                corrected_at=note.written_at if is_later else None,
            )


def _is_turned(note: KeptNote) -> bool:
    return is_turned(note.text, translator(note.language))


def _of_audience(audience: Audience, notes: Mapping[tuple[Audience, str], KeptNote]) -> list[KeptNote]:
    """The notes of one ticket that this audience reads; a text for internal readers is read by them alone."""
    shown = [note for note in notes.values() if note.text.strip()]
    customers = [note for note in shown if note.audience is Audience.CUSTOMER]
    if audience is Audience.CUSTOMER:
        return customers
    return [note for note in shown if note.audience is Audience.INTERNAL] or customers


def _note(note: KeptNote) -> ReleaseNote:
    return ReleaseNote(
        ticket=note.ticket,
        section=note.section,
        language=note.language,
        text=note.text,
        needs_action=note.needs_action,
        audience=note.audience,
        corrected_at=note.corrected_at,
    )


def _is_disclosed(until: datetime | None, published_at: datetime | None, now: datetime) -> bool:
    return until is not None and published_at is not None and published_at < until <= now


def without_tickets(
    release: ChangelogRelease, hidden: frozenset[str], *, commits: Collection[str] = ()
) -> ChangelogRelease:
    """The release as told to who must not know of the `hidden` tickets: nothing that names one is told, and none of `commits`."""
    if not hidden:
        return release
    return replace(
        release,
        commits=tuple(one for one in release.commits if one.id not in commits and hidden.isdisjoint(keys_of(one))),
        written=tuple(one for one in release.written if hidden.isdisjoint(one.tickets)),
    )
