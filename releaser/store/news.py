"""What of a history is to be written into the store: everything, or what became other since the state that stands there.

Found before the transaction, because messages may have to be read from the repository for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from releaser.domain.changelog import breaking_of
from releaser.domain.history import Delta, History

_LONGEST_SUBJECT = 2000


class NewIn(NamedTuple):
    """One commit that is new in a release."""

    rank: int
    commit: int
    position: int
    standing: str
    picked_from: str
    reverted_by: str
    breaking: str


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What of a history is to be written for somebody who stands at `since`; all of it where that is None.

    Commits are places in the history, releases ranks, tickets, sets and classes numbers of it.
    """

    history: History
    since: str | None
    commits: Sequence[int]
    moved: Sequence[int]
    lost: Sequence[int]
    related: Sequence[int]
    sets: Sequence[int]
    classes: Sequence[int]
    tickets: Sequence[int]
    ranks: Sequence[int]
    subjects: Mapping[int, str]
    new_in: Sequence[NewIn]

    @property
    def is_whole(self) -> bool:
        """Whether everything is written anew."""
        return self.since is None


def news(history: History, delta: Delta | None, *, stands_at: str) -> News:
    """What is to be written where the store stands at the state `stands_at`. May read messages from the repository."""
    # Where classes were not at hand before, a delta cannot tell which became other.
    if delta is None or delta.whole or not stands_at or delta.since != stands_at or history.index.classes is None:
        commits: Sequence[int] = [one for one in range(len(history)) if one not in history.graph.lost]
        ranks: Sequence[int] = range(len(history.releases))
        return News(
            history=history,
            since=None,
            commits=commits,
            moved=(),
            lost=(),
            related=(),
            sets=range(len(history.sets)),
            classes=range(len(history.classes.keys)),
            tickets=range(len(history.index.links.keys)),
            ranks=ranks,
            subjects=_subjects(history, commits),
            new_in=list(_new_in(history, ranks)),
        )
    numbers = (history.index.links.number(key) for key in delta.tickets)
    return News(
        history=history,
        since=delta.since,
        commits=delta.commits,
        moved=delta.moved,
        lost=delta.lost,
        related=delta.related,
        sets=delta.sets,
        classes=delta.classes,
        tickets=[number for number in numbers if number is not None],
        ranks=delta.changes,
        subjects=_subjects(history, delta.commits),
        new_in=list(_new_in(history, delta.changes)),
    )


def _subjects(history: History, commits: Sequence[int]) -> dict[int, str]:
    subjects = history.subjects(commits)
    return {commit: text[:_LONGEST_SUBJECT] for commit, text in zip(commits, subjects, strict=True)}


def _new_in(history: History, ranks: Iterable[int]) -> Iterator[NewIn]:
    for rank in ranks:
        for position, change in enumerate(history.changes(history.releases[rank])):
            yield NewIn(
                rank=rank,
                commit=change.commit.index,
                position=position,
                standing=change.standing,
                picked_from=(change.picked_from or "")[:64],
                reverted_by=(change.reverted_by or "")[:64],
                breaking=breaking_of(change.commit.message),
            )
