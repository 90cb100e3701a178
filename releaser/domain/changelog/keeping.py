"""How a product keeps its changelog in its own repository: which files, from which fragments, by which templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from releaser.domain.changelog.entries import Sources
from releaser.domain.changelog.rendering import Form
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES

TEMPLATED = (Form.MARKDOWN, Form.HTML, Form.TEXT)
"""The forms that a template of one's own can be had for; JSON's shape is agreed upon."""
MAX_TEMPLATE = 64_000
_MAX_PATH = 200
_PART = re.compile(r"[^/\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogKeeping:
    """Where the changelog stands. Paths are of the repository; an empty one is none.

    `file` gets a chapter for each release, `folder` a file; `fragments` is where people put theirs, `sources` whether entries
    are made of them, of commits, or of both. `commit` has every
    publishing, correction and withdrawal committed by itself; `branch` is where to, the product's own when empty.
    `templates` are by form (`md`, `html`, `text`).
    """

    file: str = "CHANGELOG.md"
    folder: str = "changelogs"
    fragments: str = ""
    sources: Sources = Sources.BOTH
    commit: bool = False
    branch: str = ""
    language: str = DEFAULT_LANGUAGE
    templates: Mapping[str, str] = field(default_factory=dict)


DEFAULT_KEEPING = ChangelogKeeping()

Fault = tuple[tuple[str | int, ...], str, str]
"""Where, what is wrong, what would be right."""


def keeping_faults(keeping: ChangelogKeeping) -> Iterator[Fault]:
    """Everything that is wrong with it, but the templates' syntax."""
    for key in ("file", "folder", "fragments"):
        path = getattr(keeping, key)
        if path and not is_path(path):
            yield (key,), f"'{path[:80]}' is no path inside a repository.", "Write it like docs/CHANGELOG.md."
    if keeping.file and keeping.file == keeping.folder:
        yield ("folder",), "The file and the folder are one path.", "Name another folder, or '' for none."
    if keeping.sources is Sources.FRAGMENTS and not keeping.fragments:
        yield ("sources",), "There is no folder of fragments.", "Name it: fragments: changelogs/unreleased."
    if keeping.commit and not (keeping.file or keeping.folder):
        yield ("commit",), "There is neither a file nor a folder to commit.", "Name one of them."
    if len(keeping.branch) > _MAX_PATH or not keeping.branch.isprintable():
        yield ("branch",), "That is no branch.", "Write it like main, or '' for the product's own."
    if keeping.language not in LANGUAGES:
        yield ("language",), f"There is no language '{keeping.language[:20]}'.", f"Use {' or '.join(LANGUAGES)}."
    yield from _template_faults(keeping)


def _template_faults(keeping: ChangelogKeeping) -> Iterator[Fault]:
    for form, text in keeping.templates.items():
        if form not in TEMPLATED:
            yield ("templates", form), f"There is no template for '{form[:20]}'.", f"Use {', '.join(TEMPLATED)}."
        if not text.strip() or len(text) > MAX_TEMPLATE:
            why = f"longer than {MAX_TEMPLATE} characters" if text.strip() else "empty"
            yield ("templates", form), f"The template is {why}.", "Leave it out for the usual form."


def is_path(path: str) -> bool:
    """Whether it names a file or folder inside a repository: no way out of it, and nothing git keeps for itself."""
    parts = path.split("/")
    return len(path) <= _MAX_PATH and all(
        _PART.fullmatch(part) and part not in {".", ".."} and part.lower() != ".git" for part in parts
    )
