"""Fragments: small files that people add with a change, `<ticket>.<type>.md` or `<ticket>.<type>.<language>.md`.

`APP-7.fixed.md` holds the entry's text in Markdown (English), `APP-7.fixed.ru.md` the same in Russian; a name that
starts with `+` (`+docs.changed.md`) belongs to no ticket. What does not live here: where the files are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from releaser.domain.changelog.entries import Entry, Section
from releaser.domain.changelog.text import plain_lines
from releaser.errors import InvalidError
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES

MAX_LENGTH = 20_000

_NAME = re.compile(
    r"(?P<ticket>\+?[A-Za-z0-9][A-Za-z0-9_.#-]{0,119}?)"
    rf"\.(?P<type>{'|'.join(Section)})(?:\.(?P<number>[0-9]+))?(?:\.(?P<language>{'|'.join(LANGUAGES)}))?\.md"
)


class InvalidFragmentError(InvalidError):
    """The file is no changelog fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One fragment. `ticket` is empty for an entry without one; `number` tells several of one ticket apart.

    `name` is the file it was read from.
    """

    ticket: str
    section: Section
    language: str
    text: str
    slug: str
    number: int = 0
    name: str = field(default="", compare=False)


def parse_fragment(name: str, text: str) -> Fragment:
    """Read a fragment by its file name and text. Raises `InvalidFragmentError`."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidFragmentError(
            f"{name[:80]!a} is not the name of a changelog fragment.",
            advice=f"Name it <ticket>.<type>.md; types are {', '.join(Section)}. For example APP-7.fixed.md.",
            field="name",
        )
    body = plain_lines(text)
    if not body or len(body) > MAX_LENGTH:
        why = f"longer than {MAX_LENGTH} characters" if body else "empty"
        raise InvalidFragmentError(
            f"The changelog fragment {name!a} is {why}.", advice="Write the entry in it.", field="text"
        )
    slug = match["ticket"]
    return Fragment(
        ticket="" if slug.startswith("+") else slug,
        section=Section(match["type"]),
        language=match["language"] or DEFAULT_LANGUAGE,
        text=body,
        slug=slug,
        number=int(match["number"] or 0),
        name=name,
    )


def entries_from(fragments: Iterable[Fragment], *, language: str = DEFAULT_LANGUAGE) -> tuple[Entry, ...]:
    """The entries that fragments make in `language`; where one has no text in it, its English (or only) text."""
    best: dict[tuple[str, Section, int], Fragment] = {}
    for fragment in fragments:
        place = (fragment.slug, fragment.section, fragment.number)
        held = best.get(place)
        if held is None or _fits(fragment, language) > _fits(held, language):
            best[place] = fragment
    return tuple(
        Entry(
            section=fragment.section,
            text=fragment.text,
            tickets=(fragment.ticket,) if fragment.ticket else (),
            is_markdown=True,
        )
        for _, fragment in sorted(best.items())
    )


def _fits(fragment: Fragment, language: str) -> int:
    return 2 if fragment.language == language else 1 if fragment.language == DEFAULT_LANGUAGE else 0
