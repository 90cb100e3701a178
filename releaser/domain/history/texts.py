"""The texts of commits. They are not kept: whoever shows a few commits has theirs read again from the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import overload

from releaser.domain.history.ids import Ids
from releaser.domain.history.records import OUTSIDE

Reader = Callable[[Sequence[str]], Iterable[str]]
"""Full ids -> the whole messages of these commits, in the same order."""
MOST_KEPT = 1 << 23
"""Characters; the texts read last are kept for the next who asks."""


def subject_of(message: str) -> str:
    """The first paragraph on one line, as git shows it."""
    text = message.lstrip("\r\n")
    first, newline, rest = text.partition("\n")
    if not newline or rest[:1] in {"", "\n", "\r"}:
        return first.strip()
    return " ".join(text.replace("\r\n", "\n").partition("\n\n")[0].split("\n")).strip()


def subjects_of(messages: Iterable[str]) -> list[str]:
    """`subject_of` of thousands."""
    found = []
    for message in messages:
        end = message.find("\n")
        if end < 0:
            found.append(message.strip())
        elif end and message[end + 1 : end + 2] in _ENDS:
            # A slice copies only what is wanted of a message.
            found.append(message[:end].strip())
        else:
            found.append(subject_of(message))
    return found


_ENDS = frozenset({"", "\n", "\r"})


class Messages(Sequence[str]):
    """The message of every commit, by its place; `of` reads many at once, which costs hardly more than one."""

    def __init__(
        self, ids: Ids, read: Reader | None, *, known: Sequence[str] = (), outside: Callable[[int], bool]
    ) -> None:
        """`known` are the messages of the first commits, where they are at hand; `read` may be left out if that is all.

        `outside` tells the commits whose message is `OUTSIDE`.
        """
        self._ids = ids
        self._read = read
        self._known = known
        self._outside = outside
        self._kept: dict[int, str] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, commit: int) -> str: ...
    @overload
    def __getitem__(self, commit: slice) -> list[str]: ...
    def __getitem__(self, commit: int | slice) -> str | list[str]:
        if isinstance(commit, slice):
            return self.of(range(*commit.indices(len(self))))
        return self.of((commit,))[0]

    def of(self, commits: Sequence[int]) -> list[str]:
        """The messages of these commits."""
        known, kept = self._known, self._kept
        count = len(known)
        missing = [one for one in dict.fromkeys(commits) if one >= count and one not in kept]
        fresh = dict(zip(missing, self._asked(missing), strict=True)) if missing else {}
        if fresh:
            self._keep(fresh)
        return [known[one] if one < count else fresh[one] if one in fresh else kept[one] for one in commits]

    def _asked(self, commits: Sequence[int]) -> list[str]:
        if self._read is None:
            raise AssertionError(commits)
        read = iter(self._read([self._ids[one] for one in commits if not self._outside(one)]))
        return [OUTSIDE if self._outside(one) else next(read) for one in commits]

    def _keep(self, fresh: dict[int, str]) -> None:
        self._size += sum(map(len, fresh.values()))
        if self._size > MOST_KEPT:
            # Another one, not emptied: another thread may just be taking something out of it.
            self._kept, self._size = {}, 0
        self._kept.update(fresh)
