"""Answers that cost much to find, kept as long as the history is: it never changes, so they need not be found twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

MOST = 16
"""So many, because some are large: the newest stay."""

_Answer = TypeVar("_Answer")


class Answers:
    """By what was asked. Threads may ask at the same time; then the same is found twice at worst."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}

    def once(self, asked: Hashable, find: Callable[[], _Answer]) -> _Answer:
        """What was found before, else what `find` finds now."""
        missing = object()
        found = self._found.pop(asked, missing)
        answer: _Answer = find() if found is missing else found
        # Put behind all others, so that what nobody asks for any more is in front.
        self._found[asked] = answer
        for oldest in list(self._found)[:-MOST]:
            self._found.pop(oldest, None)
        return answer
