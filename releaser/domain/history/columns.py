"""What is told of every commit, as columns by its place."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from releaser.domain.history.texts import Messages


class People:
    """A name or a mail address for every commit, by its place."""

    def __init__(self, numbers: Sequence[int], texts: Sequence[str]) -> None:
        self._numbers = numbers
        self._texts = texts

    def __getitem__(self, commit: int) -> str:
        return self._texts[self._numbers[commit]]


@dataclass(slots=True, kw_only=True)
class Columns:
    """What is told of every commit, by its place. Messages are read from the repository where they are not at hand."""

    authored: array[int]
    committed: array[int]
    names: People
    mails: People
    messages: Messages
