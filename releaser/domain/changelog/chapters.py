"""A release's chapter in a changelog that people keep by hand: where it goes, and nothing else is touched.

Rules: a chapter begins at a heading that names a version and ends before the next heading of its level or above. A new
one goes by its number beside those that are there, newest first unless the file runs the other way round; `Unreleased`
stays in front. The file keeps its line ends, its byte order mark, its level of headings and whether versions stand in
brackets; headings in code blocks and comments are none. Link definitions at the file's end stay at its end.

What does not live here: what a chapter says (`rendering`), and where files are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from releaser.domain.version import Version
from releaser.errors import InvalidError

BYTE_ORDER_MARK = "\ufeff"

Reads = Callable[[str], Version | None]
"""A word as a version, as the product numbers and tags: `1.2`, `v1.2`, `app-1.2`."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
# What stands further in may belong to an entry.
_ATX = re.compile(r"(?P<marks>#{1,6})(?:[ \t]+(?P<text>.*?))??(?:[ \t]+#+)?[ \t]*\Z")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*\Z")
_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})")
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:[ \t]*\S")
_ANCHOR = re.compile(r"<a\s[^>]*>\s*</a>\s*\Z", re.IGNORECASE)
_WORD = re.compile(r"[\w][\w.+/-]*")
_UNRELEASED = re.compile(r"\W*(?:unreleased|upcoming|next|head|trunk|не\s?выпущено|в разработке)\b", re.IGNORECASE)


class ChapterNotFoundError(InvalidError):
    """What was put into the file would not be found there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A changelog with a chapter in it. `chapter` is how it stands there, `before` what stood there until now.

    Both with line feeds and nothing around; `before` is None when the version had no chapter.
    """

    text: str
    chapter: str
    before: str | None

    @property
    def is_changed(self) -> bool:
        """Whether the file has to be written."""
        return self.chapter != self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    line: int
    level: int
    text: str
    version: Version | None

    @property
    def is_unreleased(self) -> bool:
        return self.version is None and _UNRELEASED.match(self.text) is not None


def put_chapter(existing: str, chapter: str, *, version: Version, reads: Reads, title: str = "Changelog") -> Placed:
    """`existing` with the chapter of `version`, in its place or instead of the one that is there.

    `chapter` is Markdown that begins with a heading of level 2; an empty file gets `title` as its heading.
    Raises `ChapterNotFoundError` when it would be no chapter there: its heading names no version, or the place is
    within a code block or a comment that is not closed.
    """
    placed = _put(existing, chapter, version, reads, title)
    if placed.is_changed and chapter_in(placed.text, version=version, reads=reads) is None:
        first = chapter.strip().partition("\n")[0]
        raise ChapterNotFoundError(
            f"A chapter that begins with {first[:80]!a} would not be found in the changelog again.",
            advice=f"Begin it with a heading that names {version.text}, and close code blocks and comments of the file.",
            field="changelog",
        )
    return placed


def _put(existing: str, chapter: str, version: Version, reads: Reads, title: str) -> Placed:
    mark = BYTE_ORDER_MARK if existing.startswith(BYTE_ORDER_MARK) else ""
    lines = _LINE.findall(existing.removeprefix(BYTE_ORDER_MARK))
    if not any(line.strip() for line in lines):
        text = chapter.strip()
        return Placed(text=f"{mark}# {title}\n\n{text}\n", chapter=text, before=None)
    end = _line_end(lines)
    level, headings = _chapters(lines, reads)
    ours = _fitted(chapter, level, brackets=_has_brackets(lines, headings)).split("\n")
    here = next((one for one in headings if one.version == version), None)
    if here is not None:
        first, last = here.line, _end_of(here, headings, lines)
        before = _bare(lines[first:last])
        if before == _bare(ours):
            return Placed(text=existing, chapter=before, before=before)
        put = [*(f"{line}{end}" for line in ours[:-1]), ours[-1] + _last_end(lines, last, end)]
        return Placed(text=mark + "".join([*lines[:first], *put, *lines[last:]]), chapter=_bare(ours), before=before)
    at = _place(version, headings, lines)
    put = [f"{line}{end}" for line in ours]
    return Placed(text=mark + "".join(_inserted(lines, at, put, end)), chapter=_bare(ours), before=None)


def chapter_in(existing: str, *, version: Version, reads: Reads) -> str | None:
    """The chapter of `version` as it stands there, with line feeds and nothing around; None when there is none."""
    lines = _LINE.findall(existing.removeprefix(BYTE_ORDER_MARK))
    _, headings = _chapters(lines, reads)
    here = next((one for one in headings if one.version == version), None)
    return _bare(lines[here.line : _end_of(here, headings, lines)]) if here else None


def _line_end(lines: Sequence[str]) -> str:
    ends = [line[len(line.rstrip("\r\n")) :] for line in lines]
    return max(("\n", "\r\n", "\r"), key=ends.count)


def _last_end(lines: Sequence[str], last: int, end: str) -> str:
    """The end of the last line that is replaced: a file may end without one."""
    old = lines[last - 1]
    return old[len(old.rstrip("\r\n")) :] if last == len(lines) else end


def _bare(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip("\r\n") for line in lines).strip()


def _chapters(lines: Sequence[str], reads: Reads) -> tuple[int, list[_Heading]]:
    """The level that versions stand on, and every heading of that level or above."""
    found = _headings(lines, reads)
    level = next((one.level for one in found if one.version is not None), None)
    if level is None:
        level = next((one.level for one in found if one.is_unreleased), 2)
    return level, [one for one in found if one.level <= level]


def _headings(lines: Sequence[str], reads: Reads) -> list[_Heading]:
    found: list[_Heading] = []
    shown = _outside(lines)
    for number, line in shown.items():
        if atx := _ATX.match(line):
            found.append(_heading(number, len(atx["marks"]), atx["text"] or "", reads))
        elif line.strip() and (under := _UNDERLINE.match(shown.get(number + 1, ""))):
            # Only a paragraph of one line: what is above a rule, or above the line of a table, is no heading.
            is_alone = not shown.get(number - 1, "").strip() or (found and found[-1].line >= number - 2)
            found += [_heading(number, 1 if under[1] else 2, line.strip(), reads)] if is_alone else []
    return found


def _outside(lines: Sequence[str]) -> dict[int, str]:
    """The lines, without their ends, that stand in no code block and no comment."""
    found: dict[int, str] = {}
    fence, in_comment = None, False
    for number, raw in enumerate(lines):
        line = raw.rstrip("\r\n")
        opened = _FENCE.match(line)
        if fence is not None and fence["indent"] and line[:1] not in {"", " ", "\t"}:
            fence = None  # a code block of an entry ends with the entry
        if fence is not None:
            if opened and opened["mark"].startswith(fence["mark"]) and not line.strip().strip(fence["mark"][0]):
                fence = None
        elif in_comment or "<!--" in line:
            in_comment = "-->" not in line.rpartition("<!--")[2]
        elif opened:
            fence = opened
        else:
            found[number] = line
    return found


def _heading(line: int, level: int, text: str, reads: Reads) -> _Heading:
    return _Heading(line=line, level=level, text=text, version=_version_in(text, reads))


def _version_in(text: str, reads: Reads) -> Version | None:
    """The version that a heading is about: its first word, or its second behind `Version` or a product's name."""
    words = [word.rstrip(".-+/") for word in _WORD.findall(text)[:3]]
    for place, word in enumerate(words[:2]):
        if (found := reads(word)) is not None:
            # `Shop 3.4 changelog` is about the changelog, `3.4 Spring` and `Shop 3.4 (2026-03-02)` about 3.4.
            return found if not place or not words[2:] or not words[2].isalpha() else None
        if not word.isalpha():
            return None
    return None


def _end_of(heading: _Heading, headings: Sequence[_Heading], lines: Sequence[str]) -> int:
    """The line behind the chapter's last; what belongs to the next heading, or to the whole file, is not in it."""
    following = next((one.line for one in headings if one.line > heading.line), None)
    last = _definitions(lines) if following is None else _with_anchor(lines, following)
    while last > heading.line + 1 and not lines[last - 1].strip():
        last -= 1
    return last


def _definitions(lines: Sequence[str]) -> int:
    """Where the link definitions at the file's end begin; the file's end when there are none."""
    at = first = len(lines)
    while at and (not lines[at - 1].strip() or _DEFINITION.match(lines[at - 1])):
        at -= 1
        if lines[at].strip():
            first = at
    return first


def _with_anchor(lines: Sequence[str], line: int) -> int:
    """An anchor right above a heading belongs to it."""
    while line and _ANCHOR.match(lines[line - 1]):
        line -= 1
    return line


def _place(version: Version, headings: Sequence[_Heading], lines: Sequence[str]) -> int:
    """The line that the new chapter goes before."""
    known = [(one, one.version) for one in headings if one.version is not None]
    numbers = [number for _, number in known]
    is_rising = len(numbers) > 1 and numbers == sorted(numbers)
    for heading, number in known:
        if (number > version) if is_rising else (number < version):
            return _with_anchor(lines, heading.line)
    unreleased = [one for one in headings if one.is_unreleased]
    if known:
        after = known[-1][0]
    elif unreleased:
        after = unreleased[-1]
    else:
        return _definitions(lines)
    following = next((one.line for one in headings if one.line > after.line), None)
    return _definitions(lines) if following is None else _with_anchor(lines, following)


def _inserted(lines: Sequence[str], at: int, put: Sequence[str], end: str) -> list[str]:
    before, after = list(lines[:at]), list(lines[at:])
    if before and not before[-1].endswith(("\n", "\r")):
        before[-1] += end
    if before and before[-1].strip():
        before.append(end)
    return [*before, *put, *([end] if after and after[0].strip() else []), *after]


def _has_brackets(lines: Sequence[str], headings: Sequence[_Heading]) -> bool:
    shown = [lines[one.line] for one in headings if one.version is not None]
    return not shown or any("[" in line for line in shown)


def _fitted(chapter: str, level: int, *, brackets: bool) -> str:
    """The chapter with its headings on the file's level, and its version without brackets where the file has none."""
    lines = chapter.strip().split("\n")
    for heading in _headings(lines, lambda _: None):
        line = lines[heading.line]
        if line.startswith("#"):
            lines[heading.line] = "#" * min(6, heading.level + level - 2) + line.lstrip("#")
    if not brackets:
        lines[0] = re.sub(r"\[([^\]]*)\]", r"\1", lines[0], count=1)
    return "\n".join(lines)
