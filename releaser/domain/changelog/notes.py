"""Release notes: what readers are told of a release, one note per ticket and language, as Markdown, HTML, JSON and text.

Rules: a note without a text in the reader's language is shown in the one it has, and marked. A text that was corrected
after it was published says so, and when.

What does not live here: how notes are drafted (`drafts`), who may read which (`telling`), and where they are kept.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from releaser.domain.changelog.entries import TITLES, Section
from releaser.domain.changelog.text import (
    begins_block,
    escape_json,
    escape_markdown,
    indented,
    plain,
    plain_lines,
    to_html,
    to_text,
)
from releaser.i18n import Translator, known_zone, mark, translator

MAIL_WIDTH = 76
NO_TICKET = "+"
"""What the key of a note without a ticket begins with; it tells such notes apart and is not shown."""

_FOREIGN = {"en": mark("in English"), "ru": mark("in Russian")}
_ELSE = mark("in another language")


class Audience(StrEnum):
    """Who reads. Internal readers see all that customers do, and what is kept from them."""

    CUSTOMER = "customer"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNote:
    """One note. `text` is Markdown, never trusted; `needs_action` says that the customer has to do something.

    `is_breaking`: what worked before may not work any more, which readers are told in front of the text.
    `corrected_at` is when its text was changed after the release was published, `disclosed_at` when an embargo ended
    after that; `embargo_until` is the end of one that holds, which internal readers alone see.
    """

    ticket: str
    section: Section
    language: str
    text: str
    needs_action: bool = False
    is_breaking: bool = False
    audience: Audience = Audience.CUSTOMER
    corrected_at: datetime | None = None
    disclosed_at: datetime | None = None
    embargo_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesPage:
    """The notes of one release with what stands around them; `title` is the product's.

    Of an imported release nobody here can say that no action is needed. `withdrawn_at` is when a note was taken out last
    after publication.
    """

    title: str
    version: str
    notes: tuple[ReleaseNote, ...]
    published_at: datetime | None = None
    yank_reason: str = ""
    zone: str = "UTC"
    is_imported: bool = False
    audience: Audience = Audience.CUSTOMER
    withdrawn_at: datetime | None = None

    def corrected_at(self, language: str) -> datetime | None:
        """When what a reader of `language` sees was corrected last, a note taken out included."""
        seen = [note.corrected_at for note in _chosen(self.notes, language)]
        return max((at for at in (*seen, self.withdrawn_at) if at is not None), default=None)

    @property
    def changed_at(self) -> datetime | None:
        """When any reader saw anything change last: a publishing, a correction, the end of an embargo."""
        instants = [self.published_at, self.withdrawn_at, *(note.corrected_at for note in self.notes)]
        instants += [note.disclosed_at for note in self.notes]
        return max((at for at in instants if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNote:
    """A note as one reader sees it; `mark` names the language it is in when that is not the reader's.

    `remarks` tell of corrections and embargoes, in the reader's words; `ticket` is empty for a note without one.
    """

    ticket: str
    section: Section
    language: str
    text: str
    html: str
    mark: str
    needs_action: bool
    is_breaking: bool = False
    remarks: tuple[str, ...] = ()


def shown_notes(notes: Iterable[ReleaseNote], *, language: str, zone: str = "UTC") -> dict[Section, list[ShownNote]]:
    """Notes for a reader of `language` in `zone`, under their sections."""
    t = translator(language)
    grouped: dict[Section, list[ShownNote]] = {section: [] for section in Section}
    for note in _chosen(notes, t.language):
        grouped[note.section].append(_shown(note, t, zone))
    return {section: found for section, found in grouped.items() if found}


def _chosen(notes: Iterable[ReleaseNote], language: str) -> list[ReleaseNote]:
    """Of each ticket the note in `language`, else the first there is."""
    chosen: dict[str, ReleaseNote] = {}
    for note in notes:
        held = chosen.get(note.ticket)
        if held is None or (held.language != language and note.language == language):
            chosen[note.ticket] = note
    return list(chosen.values())


def _shown(note: ReleaseNote, t: Translator, zone: str) -> ShownNote:
    text = plain_lines(note.text)
    if note.is_breaking:
        # A list or a block of code would not be one any more behind a word.
        text = f"**{t('Breaking:')}**" + ("\n\n" if begins_block(text) else " ") + text
    return ShownNote(
        ticket="" if note.ticket.startswith(NO_TICKET) else plain(note.ticket),
        section=note.section,
        language=note.language,
        text=text,
        html=to_html(text),
        mark="" if note.language == t.language else t(_FOREIGN.get(note.language, _ELSE)),
        needs_action=note.needs_action,
        is_breaking=note.is_breaking,
        remarks=_remarks(note, t, zone),
    )


def _remarks(note: ReleaseNote, t: Translator, zone: str) -> tuple[str, ...]:
    found = []
    if note.embargo_until:
        found.append(t("under embargo until {when}", when=t.instant(note.embargo_until, zone)))
    if note.disclosed_at:
        found.append(t("made public on {day}", day=_day(note.disclosed_at, t, zone)))
    if note.corrected_at:
        found.append(t("corrected on {day}", day=_day(note.corrected_at, t, zone)))
    return tuple(found)


def _day(at: datetime, t: Translator, zone: str) -> str:
    return t.day(at.astimezone(known_zone(zone) or UTC).date())


def statement(notes: Iterable[ReleaseNote], t: Translator) -> str:
    """Whether customers have to do anything; never "no" when a note says yes."""
    if any(note.needs_action for note in notes):
        return t("This release needs action from you: see the notes marked below.")
    return t("No action is needed from you.")


def notes_markdown(page: NotesPage, *, language: str) -> str:
    """The notes of a release as a Markdown document in `language`."""
    t = translator(language)
    lines = [f"# {escape_markdown(heading(page, t))}", "", *(escape_markdown(line) for line in preface(page, t))]
    for section, notes in shown_notes(page.notes, language=language, zone=page.zone).items():
        lines += ["", f"## {t(TITLES[section])}", ""]
        for note in notes:
            lines.append(f"- {indented(note.text)}{escape_markdown(_behind(note))}")
    return "\n".join(lines) + "\n"


def notes_html(page: NotesPage, *, language: str) -> str:
    """The notes of a release as safe HTML, to stand in a page or a mail."""
    return to_html(notes_markdown(page, language=language))


def notes_text(page: NotesPage, *, language: str) -> str:
    """The notes of a release as plain text, for mail: no line is longer than mail programs like, but for addresses."""
    t = translator(language)
    title = heading(page, t)
    lines = [title, "=" * min(len(title), MAIL_WIDTH), "", *(_wrapped(line) for line in preface(page, t))]
    for section, notes in shown_notes(page.notes, language=language, zone=page.zone).items():
        lines += ["", f"{t(TITLES[section])}:"]
        lines += [_wrapped(f"{to_text(note.text)}{_behind(note)}", first="  * ", rest="    ") for note in notes]
    return "\n".join(lines) + "\n"


def _wrapped(line: str, *, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        line,
        MAIL_WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def notes_json(page: NotesPage, *, language: str) -> str:
    """The notes of a release as JSON: what stands around them, and each note as Markdown, HTML and plain text."""
    t = translator(language)
    shown = shown_notes(page.notes, language=language, zone=page.zone)
    document: dict[str, Any] = {
        "title": plain(heading(page, t)),
        "version": page.version,
        "language": t.language,
        "audience": page.audience.value,
        "published_at": _instant(page.published_at),
        "corrected_at": _instant(page.corrected_at(t.language)),
        "yank_reason": plain(page.yank_reason) or None,
        "statement": None if page.is_imported else statement(page.notes, t),
        "notes": [
            {
                "ticket": note.ticket or None,
                "section": note.section.value,
                "language": note.language,
                "markdown": note.text,
                "html": note.html,
                "text": to_text(note.text),
                "needs_action": note.needs_action,
                "breaking": note.is_breaking,
                "remarks": list(note.remarks),
            }
            for notes in shown.values()
            for note in notes
        ],
    }
    return escape_json(json.dumps(document, ensure_ascii=False, indent=2)) + "\n"


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def heading(page: NotesPage, t: Translator) -> str:
    """The title of the notes as plain text."""
    return t("{product} {version}: release notes", product=plain(page.title), version=plain(page.version))


def preface(page: NotesPage, t: Translator) -> list[str]:
    """What stands before the notes, as plain lines."""
    lines = []
    if page.yank_reason:
        lines += [t("This release was withdrawn: {reason}", reason=plain(page.yank_reason)), ""]
    if page.published_at:
        lines += [t("Published on {day}.", day=t.instant(page.published_at, page.zone)), ""]
    if (corrected_at := page.corrected_at(t.language)) is not None:
        lines += [t("Text corrected on {day}.", day=_day(corrected_at, t, page.zone)), ""]
    if not page.notes and page.is_imported:
        lines += [t("No notes were written for this release."), ""]
    elif not page.notes:
        lines += [t("This release has internal changes only."), ""]
    if not page.is_imported:
        lines.append(statement(page.notes, t))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _behind(note: ShownNote) -> str:
    parts = [part for part in (note.ticket, note.mark, *note.remarks) if part]
    return f" ({', '.join(parts)})" if parts else ""
