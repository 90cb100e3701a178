"""What messages say they were picked from. What follows from that is worked out in `relations`."""

from __future__ import annotations

import re
from itertools import islice

from releaser.domain.quoting import is_quoted

# A message of megabytes may be nothing but trailers.
MOST_SOURCES = 1000
_TRAILER = re.compile(
    r"(?<!not )\bcherry[- ]picked from commit ([0-9a-f]{7,64})\b|^[ \t]*cherry-picked-from: *([0-9a-f]{7,64})\b",
    re.IGNORECASE | re.MULTILINE,
)


def named_sources(message: str) -> tuple[str, ...]:
    """The ids that the message says it was picked from, nearest source first (git appends at the end).

    What it only quotes, such as the subject of a pick that it reverts, is left out.
    """
    return _sources(message, quoted=False)


def quoted_sources(message: str) -> tuple[str, ...]:
    """The ids that stand in what the message quotes: evidence of what was picked elsewhere, and no pick."""
    return _sources(message, quoted=True)


def _sources(message: str, *, quoted: bool) -> tuple[str, ...]:
    word = message.find("picked")
    if word < 0:
        return ()
    # Nothing before its line is looked at: few letters stand behind a trailer, many before it.
    matches = islice(_TRAILER.finditer(message, message.rfind("\n", 0, word) + 1), MOST_SOURCES)
    found = [(one[1] or one[2]).lower() for one in matches if is_quoted(message, *one.span()) is quoted]
    return tuple(dict.fromkeys(reversed(found)))
