"""What the messages of an upgrade's commits say beyond their tickets: what breaks something, and what only made a release.

Release tooling writes commits of its own: it sets the next number, or writes the changelog. Each line has its own, so that an
upgrade to another line always "lacks" them, and they are no fix of anything. A commit that names a ticket, or that somebody
took back, is never taken for one.

What does not live here: which commits an upgrade gains and loses (`domain.upgrade`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from releaser.domain.changelog.entries import breaking_of, is_own, said_by
from releaser.domain.history import History
from releaser.domain.history.texts import subject_of

MOST_READ = 5_000
"""Messages of so many commits are read of each kind, the newest: a hundredth of a millisecond each."""

_NUMBER = r"v?\d+(?:\.\d+){1,3}(?:[-.+][0-9a-z.+-]+)?"
_BEHIND = r"(?:\s*(?:\(#\d+\)|\[(?:skip ci|ci skip)\]))*\.?"
_TOOLING = re.compile(
    r"\[(?:maven-release-plugin|gradle release plugin|release)\]\s.*"
    r"|(?:chore|build|ci)\(releases?\)!?:\s.*"
    rf"|(?:(?:chore|build|ci)(?:\([^()]*\))?:\s*)?(?:"
    rf"(?:release|releasing)(?::|\s+version|\s+for)?\s+{_NUMBER}"
    rf"|bump(?:ed|ing|s)?:?\s+(?:the\s+)?(?:version|release)\b.*{_NUMBER}"
    rf"|(?:set|update|increase|increment)\s+(?:the\s+)?(?:project\s+|release\s+)?version\s+(?:to|number to)\s+{_NUMBER}"
    rf"|towards\s+{_NUMBER}"
    rf"|version\s+bump(?:\s+(?:to|for)\s+{_NUMBER})?"
    rf"|prepar(?:e|ing)\s+(?:for\s+)?(?:the\s+)?(?:release\s+)?{_NUMBER}(?:\s+release)?"
    r"|prepar(?:e|ing)\s+(?:for\s+)?(?:the\s+)?next\s+(?:development\s+(?:iteration|version|cycle)|version|release)"
    rf"){_BEHIND}"
    rf"|{_NUMBER}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """A commit that is gained and says that it breaks something; `warning` is what it says of that, if it says more."""

    commit: int
    subject: str
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeWords:
    """`tooling` are commits, by their places, of those told without a ticket; `breaking` come newest first.

    `unread` is how many commits that are gained were left out of this, as there are so many.
    """

    tooling: frozenset[int]
    breaking: tuple[Breaking, ...]
    unread: int


def is_tooling(subject: str) -> bool:
    """Whether a subject is one that release tooling gives to a commit of its own."""
    return is_own(subject) or _TOOLING.fullmatch(subject) is not None


def words_of(history: History, *, gained: Iterable[int], alone: Iterable[int]) -> UpgradeWords:
    """What is said by the commits that are `gained`, and by those told `alone`, without a ticket, on whichever side."""
    every = history.graph.newest_first(gained)
    looked_at = every[:MOST_READ]
    nameless = list(islice((one for one in alone if one not in history.links), MOST_READ))
    # Asked for together: one walk of git's through both.
    together = list(dict.fromkeys([*looked_at, *nameless]))
    said = dict(zip(together, history.columns.messages.of(together), strict=True))
    return UpgradeWords(
        tooling=frozenset(one for one in nameless if is_tooling(subject_of(said[one]))),
        breaking=tuple(_breaking((one, said[one]) for one in looked_at)),
        unread=len(every) - len(looked_at),
    )


def _breaking(said: Iterable[tuple[int, str]]) -> Iterator[Breaking]:
    for commit, message in said:
        # Looked for first: most messages have neither.
        if "BREAKING" not in message and "!:" not in message:
            continue
        subject, warning = subject_of(message), breaking_of(message)
        if warning or said_by(subject, (), fixes=False).is_breaking:
            yield Breaking(commit=commit, subject=subject, warning=warning)
