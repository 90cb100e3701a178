"""What counts for a ticket on a line: what the history shows, what people state, and where the two disagree.

Three voices, kept apart and told apart:

- the **evidence** (`domain.history`): fixed, affected because it was taken back, or unknown;
- the **found in**: a version on which a person saw the fault, perhaps stated to be the *first* that has it;
- the **override** of a person, with a reason. It decides, and where it says otherwise than the other two that is told.

The first two are put together by this table. How a line stands to the found-in version is a `Reach`.

| evidence | not stated | reached | before the first | apart |
|---|---|---|---|---|
| fixed | fixed | fixed | fixed | fixed |
| fixed, but so was the version on which it was seen | – | affected | unknown | unknown |
| taken back | affected | affected | affected | affected |
| unknown | unknown | affected | unaffected | unknown |

So a line is *unaffected* only where a person stated the first bad version, and everything the line released is older by
number: "seen on" alone never says that an older line is fine. A line of a higher number that does not contain the faulty
version (which may stand on a side branch) stays unknown. *verified* and *wontfix* are for people to say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from releaser.domain.history import LineStatus
from releaser.domain.version import Version

OPEN = frozenset({LineStatus.AFFECTED, LineStatus.UNKNOWN})
"""What somebody still has to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person's word on a ticket's status on a line."""

    ticket: str
    line: str
    status: LineStatus
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundIn:
    """A version on which the fault was seen; `is_first` says that no version before it has the fault."""

    version: str
    is_first: bool
    by: str
    at: datetime | None


class Reach(StrEnum):
    """How a line stands to the version on which a fault was seen."""

    NOT_STATED = "not-stated"
    REACHED = "reached"
    BEFORE = "before"
    APART = "apart"


class Evidence(StrEnum):
    """What the history shows. REFUTED: fixed by nothing that the version on which the fault was seen did not have."""

    FIXED = "fixed"
    REFUTED = "refuted"
    AFFECTED = "affected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A ticket on a line. `status` counts; `derived` is what it would be without the override.

    `is_conflict` tells that the override says otherwise than `derived`.
    """

    line: str
    status: LineStatus
    derived: LineStatus
    evidence: Evidence
    reach: Reach
    override: Override | None
    is_conflict: bool


_UNREFUTED = {Evidence.FIXED: LineStatus.FIXED, Evidence.AFFECTED: LineStatus.AFFECTED}
_REACHED = {Evidence.REFUTED: LineStatus.AFFECTED, Evidence.UNKNOWN: LineStatus.AFFECTED}
_BEFORE = {Evidence.UNKNOWN: LineStatus.UNAFFECTED}
_TABLE = {
    Reach.NOT_STATED: _UNREFUTED,
    Reach.REACHED: _UNREFUTED | _REACHED,
    Reach.BEFORE: _UNREFUTED | _BEFORE,
    Reach.APART: _UNREFUTED,
}
# A person may know more than the evidence without contradicting it.
_AGREEING = {
    LineStatus.VERIFIED: LineStatus.FIXED,
    LineStatus.WONTFIX: LineStatus.AFFECTED,
}


def derive(evidence: Evidence, reach: Reach) -> LineStatus:
    """What evidence and found-in say together: the table above."""
    return _TABLE[reach].get(evidence, LineStatus.UNKNOWN)


def judge(line: str, evidence: Evidence, reach: Reach, override: Override | None) -> Judged:
    """What counts for a ticket on `line`."""
    derived = derive(evidence, reach)
    return Judged(
        line=line,
        status=override.status if override else derived,
        derived=derived,
        evidence=evidence,
        reach=reach,
        override=override,
        is_conflict=override is not None and disagrees(override.status, derived),
    )


def disagrees(stated: LineStatus, derived: LineStatus) -> bool:
    """Whether a person says otherwise than what is derived; of what is unknown anything may be said."""
    return derived not in {LineStatus.UNKNOWN, stated, _AGREEING.get(stated)}


def reach_of(
    line: str, released: Sequence[Version], found_in: Version | None, *, is_first: bool, having: Collection[Version]
) -> Reach:
    """How a line stands to `found_in`: `released` are its releases, `having` all releases that contain that version.

    A line without releases is never *before*: what is on it is not known.
    """
    if found_in is None:
        return Reach.NOT_STATED
    if found_in.line == line or any(version in having for version in released):
        return Reach.REACHED
    if is_first and released and all(version < found_in for version in released):
        return Reach.BEFORE
    return Reach.APART
