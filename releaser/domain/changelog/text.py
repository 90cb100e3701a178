"""Untrusted text made harmless: control characters out, Markdown inert, HTML off.

Everything that comes from commits, tags, tickets and people passes through here before it is shown. What does not
live here: what is shown (`rendering`, `feeds`, `notes`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_SHOWN = 500
"""Longest subject that is shown whole, in characters; hostile ones can be megabytes."""

# Terminal sequences whole (CSI; OSC, DCS, APC, PM, SOS with their text; two-character ones), in 7 and 8 bits.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029 ]+")
# Controls, lone surrogates, noncharacters, and what turns the reading direction or hides text.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\U000e0000-\U000e0fff\ud800-\udfff]"
)
# References, not backslashes: not every reader of Markdown knows that `\<` is no tag.
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
_START = re.compile(r"(?:[#+>=-]|\d{1,9}(?=[.)]))")
MARKDOWN_ESCAPES = (
    (_ENTITY.pattern, "&amp;"),
    ("<", "&lt;"),
    (_MARKUP.pattern, r"\\\g<0>"),
    (r"^[#+>=-]", r"\\\g<0>"),
    (r"^\d{1,9}(?=[.)])", r"\g<0>\\"),
)
"""What `escape_markdown` does, as substitutions one after the other, for who has to do it elsewhere."""
_BLOCK = re.compile(r"\s*(?:`{3}|~{3}|[|>#]|[-*+]\s|\d{1,9}[.)]\s)")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LATIN = re.compile("[A-Za-z]")
_UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\ud800-\udfff]"
)


def begins_block(text: str) -> bool:
    """Whether Markdown begins with a list, a table, a quotation, a heading or code, which must stand by itself."""
    return _BLOCK.match(text) is not None


def plain(text: str) -> str:
    """`text` as one line that no terminal, feed or page can be harmed by."""
    if text.isprintable():
        return text.strip()
    return _HIDDEN.sub("", _BLANKS.sub(" ", _TERMINAL.sub("", text))).strip()


def plain_lines(text: str) -> str:
    """As `plain`, with lines kept; for texts that people wrote in Markdown."""
    lines = _TERMINAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_HIDDEN.sub("", re.sub(r"[\t\v\f\x85\u2028\u2029]", " ", line)).rstrip() for line in lines).strip()


def indented(text: str) -> str:
    """Markdown of several lines as one item of a list."""
    return "\n".join(f"  {line}" if line and number else line for number, line in enumerate(text.split("\n")))


def shortened(text: str) -> str:
    """`text`, cut to what is shown of it."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1].rstrip() + "…"


def escape_markdown(text: str) -> str:
    """One plain line as Markdown that renders as that very line."""
    escaped = _MARKUP.sub(r"\\\g<0>", _ENTITY.sub("&amp;", text).replace("<", "&lt;"))
    if start := _START.match(escaped):
        end = start.end() if start[0].isdigit() else 0
        escaped = f"{escaped[:end]}\\{escaped[end:]}"
    return escaped


# One of the two alternatives of `_MARKUP` that look around, written to start with the letter itself: found much faster.
_UNDERSCORE = re.compile(r"_(?:(?<![^\W_]_)|(?![^\W_]))")
_LINE_SIGN = re.compile(r"\n([#+>=-])")
_LINE_NUMBER = re.compile(r"\n(\d{1,9})(?=[.)])")


def escape_markdown_lines(lines: list[str]) -> list[str]:
    """`escape_markdown` of thousands of lines at once, each without a line break."""
    if not lines:
        return []
    text = "\n" + "\n".join(lines)
    if "&" in text:
        text = _ENTITY.sub("&amp;", text)
    text = text.replace("<", "&lt;")
    for letter in "\\`*[]~":
        text = text.replace(letter, f"\\{letter}")
    if "_" in text:
        text = _UNDERSCORE.sub(r"\\_", text)
    text = _LINE_NUMBER.sub(r"\n\1\\", _LINE_SIGN.sub(r"\n\\\1", text))
    return text[1:].split("\n")


def language_of(text: str) -> str:
    """`ru` when most letters of `text` are Cyrillic, else `en`."""
    return "ru" if len(_CYRILLIC.findall(text)) > len(_LATIN.findall(text)) else "en"


def escape_json(document: str) -> str:
    """A JSON document with the characters that could harm a terminal written as escapes; the data stays the same."""
    if document.isascii() and "\x7f" not in document:
        return document
    return _UNSAFE_IN_JSON.sub(lambda match: json.dumps(match[0])[1:-1], document)


_TAGS = {"a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong", "ul"}


@cache
def _reader() -> MarkdownIt:
    # Imported here: commands that print Markdown or JSON must not pay for it at the start.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    return MarkdownIt("commonmark", {"html": False}).disable("image")


def to_html(markdown: str) -> str:
    """Untrusted Markdown as HTML: raw HTML is shown as text, images are dropped, and only plain tags are left."""
    # Imported here for the same reason as `_reader`.
    import nh3  # noqa: PLC0415

    return nh3.clean(
        _reader().render(markdown),
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def to_text(markdown: str) -> str:
    """Untrusted Markdown as one plain line; the address of a link follows its text in brackets."""
    parts: list[str] = []
    for token in _reader().parse(markdown):
        if token.type == "inline":
            parts.append(_inline_text(token.children or []))
        elif token.type in {"fence", "code_block"}:
            parts.append(token.content)
    return plain(" ".join(parts))


def _inline_text(tokens: list[Token]) -> str:
    found = ""
    links: list[str] = []
    for token in tokens:
        if token.type == "link_open":
            links.append(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            address = links.pop()
            found += "" if found.endswith(address) else f" ({address})"
        elif token.type in {"softbreak", "hardbreak"}:
            found += " "
        else:
            found += token.content
    return found
