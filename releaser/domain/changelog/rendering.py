"""A changelog as Markdown (Keep a Changelog), HTML, plain text and JSON.

The JSON shape is read by scripts outside; keep it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import Any

from releaser.domain.changelog.entries import (
    SHORT_ID,
    TITLES,
    ChangelogRelease,
    Entry,
    by_section,
    entries_of,
    keys_of,
    turned,
)
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
from releaser.i18n import DEFAULT_LANGUAGE, Translator, translator


class Form(StrEnum):
    """How a changelog can be written."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"
    TEXT = "text"


def render(
    releases: Iterable[ChangelogRelease], *, form: Form, title: str = "", language: str = DEFAULT_LANGUAGE
) -> str:
    """The changelog of `releases`, in the order given, as text that ends with a newline."""
    if form is Form.JSON:
        chapters = (json_chapter(head, map(_ENCODED, head.pop("commits"))) for head in as_json(releases)["releases"])
        return "".join(json_pieces(chapters))
    t = translator(language)
    if form is Form.TEXT:
        return _joined(plain(title), [as_text(release, t) for release in releases])
    heading = f"# {escape_markdown(shown)}" if (shown := plain(title)) else ""
    markdown = _joined(heading, [as_markdown(release, t) for release in releases])
    return to_html(markdown) if form is Form.HTML else markdown


def _joined(heading: str, parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in (heading, *parts) if part) + "\n"


def as_json(releases: Iterable[ChangelogRelease]) -> dict[str, Any]:
    """`{"releases": [{version, tag, line, date, previous, commits: [...]}]}`; `previous` is a tag, `date` ISO 8601."""
    return {
        "releases": [
            {
                "version": release.version,
                "tag": release.tag,
                "line": release.line,
                "date": release.released_on.isoformat() if release.released_on else None,
                "previous": release.previous,
                "commits": [
                    {
                        "id": commit.id,
                        "subject": commit.subject,
                        "tickets": list(keys_of(commit)),
                        "picked_from": commit.picked_from,
                        "reverted_by": commit.reverted_by,
                    }
                    for commit in release.commits
                ],
                **({"unknown": release.unknown} if release.unknown else {}),
            }
            for release in releases
        ]
    }


_ENCODED = json.JSONEncoder(ensure_ascii=False).encode


def json_chapter(head: dict[str, Any], commits: Iterable[str]) -> str:
    """One release as JSON, a line for each of its commits, which are written already; `head` is all but them.

    It is without characters that could harm a terminal.
    """
    lines = ",\n      ".join(commits)
    told = f"[\n      {lines}\n    ]" if lines else "[]"
    return escape_json(f'    {_ENCODED(head)[:-1]}, "commits": {told}}}')


JSON_BETWEEN = ",\n"
"""Stands between the chapters of a JSON document."""


def json_pieces(chapters: Iterable[str]) -> Iterator[str]:
    """The whole JSON document in pieces."""
    yield '{\n  "releases": ['
    before = "\n"
    for chapter in chapters:
        yield before + chapter
        before = JSON_BETWEEN
    yield "]\n}\n" if before == "\n" else "\n  ]\n}\n"


def as_markdown(release: ChangelogRelease, t: Translator) -> str:
    """One release as a chapter of Markdown."""
    lines = [f"## {heading_of(release, t, escaped=True)}"]
    for remark in _remarks(release, t):
        lines += ["", escape_markdown(remark)]
    sections = by_section(entries_of(release))
    for section, entries in sections.items():
        lines += ["", f"### {t(TITLES[section])}", ""]
        lines += [f"- {entry_markdown(entry, t)}" for entry in entries]
    if not sections:
        lines += ["", t(release.unknown) if release.unknown else t("No changes.")]
    return "\n".join(lines)


def as_text(release: ChangelogRelease, t: Translator) -> str:
    """One release as plain text, for mail and terminals."""
    heading = heading_of(release, t, escaped=False)
    lines = [heading, "=" * len(heading)]
    for remark in _remarks(release, t):
        lines += ["", remark]
    sections = by_section(entries_of(release))
    for section, entries in sections.items():
        lines += ["", f"{t(TITLES[section])}:"]
        lines += [f"  * {entry_text(entry, t)}" for entry in entries]
    if not sections:
        lines += ["", t(release.unknown) if release.unknown else t("No changes.")]
    return "\n".join(lines)


def heading_of(release: ChangelogRelease, t: Translator, *, escaped: bool) -> str:
    """What stands above a release, without the marks of a heading."""
    version = plain(release.version)
    if not version:
        return f"[{t('Unreleased')}]" if escaped else t("Unreleased")
    shown = f"[{version}]" if escaped else version
    day = release.released_on.isoformat() if release.released_on else t("not released yet")
    return f"{shown} - {day}" + (" [YANKED]" if release.is_yanked else "")


def _remarks(release: ChangelogRelease, t: Translator) -> list[str]:
    """What readers have to know of the whole release, as plain lines."""
    remarks = []
    if release.yank_reason:
        remarks.append(t("This release was withdrawn: {reason}", reason=plain(release.yank_reason)))
    if release.corrected_on:
        remarks.append(t("Text corrected on {day}.", day=t.day(release.corrected_on)))
    return remarks


def entry_markdown(entry: Entry, t: Translator) -> str:
    """An entry as an item of a list, without its bullet."""
    text = indented(plain_lines(entry.text)) if entry.is_markdown else escape_markdown(entry.text)
    text = turned(text, entry.turn, t, own=escape_markdown(entry.own))
    if entry.is_breaking:
        text = f"**{t('Breaking:')}** {text}"
    if entry.warning:
        text = f"{text} \u2013 {escape_markdown(entry.warning)}"
    references = [escape_markdown(plain(key)) for key in entry.tickets]
    if entry.commit:
        references.append(f"`{entry.commit[:SHORT_ID]}`")
    if entry.corrected_on:
        references.append(_corrected(entry.corrected_on, t))
    if not references:
        return text
    # Behind a code block, a table or a list the references need a paragraph of their own.
    apart = "\n\n  " if entry.is_markdown and begins_block(text.rpartition("\n")[2]) and "\n" in text else " "
    return f"{text}{apart}({', '.join(references)})"


def entry_text(entry: Entry, t: Translator) -> str:
    """An entry as plain text, without its bullet."""
    text = turned(to_text(entry.text) if entry.is_markdown else entry.text, entry.turn, t, own=entry.own)
    if entry.is_breaking:
        text = f"{t('Breaking:')} {text}"
    if entry.warning:
        text = f"{text} \u2013 {entry.warning}"
    references = [*map(plain, entry.tickets), *([entry.commit[:SHORT_ID]] if entry.commit else [])]
    if entry.corrected_on:
        references.append(_corrected(entry.corrected_on, t))
    return f"{text} ({', '.join(references)})" if references else text


def _corrected(on: date, t: Translator) -> str:
    return t("corrected on {day}", day=on.isoformat())
