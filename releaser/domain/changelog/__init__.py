"""Changelog (complete, technical) and release notes (for customers), made of a release's commits and fragments.

`entries` holds the data and says which section a commit belongs to, `rendering` writes changelogs, `chapters` puts a release
into a changelog kept by hand, `template_data` is what users' templates get; `drafts` drafts release notes, `telling` says who
reads which, `notes` writes them; `feeds` writes Atom and JSON Feed, `fragments` reads what people wrote, `text` makes
untrusted text harmless. All pure.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from releaser.domain.changelog.drafts import draft_internal, draft_notes
    from releaser.domain.changelog.entries import (
        TITLES,
        ChangelogCommit,
        ChangelogRelease,
        Entry,
        Section,
        Sources,
        breaking_of,
        by_section,
        commit_of,
        entries_of,
        entry_of,
        release_of,
    )
    from releaser.domain.changelog.feeds import Feed, FeedItem, atom, json_feed
    from releaser.domain.changelog.fragments import Fragment, InvalidFragmentError, entries_from, parse_fragment
    from releaser.domain.changelog.notes import (
        NO_TICKET,
        Audience,
        NotesPage,
        ReleaseNote,
        ShownNote,
        notes_html,
        notes_json,
        notes_markdown,
        notes_text,
        shown_notes,
        statement,
    )
    from releaser.domain.changelog.rendering import Form, as_json, as_markdown, as_text, render
    from releaser.domain.changelog.telling import KeptNote, notes_for, without_tickets

__all__ = [
    "NO_TICKET",
    "TITLES",
    "Audience",
    "ChangelogCommit",
    "ChangelogRelease",
    "Entry",
    "Feed",
    "FeedItem",
    "Form",
    "Fragment",
    "InvalidFragmentError",
    "KeptNote",
    "NotesPage",
    "ReleaseNote",
    "Section",
    "ShownNote",
    "Sources",
    "as_json",
    "as_markdown",
    "as_text",
    "atom",
    "breaking_of",
    "by_section",
    "commit_of",
    "draft_internal",
    "draft_notes",
    "entries_from",
    "entries_of",
    "entry_of",
    "json_feed",
    "notes_for",
    "notes_html",
    "notes_json",
    "notes_markdown",
    "notes_text",
    "parse_fragment",
    "release_of",
    "render",
    "shown_notes",
    "statement",
    "without_tickets",
]

# Start-up: who asks a clone one question needs one room of these, and all together take longer than the answer. A room is
# opened when something of it is asked for; the names are told to type checkers above.
_ROOMS = {
    "drafts": ("draft_internal", "draft_notes"),
    "entries": (
        "TITLES",
        "ChangelogCommit",
        "ChangelogRelease",
        "Entry",
        "Section",
        "Sources",
        "breaking_of",
        "by_section",
        "commit_of",
        "entries_of",
        "entry_of",
        "release_of",
    ),
    "feeds": ("Feed", "FeedItem", "atom", "json_feed"),
    "fragments": ("Fragment", "InvalidFragmentError", "entries_from", "parse_fragment"),
    "notes": (
        "NO_TICKET",
        "Audience",
        "NotesPage",
        "ReleaseNote",
        "ShownNote",
        "notes_html",
        "notes_json",
        "notes_markdown",
        "notes_text",
        "shown_notes",
        "statement",
    ),
    "rendering": ("Form", "as_json", "as_markdown", "as_text", "render"),
    "telling": ("KeptNote", "notes_for", "without_tickets"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = found
    return found
