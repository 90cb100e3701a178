"""What takes back what, and which changes are still in force in which releases.

A commit is in force in a release when the release contains it and contains no revert of it that is in force there
itself. That one rule gives the parity of reverts of reverts, keeps a revert that was picked to one line to that line,
and needs no order of dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from releaser.domain.history.graph import Graph
from releaser.domain.history.picks import LARGEST_MERGE, Copies
from releaser.domain.history.views import Revert

FURTHEST_WALK = 20_000
_IDS = re.compile(
    r"\brevert(?:s|ed|ing)?(?: the)?(?: merge)?(?: commits?)?:?((?:[\s,;&]{1,4}(?:and\s)?(?:commit\s)?[0-9a-f]{7,64}\b){1,50})",
    re.IGNORECASE,
)
_ID = re.compile(r"\b[0-9a-f]{7,64}\b", re.IGNORECASE)
_SUBJECT = re.compile(r"(?P<word>Revert|Reapply) (?P<mark>[\"'])(?P<what>.{1,500})(?P=mark)(?: \(#[0-9]{1,9}\))?\.?$")
_NUMBERED = re.compile(r" \(#[0-9]{1,9}\)$")


def may_revert(message: str) -> bool:
    """A quick look, before any regular expression."""
    return "evert" in message or message.startswith("Reapply ")


def named_ids(message: str) -> tuple[str, ...]:
    """The ids that a message says it reverts; a partial revert names none."""
    found: dict[str, None] = {}
    for match in _IDS.finditer(message):
        if "partial" not in message[max(0, match.start() - 20) : match.start()].lower():
            found.update(dict.fromkeys(one.lower() for one in _ID.findall(match[1])))
    return tuple(found)


def named_subject(subject: str) -> str | None:
    """The subject that a revert without an id takes back: what stands in its quotes."""
    match = _SUBJECT.match(subject)
    if match is None:
        return None
    what = match["what"]
    return f'Revert "{what}"' if match["word"] == "Reapply" else what


def without_number(subject: str) -> str:
    """The subject without the number that a squashing host appends."""
    return _NUMBERED.sub("", subject)


def resolve(
    graph: Graph,
    *,
    suspects: Mapping[int, str],
    subjects: Callable[[], Sequence[str]],
    bits: Callable[[int], int],
) -> list[Revert]:
    """The reverts among `suspects` (commit -> message). `subjects` is asked only if some revert names no id."""
    found: list[Revert] = []
    by_subject: dict[int, str] = {}
    for commit in sorted(suspects):
        message = suspects[commit]
        targets = [target for text in named_ids(message) if (target := graph.find(text)) is not None]
        # What is reverted came before; a claim to revert a descendant is noise, and could make a circle.
        earlier = [target for target in targets if target < commit]
        found += [Revert(commit=commit, reverted=target, by_id=True) for target in dict.fromkeys(earlier)]
        if not earlier and (what := named_subject(message.partition("\n")[0].rstrip())) is not None:
            by_subject[commit] = without_number(what)
    if by_subject:
        found += _by_subject(by_subject, subjects(), bits)
    return sorted(found, key=lambda one: (one.commit, one.reverted))


def _by_subject(wanted: Mapping[int, str], subjects: Sequence[str], bits: Callable[[int], int]) -> list[Revert]:
    """The nearest earlier commit with that subject that is wherever the revert is."""
    asked = set(wanted.values())
    places: dict[str, list[int]] = {}
    for commit, subject in enumerate(subjects):
        text = without_number(subject) if subject.endswith(")") else subject
        if text in asked:
            places.setdefault(text, []).append(commit)
    found = []
    for commit, text in wanted.items():
        mine = bits(commit)
        fits = (one for one in reversed(places.get(text, ())) if one < commit and not mine & ~bits(one))
        target = next(fits, None)
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
    found = dict.fromkeys(direct)
    for commit in direct:
        if copies.is_copied(commit):
            found.update(dict.fromkeys(_earlier_copies(graph, revert.commit, commit, copies, bits)))
    return [commit for commit in found if commit < revert.commit]


def _earlier_copies(
    graph: Graph, revert: int, commit: int, copies: Copies, bits: Callable[[int], int]
) -> Iterable[int]:
    """Copies that the revert can have undone: its ancestors, which carry nothing else. A copy made later is a new start."""
    origins = copies.origins(commit)
    mine = bits(revert)
    for other in copies.same(commit):
        # Whatever contains the revert contains its ancestors: the quick test, before any walk.
        if other >= revert or mine & ~bits(other) or not copies.origins(other) <= origins:
            continue
        if graph.is_ancestor(other, revert, limit=FURTHEST_WALK):
            yield other
