"""The notes a release starts with, drafted from its commits and fragments.

Rules: only commits that name a ticket make notes, merges and what was taken back do not. A fragment's text is a person's
and stands for its ticket; else the default is the commit's trailer `Release-note: ...` (or `Release-note-ru: ...`; `none`
keeps the ticket out), else the ticket's title where it may be shown, else the commit's subject. Internal readers get a
text of their own where there is one for them: a trailer `Internal-note: ...`, a title that customers must not see, or a
ticket that is kept from customers.

What takes back a change that shipped, or brings it back, is told in every language as just that, by what was said of
the change: its trailer, the ticket's title, its subject. A commit beside it that does more for the ticket tells it instead.

What customers have to do is told by `Action-needed: ...` (or `Action-needed-ru: ...`) in a commit or in a fragment. Who reads a
language with an action of its own gets a note in it, be its text in another one; who does not, the action there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from releaser.domain.changelog.entries import ChangelogCommit, Entry, Section, entry_of, keys_of, turned
from releaser.domain.changelog.fragments import Fragment
from releaser.domain.changelog.notes import ReleaseNote
from releaser.domain.changelog.text import escape_markdown, language_of, plain, shortened
from releaser.domain.history import Standing
from releaser.domain.ticket import TicketRelation
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES, translator

_NO_TITLES: Mapping[str, str] = MappingProxyType({})
_TRAILER = re.compile(
    r"^(?P<name>release-note|internal-note|action-needed)(?:-(?P<language>[a-z]{2}))?:[ \t]*"
    r"(?P<text>.*(?:\n[ \t]+\S.*)*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SILENT = {"none", "no", "-", "нет"}
# Of several commits of one ticket, the one whose section says most leads.
_WEIGHT = {
    section: weight
    for weight, section in enumerate(
        (Section.SECURITY, Section.REMOVED, Section.DEPRECATED, Section.ADDED, Section.FIXED, Section.CHANGED)
    )
}


def draft_notes(
    commits: Iterable[ChangelogCommit], *, titles: Mapping[str, str] = _NO_TITLES, fragments: Iterable[Fragment] = ()
) -> tuple[ReleaseNote, ...]:
    """The notes for customers: by ticket in the order the commits stand, then what only fragments tell.

    `titles` are titles of tickets that may be shown to every customer; a private one must not be among them.
    """
    of_ticket = _by_ticket(commits)
    written = _by_fragment(fragments)
    drafts: list[ReleaseNote] = []
    for key, found in of_ticket.items():
        drafts += _notes_of(key, found, plain(titles.get(key, "")), written.get(key, ()))
    for key, pieces in written.items():
        if key not in of_ticket:
            drafts += _written(key, pieces, {}, needs_action=False)
    return tuple(drafts)


def draft_internal(
    commits: Iterable[ChangelogCommit], *, private_titles: Mapping[str, str] = _NO_TITLES
) -> tuple[ReleaseNote, ...]:
    """The notes that only internal readers get, where they differ from the customers' ones."""
    drafts: list[ReleaseNote] = []
    for key, found in _by_ticket(commits).items():
        texts = _trailers(found, "internal-note")
        is_silent = _is_silent(_trailers(found, "release-note"))
        title = plain(private_titles.get(key, ""))
        if texts or is_silent or title:
            leading, entry = _leading(found, key)
            default = title or _subject_text(leading, entry, key)
            told = texts or (_turned({}, default, entry) if _turns(leading, key) else {language_of(default): default})
            drafts += [
                ReleaseNote(ticket=key, section=entry.section, language=language, text=escape_markdown(shortened(text)))
                for language, text in told.items()
            ]
    return tuple(drafts)


def _by_ticket(commits: Iterable[ChangelogCommit]) -> dict[str, list[ChangelogCommit]]:
    found: dict[str, list[ChangelogCommit]] = {}
    for commit in commits:
        if (not commit.is_merge or commit.undoing) and commit.standing in {Standing.SHOWN, Standing.REVERT}:
            for key in keys_of(commit):
                found.setdefault(key, []).append(commit)
    return {key: [one for one in told if not _turns(one, key)] or told for key, told in found.items()}


def _by_fragment(fragments: Iterable[Fragment]) -> dict[str, list[Fragment]]:
    """Ticket, or the name of a fragment without one -> its fragments; those that say most first."""
    found: dict[str, list[Fragment]] = {}
    for one in sorted(fragments, key=lambda f: (_WEIGHT[f.section], f.slug, f.number, f.language)):
        found.setdefault(one.ticket or one.slug, []).append(one)
    return found


def _written(
    key: str, fragments: Iterable[Fragment], actions: Mapping[str, str], *, needs_action: bool
) -> list[ReleaseNote]:
    """What people wrote of a ticket in its fragments, a paragraph for each; an action in a fragment stands for the commits'."""
    texts: dict[str, list[str]] = {}
    own: dict[str, str] = {}
    sections = [one.section for one in fragments]
    for one in fragments:
        text, found = _apart(one)
        own = {**found, **own}
        if text:
            texts.setdefault(one.language, []).append(text)
    actions = {**actions, **own}
    return [
        ReleaseNote(
            ticket=key,
            section=sections[0],
            language=language,
            text=_with_action(text, actions, language, between="\n\n"),
            needs_action=needs_action or bool(actions),
        )
        for language, text in _in_languages(
            {name: "\n\n".join(parts) for name, parts in texts.items()}, actions
        ).items()
    ]


def _apart(fragment: Fragment) -> tuple[str, dict[str, str]]:
    """A fragment's text without what it asks for, and that by language: the fragment's own where the line names none."""
    actions: dict[str, str] = {}
    kept: list[str] = []
    end = 0
    for match in _TRAILER.finditer(fragment.text):
        language = (match["language"] or fragment.language).lower()
        if match["name"].lower() == "action-needed" and language in LANGUAGES and plain(match["text"]):
            actions.setdefault(language, plain(match["text"]))
            kept.append(fragment.text[end : match.start()])
            end = match.end()
    return "".join([*kept, fragment.text[end:]]).strip(), actions


def _in_languages(texts: Mapping[str, str], actions: Mapping[str, str]) -> dict[str, str]:
    """The texts, and for languages that only an action is in the text there is: English, else any."""
    any_text = texts.get(DEFAULT_LANGUAGE) or next(iter(texts.values()), "")
    return {**texts, **{language: any_text for language in actions if language not in texts}}


def _notes_of(key: str, commits: list[ChangelogCommit], title: str, fragments: Iterable[Fragment]) -> list[ReleaseNote]:
    told, actions = _trailers(commits, "release-note"), _trailers(commits, "action-needed")
    is_breaking = any(entry_of(commit).is_breaking for commit in commits)
    needs_action = bool(actions) or is_breaking
    if fragments:
        written = _written(key, fragments, actions, needs_action=needs_action)
        return [replace(one, is_breaking=is_breaking) for one in written]
    if _is_silent(told):
        return []
    leading, entry = _leading(commits, key)
    default = title or _subject_text(leading, entry, key)
    texts = told or {language_of(default): default}
    if leading.undoing is not None and not told and _turns(leading, key):
        before = _trailers_in((leading.undoing.message,), "release-note")
        if _is_silent(before):
            return []
        texts = _turned(before, default, entry)
    return [
        ReleaseNote(
            ticket=key,
            section=entry.section,
            language=language,
            text=_with_action(escape_markdown(shortened(text)), actions, language),
            needs_action=needs_action,
            is_breaking=is_breaking,
        )
        for language, text in _in_languages(texts, actions).items()
    ]


def _turns(commit: ChangelogCommit, key: str) -> bool:
    """Whether a commit takes the ticket's change back, or brings it back: what has own words may do more for its own ticket."""
    undoing = commit.undoing
    return undoing is not None and (not undoing.own or key in {link.key for link in undoing.tickets})


def _turned(before: Mapping[str, str], default: str, entry: Entry) -> dict[str, str]:
    """What is told of a change that is taken back, or brought back, in every language; `before` is what was told of it."""
    any_text = before.get(DEFAULT_LANGUAGE) or next(iter(before.values()), default)
    return {one: turned(before.get(one, any_text), entry.turn, translator(one)) for one in LANGUAGES}


def _leading(commits: list[ChangelogCommit], key: str) -> tuple[ChangelogCommit, Entry]:
    leading = min(commits, key=lambda commit: (not _fixes(commit, key), _WEIGHT[entry_of(commit).section]))
    return leading, entry_of(leading)


def _fixes(commit: ChangelogCommit, key: str) -> bool:
    return any(link.key == key and link.relation is TicketRelation.FIXES for link in commit.tickets)


def _subject_text(commit: ChangelogCommit, entry: Entry, key: str) -> str:
    if _turns(commit, key):
        return entry.text
    text = entry.own or entry.text
    is_told_whole = commit.standing is Standing.REVERT and commit.undoing is None
    if not is_told_whole and text[:1].islower() and text.split(" ", 1)[0].isalpha():
        return text[:1].upper() + text[1:]
    return text


def _is_silent(told: Mapping[str, str]) -> bool:
    return any(text.lower() in _SILENT for text in told.values())


def _with_action(text: str, actions: Mapping[str, str], language: str, *, between: str = " ") -> str:
    """Markdown with what it asks for behind, in `language`, else in English, else in any."""
    action = actions.get(language) or actions.get(DEFAULT_LANGUAGE) or next(iter(actions.values()), "")
    if not action:
        return text
    asked = f"**{translator(language)('Action needed:')}** {escape_markdown(shortened(action))}"
    return f"{text}{between}{asked}" if text else asked


def _trailers(commits: Iterable[ChangelogCommit], name: str) -> dict[str, str]:
    """Language -> the first trailer of that name in it."""
    return _trailers_in((commit.message for commit in commits), name)


def _trailers_in(messages: Iterable[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for message in messages:
        for match in _TRAILER.finditer(message) if ":" in message else ():
            text = plain(match["text"])
            if match["name"].lower() == name and text:
                language = (match["language"] or "").lower() or ("en" if language_of(text) == "en" else "ru")
                if language in LANGUAGES:
                    found.setdefault(language, text)
    return found
