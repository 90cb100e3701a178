"""How commands show facts: tables and sentences for people, JSON for programs. Terminal escapes in data are inert.

A reader that goes away (`| head`) is no error: what it does not want is dropped, and the exit code stays the command's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TextIO

from releaser.errors import ReleaserError
from releaser.i18n import DEFAULT_LANGUAGE, translator

# What moves a terminal's cursor, turns the reading direction, or hides text; and halves of letters.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BLANKS = re.compile(r"[\s]+")
LONGEST_CELL = 200

say = translator(DEFAULT_LANGUAGE)
"""Says what has to be said otherwise of one and of many: `say.n("{n} ticket", "{n} tickets", count)`."""


class Output(StrEnum):
    """What a command writes."""

    TEXT = "text"
    JSON = "json"


def plain(value: object) -> object:
    """Instants as ISO 8601 with `Z`, dates as ISO 8601."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def as_json(facts: object) -> str:
    """Facts as one JSON document; letters that could steer a terminal are written by their numbers."""
    return _inert(json.dumps(facts, default=plain, ensure_ascii=False, indent=2))


def as_json_lines(facts: Mapping[str, object]) -> str:
    """The same with a line for every entry of a list: of lists of thousands that is read more easily, and made much faster."""
    encoded = json.JSONEncoder(default=plain, ensure_ascii=False).encode
    parts = []
    for name, value in facts.items():
        entries = ",\n    ".join(map(encoded, value)) if isinstance(value, list) else ""
        parts.append(f"  {encoded(name)}: [\n    {entries}\n  ]" if entries else f"  {encoded(name)}: {encoded(value)}")
    return _inert("{\n" + ",\n".join(parts) + "\n}")


def _inert(document: str) -> str:
    # JSON writes the controls of ASCII by their numbers itself, all but one.
    if document.isascii() and "\x7f" not in document:
        return document
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], document)


def safe(text: object) -> str:
    """Text that cannot steer a terminal."""
    return _CONTROL.sub("\ufffd", str(text))


def emit(text: str) -> None:
    """Write a text that ends with one line break to standard output, to the end. Raises OSError when it cannot be."""
    emit_pieces([text.rstrip("\n") + "\n"])


def emit_pieces(pieces: Iterable[str]) -> None:
    """Likewise a long text as it comes, exactly."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.writelines(pieces)
        sys.stdout.flush()
    except BrokenPipeError:
        muted(sys.stdout)


def muted(stream: TextIO) -> None:
    """Let the stream lead nowhere, so that what is left in it does no harm at the end of the program."""
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def show(facts: Any, output: Output, text: Callable[[Any], str]) -> None:  # noqa: ANN401 -- each command knows its own facts
    """Write facts to standard output, as JSON or by the command's own `text`."""
    emit(as_json(facts) if output is Output.JSON else text(facts))


def show_lists(facts: Any, output: Output, text: Callable[[Any], str]) -> None:  # noqa: ANN401 -- as above
    """Likewise for facts that are mostly long lists."""
    emit(as_json_lines(facts) if output is Output.JSON else text(facts))


def problem(error: ReleaserError) -> dict[str, Any]:
    """An error as a problem document (RFC 9457), with the same names as the API's."""
    told = {
        "type": f"urn:releaser:problem:{error.slug}",
        "title": error.slug.replace("-", " ").capitalize(),
        "detail": error.detail,
        "advice": error.advice,
        "field": error.field,
        "rule": getattr(error, "rule", None),
        "facts": error.facts,
    }
    return {name: value for name, value in told.items() if value or name == "detail"}


def show_error(error: ReleaserError, output: Output) -> None:
    """Write an error to standard error: a sentence, or a problem document."""
    text = as_json(problem(error)) if output is Output.JSON else safe(f"releaser: {error}").replace("\ufffd", "?")
    tell(text)


def tell(text: str) -> None:
    """Write a line to standard error; nobody listening is no error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        muted(sys.stderr)


_COLOURS = {"red": "31", "yellow": "33"}


def coloured(text: str, colour: str) -> str:
    """The text in a colour, line by line, where a terminal shows it and nobody asked for none (https://no-color.org)."""
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return "\n".join(f"\x1b[{_COLOURS[colour]}m{line}\x1b[0m" if line else line for line in text.split("\n"))


def moment(value: datetime | None) -> str:
    """An instant for people: UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if value else "-"


def seconds(value: float | None) -> str:
    """A duration for people."""
    return "-" if value is None else f"{value:.1f} s"


def expected(predicted: Mapping[str, Any] | None) -> str:
    """What a cutover is expected to stop: the median, what nine of ten did not exceed, and of how many that is known."""
    if predicted is None:
        return "-"
    stop = predicted["stop"]
    if not stop["samples"]:
        return "stated"
    return f"{stop['p50_s']:.3g}-{stop['p90_s']:.3g} s of {stop['samples']}"


def _cell(value: object) -> str:
    text = "-" if value in (None, "") else _BLANKS.sub(" ", safe(value)).strip()
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; `-` for what is missing. On a terminal too narrow for it: a list per row."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(header), *(_width(row[i]) for row in cells), 0) for i, header in enumerate(headers)]
    if sum(widths) + 2 * (len(widths) - 1) > _columns():
        return "\n\n".join(listing(list(zip(headers, row, strict=True))) for row in cells) or "Nothing."
    lines = [headers, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(_padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _columns() -> int:
    """Columns that may be used: a file or a pipe has no edge."""
    if sys.stdout is None or not sys.stdout.isatty():
        return sys.maxsize
    return shutil.get_terminal_size().columns


def listing(pairs: Sequence[tuple[str, object]]) -> str:
    """`name: value` lines, aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name + ':':<{width + 1}} {_cell(value)}" for name, value in pairs)


def joined(values: Sequence[object]) -> str:
    """Values in one cell or sentence; none of them can steer a terminal."""
    return ", ".join(safe(value) for value in values)
