"""What a user's template is given of a changelog, as plain data; `docs/changelog.md` tells users of it.

Every text in it is untrusted and plain, so that the template's output escapes it; what is right for the output as it
is (a fragment's Markdown in Markdown, or made HTML; a version) is wrapped as `{"$safe": text}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from releaser.domain.changelog.entries import (
    SHORT_ID,
    TITLES,
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    by_section,
    entries_of,
    keys_of,
    turned,
)
from releaser.domain.changelog.rendering import Form
from releaser.domain.changelog.text import indented, plain, plain_lines, to_html, to_text
from releaser.i18n import DEFAULT_LANGUAGE, Translator, translator

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")


def template_data(
    releases: Iterable[ChangelogRelease], *, form: Form, title: str = "", language: str = DEFAULT_LANGUAGE
) -> dict[str, Any]:
    """`{title, language, releases: [...]}` in the order given, for an output of `form`."""
    t = translator(language)
    return {
        "title": plain(title),
        "language": t.language,
        "releases": [_release(release, form, t) for release in releases],
    }


def _release(release: ChangelogRelease, form: Form, t: Translator) -> dict[str, Any]:
    sections = by_section(entries_of(release))
    return {
        "version": _number(release.version),
        "tag": plain(release.tag),
        "line": _number(release.line),
        "date": _number(release.released_on.isoformat()) if release.released_on else None,
        "previous": plain(release.previous) if release.previous else None,
        "yanked": release.is_yanked,
        "yank_reason": plain(release.yank_reason),
        "corrected": _number(release.corrected_on.isoformat()) if release.corrected_on else None,
        "unknown": t(release.unknown) if release.unknown else "",
        "sections": [
            {
                "name": section.value,
                "title": t(TITLES[section]),
                "entries": [_entry(entry, form, t) for entry in entries],
            }
            for section, entries in sections.items()
        ],
        "commits": [_commit(commit) for commit in release.commits],
    }


def _number(text: str) -> Any:  # noqa: ANN401 -- text, or text that is marked as safe
    """A version or a date as it is: `1.1` is no entry of a list, wherever a template puts it."""
    shown = plain(text)
    return {"$safe": shown} if _NUMBER.fullmatch(shown) else shown


def _entry(entry: Entry, form: Form, t: Translator) -> dict[str, Any]:
    return {
        "text": _text(entry, form, t),
        "plain": turned(to_text(entry.text) if entry.is_markdown else entry.text, entry.turn, t, own=entry.own),
        "tickets": [plain(key) for key in entry.tickets],
        "commit": entry.commit,
        "short": entry.commit[:SHORT_ID],
        "breaking": entry.is_breaking,
        "warning": entry.warning,
        "corrected": _number(entry.corrected_on.isoformat()) if entry.corrected_on else None,
    }


def _text(entry: Entry, form: Form, t: Translator) -> Any:  # noqa: ANN401 -- text, or text that is marked as safe
    if not entry.is_markdown:
        return turned(entry.text, entry.turn, t, own=entry.own)
    if form is Form.HTML:
        return {"$safe": to_html(entry.text).strip()}
    return {"$safe": indented(plain_lines(entry.text))} if form is Form.MARKDOWN else to_text(entry.text)


def _commit(commit: ChangelogCommit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "subject": plain(commit.subject),
        "tickets": [plain(key) for key in keys_of(commit)],
        "picked_from": commit.picked_from,
        "reverted_by": commit.reverted_by,
    }
