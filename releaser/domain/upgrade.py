"""The upgrade diff: what one release has in force that another has not, across lines, told by ticket and by commit.

Not what the log between them says: a change counts as had where it, a pick of it, or what it was picked from is in force. A
ticket is gained when it is fixed in the one and by none of its commits in the other. A commit that brings no ticket over is told
by itself. Where each of the two has commits of its own for one ticket, which is how a change is carried over by hand, what is
only in the one is doubtful, and told apart. Merges are not told, they bring what their sides bring; nor is what was taken back
before anybody had it.

What does not live here: required stops, actions and downtime (`domain.way`), which the history knows nothing of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from releaser.domain.changelog.text import shortened
from releaser.domain.history import History, TaggedRelease, members
from releaser.domain.upgrade_differences import Difference, Differences, Lack, Missing
from releaser.domain.upgrade_words import Breaking, UpgradeWords, words_of

__all__ = ["Difference", "Differences", "Lack", "UpgradeDiff", "as_json", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeDiff:
    """`gained`: `upto` has it and `since` has not; `lost`: the other way round; tickets before commits, newest first.

    `perhaps_gained` and `perhaps_lost` lack by their commits, and not by their tickets (`Lack.SAME_TICKET`). `brought` are
    the releases that `upto` contains and `since` does not, `left` the other way round, both in version order and with the
    two themselves.
    """

    since: TaggedRelease
    upto: TaggedRelease
    gained: Differences
    lost: Differences
    perhaps_gained: Differences
    perhaps_lost: Differences
    brought: tuple[TaggedRelease, ...]
    left: tuple[TaggedRelease, ...]

    @property
    def goes_back(self) -> bool:
        """Whether the version aimed at is the older one."""
        return self.upto.version < self.since.version


def compare(history: History, since: TaggedRelease, upto: TaggedRelease) -> UpgradeDiff:
    """The diff of an upgrade from `since` to `upto`; found once, and then kept with the history for a while."""
    return history.answers.once(("upgrade", since.rank, upto.rank), lambda: _compared(history, since, upto))


def _compared(history: History, since: TaggedRelease, upto: TaggedRelease) -> UpgradeDiff:
    gained, perhaps_gained = Missing(history, having=upto, lacking=since).told()
    lost, perhaps_lost = Missing(history, having=since, lacking=upto).told()
    return UpgradeDiff(
        since=since,
        upto=upto,
        gained=gained,
        lost=lost,
        perhaps_gained=perhaps_gained,
        perhaps_lost=perhaps_lost,
        brought=_way(history, upto, since),
        left=_way(history, since, upto),
    )


def _way(history: History, having: TaggedRelease, lacking: TaggedRelease) -> tuple[TaggedRelease, ...]:
    """The releases that the one contains and the other does not."""
    here, there = 1 << having.rank, 1 << lacking.rank
    bits = (history.bits(place) for place in history.release_places)
    return tuple(
        release
        for release, found in zip(history.releases, bits, strict=True)
        if release is having or (found & here and not found & there)
    )


def as_json(diff: UpgradeDiff, history: History, *, most: int | None = None) -> dict[str, Any]:
    """The shape that scripts outside read: `from`, `to`, `gained`, `lost` stay as they are.

    With `most` no list tells more; `counts` has all. What only made a release (`tooling`) stands last in its list, and is not
    counted among the commits.
    """
    asked = ("upgrade words", diff.since.rank, diff.upto.rank)
    words, counts = history.answers.once(asked, lambda: _words(diff, history))
    lists = {
        "gained": (diff.gained, diff.brought),
        "lost": (diff.lost, diff.left),
        "perhaps_gained": (diff.perhaps_gained, diff.brought),
        "perhaps_lost": (diff.perhaps_lost, diff.left),
    }
    return {
        "from": diff.since.version.text,
        "to": diff.upto.version.text,
        "goes_back": diff.goes_back,
        **{name: _entries(told, way, history, words.tooling, most) for name, (told, way) in lists.items()},
        "breaking": [_breaking(one, diff.brought, history) for one in words.breaking[:most]],
        "counts": {name: dict(counted) for name, counted in counts.items()},
        "releases": [one.version.text for one in diff.brought],
    }


def _words(diff: UpgradeDiff, history: History) -> tuple[UpgradeWords, Mapping[str, Mapping[str, int]]]:
    """What messages say, and the counts that follow from it."""
    gained = {*diff.gained.commits, *diff.perhaps_gained.commits}
    words = words_of(history, gained=gained, alone=chain(diff.lost.alone, diff.gained.alone))
    return words, {
        "gained": _counts(diff.gained, words.tooling),
        "lost": _counts(diff.lost, words.tooling),
        "perhaps_gained": _counts(diff.perhaps_gained, words.tooling),
        "perhaps_lost": _counts(diff.perhaps_lost, words.tooling),
        "breaking": {"commits": len(words.breaking), "unread": words.unread},
    }


def _counts(told: Differences, tooling: frozenset[int]) -> dict[str, int]:
    made = len(tooling.intersection(told.alone))
    return {"tickets": len(told.tickets), "commits": len(told) - len(told.tickets) - made, "tooling": made}


def _entries(
    told: Differences, way: Sequence[TaggedRelease], history: History, tooling: frozenset[int], most: int | None
) -> list[dict[str, Any]]:
    shown = list(islice(_ordered(told, tooling), most))
    subjects = history.subjects([one.commits[-1] for one in shown])
    ranks = sum(1 << release.rank for release in way)
    return [
        {**_entry(one, subject, ranks, history), "tooling": one.ticket is None and one.commits[0] in tooling}
        for one, subject in zip(shown, subjects, strict=True)
    ]


def _ordered(told: Differences, tooling: frozenset[int]) -> Iterator[Difference]:
    """As they come, but what only made a release behind all others."""
    last: list[Difference] = []
    for one in told:
        if one.ticket is None and one.commits[0] in tooling:
            last.append(one)
        else:
            yield one
    yield from last


def _breaking(one: Breaking, way: Sequence[TaggedRelease], history: History) -> dict[str, Any]:
    return {
        "commit": history.graph.ids[one.commit],
        "subject": shortened(one.subject),
        "warning": one.warning,
        "tickets": list(dict.fromkeys(link.key for link in history.links.get(one.commit, ()))),
        "first_version": _first(history.force.bits(one.commit), way, history),
    }


def _first(bits: int, way: Sequence[TaggedRelease], history: History) -> str:
    """The lowest release on the way that has it."""
    having = bits & sum(1 << release.rank for release in way)
    return history.releases[members(having & -having)[0]].version.text


def _entry(one: Difference, subject: str, way: int, history: History) -> dict[str, Any]:
    """One change; `commit` is the newest of `commits`, all full ids, newest first.

    `first_version` is the lowest release on the way that has it, `tickets` are all that its commits name.
    """
    ids = [history.graph.ids[commit] for commit in reversed(one.commits)]
    having = 0
    for commit in one.commits:
        having |= history.force.bits(commit) & way
    return {
        "ticket": one.ticket,
        "commit": ids[0],
        "subject": shortened(subject),
        "commits": ids,
        "tickets": list(dict.fromkeys(link.key for commit in one.commits for link in history.links.get(commit, ()))),
        "first_version": history.releases[members(having & -having)[0]].version.text,
        "lack": one.lack.value,
        "reverted_by": one.reverted_by,
    }
