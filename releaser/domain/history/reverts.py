"""What takes back what, and which changes are still in force in which releases.

A commit is in force in a release when the release contains it and contains no revert of it that is in force there
itself. That one rule gives the parity of reverts of reverts, keeps a revert that was picked to one line to that line,
and needs no order of dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from releaser.domain.history.graph import Graph
from releaser.domain.history.picks import LARGEST_MERGE, Copies
from releaser.domain.history.views import Revert
from releaser.domain.quoting import is_quoted

FURTHEST_WALK = 20_000
MOST_IDS = 1000
_IDS = re.compile(
    r"\brevert(?:s|ed|ing)?(?: the)?(?: merge)?(?: commits?)?:?((?:[\s,;&]{1,4}(?:and\s)?(?:commit\s)?[0-9a-f]{7,64}\b){1,50})",
    re.IGNORECASE,
)
_ID = re.compile(r"\b[0-9a-f]{7,64}\b", re.IGNORECASE)
_NUMBERS = r"(?:\s*\(#[0-9]{1,9}\))*"
_SUBJECT = re.compile(
    # Ticket keys may stand before it, and a pick's trailer behind it on the same line.
    r"(?:\[[^\[\]]{1,60}\][\s:-]*|[A-Z][A-Z0-9_]{0,20}-[0-9]{1,9}[\s:-]+|revert(?:\([^()]{0,80}\))?!?:\s*)*"
    r"(?P<word>Revert|Reapply|Reland) (?P<mark>[\"'])(?P<what>.{1,500})(?P=mark)"
    + _NUMBERS
    + r"\.?(?:\s*\(cherry picked from commit [0-9a-f]{7,64}\))?$"
)
# Conventional commits (`revert: feat: search`), and people (`Revert Add the search`), do without quotes.
_UNQUOTED = re.compile(r"[Rr]evert(?:(?:\([^()]{0,80}\))?!?:)? (?P<what>\S{1,200} \S{1,200} \S.{0,500})$")
_PULL = re.compile(r"^Reverts (?:[\w.-]{1,100}/[\w.-]{1,100})?#(?P<number>[0-9]{1,9})\.?\r?$", re.MULTILINE)
_NUMBERED = re.compile(r"(?: \(#[0-9]{1,9}\))+$")
_MERGED_PULL = re.compile(r"Merge pull request (#[0-9]{1,9})\b")


def may_revert(message: str) -> bool:
    """A quick look, before any regular expression."""
    return "evert" in message or message.startswith(("Reapply ", "Reland "))


def named_ids(message: str) -> tuple[str, ...]:
    """The ids that a message says it reverts; a partial revert names none, and what is only quoted does not count."""
    found: dict[str, None] = {}
    for match in islice(_IDS.finditer(message), MOST_IDS):
        before = message[max(0, match.start() - 20) : match.start()].lower()
        if "partial" not in before and "partly" not in before and not is_quoted(message, *match.span()):
            found.update(dict.fromkeys(one.lower() for one in _ID.findall(match[1])))
    return tuple(found)


def named_subject(subject: str) -> str | None:
    """The subject that a revert without an id takes back: what stands in its quotes, or behind "revert"."""
    match = _SUBJECT.match(subject)
    if match is None:
        unquoted = _UNQUOTED.match(subject)
        return unquoted["what"] if unquoted is not None else None
    what = match["what"]
    return what if match["word"] == "Revert" else f'Revert "{what}"'


def named_changes(message: str) -> tuple[str, ...]:
    """What a revert without an id takes back, as `names` of that change, surest first."""
    pull = _PULL.search(message)
    subject = named_subject(message.partition("\n")[0].rstrip())
    number = (f"#{pull['number']}",) if pull is not None else ()
    return number if subject is None else (*number, *numbers(subject), without_number(subject))


def names(message: str) -> tuple[str, ...]:
    """What a later revert may call this change: its subject, the title of the request that it merged, its number."""
    subject, _, rest = message.partition("\n")
    subject = subject.rstrip()
    if subject.startswith("Merge "):
        pull = _MERGED_PULL.match(subject)
        title = rest[:1000].strip().partition("\n")[0].rstrip()
        return tuple(filter(None, (subject, without_number(title), pull[1] if pull is not None else "")))
    return (without_number(subject), *numbers(subject))


def numbers(subject: str) -> tuple[str, ...]:
    """The numbers that hosts appended to a subject when they squashed, as `#12`."""
    behind = _NUMBERED.search(subject) if subject.endswith(")") else None
    return tuple(behind[0].strip(" ()").split(") (")) if behind is not None else ()


def without_number(subject: str) -> str:
    """The subject without the numbers that a squashing host appends."""
    return _NUMBERED.sub("", subject) if subject.endswith(")") else subject


def resolve(
    graph: Graph,
    *,
    suspects: Mapping[int, str],
    messages: Callable[[], Sequence[str]],
    bits: Callable[[int], int],
) -> list[Revert]:
    """The reverts among `suspects` (commit -> message). `messages` (all) is asked only if some revert names no id."""
    found: list[Revert] = []
    by_name: dict[int, tuple[str, ...]] = {}
    for commit in sorted(suspects):
        message = suspects[commit]
        targets = [target for text in named_ids(message) if (target := graph.find(text)) is not None]
        earlier = [target for target in dict.fromkeys(targets) if not _is_later(graph, target, commit)]
        found += [Revert(commit=commit, reverted=target, by_id=True) for target in earlier]
        if not earlier and (named := named_changes(message)):
            by_name[commit] = named
    if by_name:
        found += _by_name(graph, by_name, messages(), bits)
    return sorted(found, key=lambda one: (one.commit, one.reverted))


def _is_later(graph: Graph, target: int, commit: int) -> bool:
    """Whether what is claimed to be reverted is a descendant, which is noise and could make a circle.

    The order of the indexes alone does not tell: a clock may be wrong on one of two branches.
    """
    return target == commit or (target > commit and graph.is_ancestor(commit, target, limit=FURTHEST_WALK))


def _by_name(
    graph: Graph, wanted: Mapping[int, tuple[str, ...]], messages: Sequence[str], bits: Callable[[int], int]
) -> list[Revert]:
    """The nearest commit of that name that the revert descends from."""
    asked = {name for named in wanted.values() for name in named}
    by_number = any(name.startswith("#") for name in asked)
    # The first letters rule nearly every message out before it is looked at.
    length = min(8, *map(len, asked))
    starts = {name[:length] for name in asked}
    places: dict[str, list[int]] = {}
    for commit, message in enumerate(messages):
        if by_number or message[:length] in starts or message.startswith("Merge "):
            for name in asked.intersection(names(message)):
                places.setdefault(name, []).append(commit)
    found = []
    for commit, named in wanted.items():
        known = (one for name in named for one in reversed(places.get(name, ())))
        target = next((one for one in known if _descends(graph, commit, one, bits)), None)
        if target is not None:
            found.append(Revert(commit=commit, reverted=target, by_id=False))
    return found


class InForce:
    """Which releases a change is in force in. `by` tells for every reverted commit what reverts it."""

    def __init__(self, graph: Graph, reverts: Iterable[Revert], copies: Copies, bits: Callable[[int], int]) -> None:
        self._bits = bits
        self.reverts_of: dict[int, list[int]] = {}
        self.by: dict[int, list[int]] = {}
        for revert in reverts:
            for target in _targets(graph, revert, copies, bits):
                self.by.setdefault(target, []).append(revert.commit)
                self.reverts_of.setdefault(revert.commit, []).append(target)
        self._force: dict[int, int] = {}
        # A revert stands above what it reverts, so going down every revert is judged before its target.
        for commit in sorted(self.by, reverse=True):
            dead = 0
            for revert_commit in self.by[commit]:
                dead |= self.bits(revert_commit)
            self._force[commit] = bits(commit) & ~dead

    def bits(self, commit: int) -> int:
        """The releases (and heads) that contain the commit in force."""
        force = self._force.get(commit)
        return self._bits(commit) if force is None else force

    def reverter(self, commit: int, *, bit: int) -> int | None:
        """The newest revert of the commit that is in force in that release, if any."""
        mask = 1 << bit
        return max((one for one in self.by.get(commit, ()) if self.bits(one) & mask), default=None)


def _targets(graph: Graph, revert: Revert, copies: Copies, bits: Callable[[int], int]) -> list[int]:
    """What a revert takes back: the commit, what it brought in if it is a merge, and their copies that came before."""
    direct = [revert.reverted]
    if revert.reverted in graph.more:
        direct += graph.side_of(revert.reverted, limit=LARGEST_MERGE)
    # A revert on one line often names the commit of another, whose pick it takes back: that commit itself stays.
    whole = _descends(graph, revert.commit, revert.reverted, bits)
    found = dict.fromkeys(one for one in direct if whole or _descends(graph, revert.commit, one, bits))
    for commit in direct:
        if copies.is_copied(commit):
            found.update(dict.fromkeys(_earlier_copies(graph, revert.commit, commit, copies, bits)))
    return list(found)


def _descends(graph: Graph, younger: int, older: int, bits: Callable[[int], int]) -> bool:
    """Whether `younger` descends from `older`; of those too far apart to be walked, what their releases say."""
    # Whatever contains a commit contains its ancestors: the quick test, before any walk.
    if older >= younger or bits(younger) & ~bits(older):
        return False
    return graph.is_ancestor(older, younger, limit=FURTHEST_WALK, otherwise=True)


def _earlier_copies(
    graph: Graph, revert: int, commit: int, copies: Copies, bits: Callable[[int], int]
) -> Iterable[int]:
    """Copies that the revert can have undone: its ancestors, which carry nothing else. A copy made later is a new start."""
    origins = copies.origins(commit)
    for other in copies.same(commit):
        if copies.origins(other) <= origins and _descends(graph, revert, other, bits):
            yield other
