"""Release notes: what customers are told of a release, one note per ticket and language.

Rules: only commits that name a ticket make notes, merges and what was taken back do not. The default text is the
commit's trailer `Release-note: ...` (or `Release-note-ru: ...`; `none` keeps the ticket out), else the ticket's title where
it may be shown, else the commit's subject. A note without a text in the reader's language is shown in the one it has,
and marked. What a person wrote stands as it is: drafts are only the beginning.

What does not live here: where notes are kept and who may change them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from releaser.domain.changelog.entries import TITLES, ChangelogCommit, Entry, Section, entry_of, keys_of
from releaser.domain.changelog.text import (
    escape_markdown,
    indented,
    language_of,
    plain,
    plain_lines,
    shortened,
    to_html,
    to_text,
)
from releaser.domain.history import Standing
from releaser.domain.ticket import TicketRelation
from releaser.i18n import LANGUAGES, Translator, mark, translator

CUSTOMER = "customer"
"""The audience of these notes."""

_NO_TITLES: Mapping[str, str] = MappingProxyType({})
_TRAILER = re.compile(
    r"^(?P<name>release-note|action-needed)(?:-(?P<language>[a-z]{2}))?:[ \t]*(?P<text>.*(?:\n[ \t]+\S.*)*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SILENT = {"none", "no", "-", "нет"}
_FOREIGN = {"en": mark("in English"), "ru": mark("in Russian")}
_ELSE = mark("in another language")
# Of several commits of one ticket, the one whose section says most leads.
_WEIGHT = {
    section: weight
    for weight, section in enumerate(
        (Section.SECURITY, Section.REMOVED, Section.DEPRECATED, Section.ADDED, Section.FIXED, Section.CHANGED)
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNote:
    """One note. `text` is Markdown, never trusted; `needs_action` says that the customer has to do something."""

    ticket: str
    section: Section
    language: str
    text: str
    needs_action: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesPage:
    """The notes of one release with what stands around them; `title` is the product's.

    Of an imported release nobody here can say that no action is needed.
    """

    title: str
    version: str
    notes: tuple[ReleaseNote, ...]
    published_at: datetime | None = None
    yank_reason: str = ""
    zone: str = "UTC"
    is_imported: bool = False


def draft_notes(
    commits: Iterable[ChangelogCommit], *, titles: Mapping[str, str] = _NO_TITLES
) -> tuple[ReleaseNote, ...]:
    """The notes a release starts with, in the order the commits stand.

    `titles` are titles of tickets that may be shown to every customer; a private one must not be among them.
    """
    of_ticket: dict[str, list[ChangelogCommit]] = {}
    for commit in commits:
        if not commit.is_merge and commit.standing in {Standing.SHOWN, Standing.REVERT}:
            for key in keys_of(commit):
                of_ticket.setdefault(key, []).append(commit)
    drafts = (note for key, found in of_ticket.items() for note in _notes_of(key, found, plain(titles.get(key, ""))))
    return tuple(drafts)


def _notes_of(key: str, commits: list[ChangelogCommit], title: str) -> list[ReleaseNote]:
    told, actions = _trailers(commits, "release-note"), _trailers(commits, "action-needed")
    if any(text.lower() in _SILENT for text in told.values()):
        return []
    leading = min(commits, key=lambda commit: (not _fixes(commit, key), _WEIGHT[entry_of(commit).section]))
    entry = entry_of(leading)
    default = title or _subject_text(leading, entry)
    texts = told or {language_of(default): default}
    needs_action = bool(actions) or any(entry_of(commit).is_breaking for commit in commits)
    return [
        ReleaseNote(
            ticket=key,
            section=entry.section,
            language=language,
            text=_with_action(shortened(text), actions, language),
            needs_action=needs_action,
        )
        for language, text in texts.items()
    ]


def _fixes(commit: ChangelogCommit, key: str) -> bool:
    return any(link.key == key and link.relation is TicketRelation.FIXES for link in commit.tickets)


def _subject_text(commit: ChangelogCommit, entry: Entry) -> str:
    text = entry.text
    if commit.standing is not Standing.REVERT and text[:1].islower() and text.split(" ", 1)[0].isalpha():
        return text[:1].upper() + text[1:]
    return text


def _with_action(text: str, actions: Mapping[str, str], language: str) -> str:
    action = actions.get(language) or next(iter(actions.values()), "")
    escaped = escape_markdown(text)
    if not action:
        return escaped
    return f"{escaped} **{translator(language)('Action needed:')}** {escape_markdown(shortened(action))}"


def _trailers(commits: Iterable[ChangelogCommit], name: str) -> dict[str, str]:
    """Language -> the first trailer of that name in it."""
    found: dict[str, str] = {}
    for commit in commits:
        for match in _TRAILER.finditer(commit.message) if ":" in commit.message else ():
            text = plain(match["text"])
            if match["name"].lower() == name and text:
                language = (match["language"] or "").lower() or ("en" if language_of(text) == "en" else "ru")
                if language in LANGUAGES:
                    found.setdefault(language, text)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNote:
    """A note as one reader sees it; `mark` names the language it is in when that is not the reader's."""

    ticket: str
    text: str
    html: str
    mark: str
    needs_action: bool


def shown_notes(notes: Iterable[ReleaseNote], *, language: str) -> dict[Section, list[ShownNote]]:
    """Notes for a reader of `language`, under their sections."""
    t = translator(language)
    chosen: dict[str, ReleaseNote] = {}
    for note in notes:
        held = chosen.get(note.ticket)
        if held is None or (held.language != t.language and note.language == t.language):
            chosen[note.ticket] = note
    grouped: dict[Section, list[ShownNote]] = {section: [] for section in Section}
    for note in chosen.values():
        text = plain_lines(note.text)
        shown = ShownNote(
            ticket=plain(note.ticket),
            text=text,
            html=to_html(text),
            mark="" if note.language == t.language else t(_FOREIGN.get(note.language, _ELSE)),
            needs_action=note.needs_action,
        )
        grouped[note.section].append(shown)
    return {section: found for section, found in grouped.items() if found}


def statement(notes: Iterable[ReleaseNote], t: Translator) -> str:
    """Whether customers have to do anything; never "no" when a note says yes."""
    if any(note.needs_action for note in notes):
        return t("This release needs action from you: see the notes marked below.")
    return t("No action is needed from you.")


def notes_markdown(page: NotesPage, *, language: str) -> str:
    """The notes of a release as a Markdown document in `language`."""
    t = translator(language)
    lines = [f"# {escape_markdown(heading(page, t))}", "", *(escape_markdown(line) for line in preface(page, t))]
    for section, notes in shown_notes(page.notes, language=language).items():
        lines += ["", f"## {t(TITLES[section])}", ""]
        for note in notes:
            lines.append(f"- {indented(note.text)}{escape_markdown(_behind(note))}")
    return "\n".join(lines) + "\n"


def notes_html(page: NotesPage, *, language: str) -> str:
    """The notes of a release as safe HTML."""
    return to_html(notes_markdown(page, language=language))


def notes_text(page: NotesPage, *, language: str) -> str:
    """The notes of a release as plain text, for mail."""
    t = translator(language)
    title = heading(page, t)
    lines = [title, "=" * len(title), "", *preface(page, t)]
    for section, notes in shown_notes(page.notes, language=language).items():
        lines += ["", f"{t(TITLES[section])}:"]
        lines += [f"  * {to_text(note.text)}{_behind(note)}" for note in notes]
    return "\n".join(lines) + "\n"


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
    if not page.notes:
        lines += [t("This release has internal changes only."), ""]
    if not page.is_imported:
        lines.append(statement(page.notes, t))
    return lines


def _behind(note: ShownNote) -> str:
    parts = [part for part in (note.ticket, note.mark) if part]
    return f" ({', '.join(parts)})" if parts else ""
