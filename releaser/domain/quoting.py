"""What in a commit message is somebody else's words: quoted lines, and the subjects that reverts quote.

What is quoted says nothing of the commit that quotes it: neither what it was picked from, nor which tickets it fixes.
"""

from __future__ import annotations

_QUOTING = ('Revert "', 'Reapply "', 'Reland "', "Revert '", "Reapply '", "Reland '")


def is_quoted(message: str, start: int, end: int) -> bool:
    """Whether the place is in a line that begins with `>`, or inside the quotes of `Revert "..."`."""
    line_start = message.rfind("\n", 0, start) + 1
    if message[line_start : line_start + 12].lstrip().startswith(">"):
        return True
    # Every opening begins so, and most lines have none.
    if message.find("Re", line_start, start) < 0:
        return False
    line_end = message.find("\n", end)
    return any(
        message.rfind(opening, line_start, start) >= 0
        and message.find(opening[-1], end, line_end if line_end >= 0 else len(message)) >= 0
        for opening in _QUOTING
    )
