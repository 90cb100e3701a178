"""What the commits that a cut would bring are for a line's policy: features, fixes, security fixes, or housekeeping.

A commit's kind is told, first match wins, by

1. a ticket of its that a person marked as a *feature*;
2. a conventional commit that breaks compatibility (`feat!:`, `BREAKING CHANGE:`): it counts as a feature;
3. a ticket marked as *security*; a conventional type `security` or `sec`, or the scope `security`; the id of a published
   weakness (`CVE-2024-1234`, `GHSA-…`) in its message: a security fix;
4. a ticket marked as a *fix*;
5. its conventional type: `feat`, `feature` and `add` are features; `docs`, `test`, `ci` and `style` are housekeeping, which
   cannot change what the product does; `fix` and its like are fixes;
6. else it is a fix when it fixes a ticket, and something other when not.

A commit that takes back an earlier one is judged by what it takes back. Merges are not judged: what they bring is judged itself.
What only writes the changelog is no content at all, nor is what touches none of the paths of a product that shares its repository.

What does not live here: what a policy makes of it (`domain.gate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from releaser.domain.changelog import Section, commit_of, entry_of
from releaser.domain.changelog.entries import is_own
from releaser.domain.history import OUTSIDE, Change, Commit, Standing
from releaser.domain.line import TicketKind
from releaser.domain.ticket import TicketRelation


class ChangeKind(StrEnum):
    """What a commit is for a line's policy."""

    FEATURE = "feature"
    SECURITY = "security"
    FIX = "fix"
    HOUSEKEEPING = "housekeeping"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """One commit that a cut would bring. `fixes` and `refs` are the tickets it names; all text is untrusted."""

    commit: str
    subject: str
    kind: ChangeKind
    standing: Standing
    is_merge: bool = False
    fixes: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()

    @property
    def tickets(self) -> tuple[str, ...]:
        """Every ticket it names."""
        return (*self.fixes, *self.refs)


_WEAKNESS = re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,}\b|\bGHSA(?:-[0-9a-z]{4}){3}\b", re.IGNORECASE)
_REVERT = re.compile(r'^(?:Revert|Reapply) "(.*)"', re.DOTALL)
_TYPED = re.compile(r"([A-Za-z]{2,12})(?:\(([^()]{0,80})\))?!?:\s")
_HOUSEKEEPING = frozenset({"docs", "doc", "test", "tests", "ci", "style"})


def is_content(commit: Commit) -> bool:
    """Whether a commit counts as something new: not what only writes the changelog, nor what is outside of a product's paths."""
    return commit.message != OUTSIDE and not is_own(commit.subject)


def brought(changes: Iterable[Change], *, marks: Mapping[str, TicketKind]) -> tuple[Brought, ...]:
    """The changes that are content as a cut brings them, in the order given. `marks` are what people say of tickets."""
    return tuple(_brought(change, marks) for change in changes if is_content(change.commit))


def _brought(change: Change, marks: Mapping[str, TicketKind]) -> Brought:
    links = change.commit.tickets
    return Brought(
        commit=change.commit.id,
        subject=change.commit.subject,
        kind=kind_of(change, marks),
        standing=change.standing,
        is_merge=len(change.commit.parents) > 1,
        fixes=tuple(link.key for link in links if link.relation is TicketRelation.FIXES),
        refs=tuple(link.key for link in links if link.relation is TicketRelation.REFS),
    )


def kind_of(change: Change, marks: Mapping[str, TicketKind]) -> ChangeKind:
    """What one change is for a line's policy; see the module's rules."""
    told = commit_of(change)
    stated = {marks[link.key] for link in told.tickets if link.key in marks}
    taken_back = _REVERT.match(told.subject)
    subject = taken_back[1] if taken_back else told.subject
    typed = _TYPED.match(subject)
    kind, scope = (typed[1].lower(), (typed[2] or "").strip().lower()) if typed else ("", "")
    entry = entry_of(told)
    if TicketKind.FEATURE in stated or entry.is_breaking:
        return ChangeKind.FEATURE
    says = kind in {"security", "sec"} or scope == "security" or _WEAKNESS.search(change.commit.message) is not None
    if TicketKind.SECURITY in stated or says:
        return ChangeKind.SECURITY
    if TicketKind.FIX in stated:
        return ChangeKind.FIX
    if kind in _HOUSEKEEPING:
        return ChangeKind.HOUSEKEEPING
    return {Section.ADDED: ChangeKind.FEATURE, Section.FIXED: ChangeKind.FIX}.get(entry.section, ChangeKind.OTHER)
