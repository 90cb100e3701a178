"""The life of a release: from a cut to a published version.

A release is a version made available. It is *cut* (commit, version and tag fixed), becomes a *candidate* (images
resolved to digests), is *promoted* (the same bits, proved) and *published* (customers can see it). A published
release may be *yanked*; a cut stopped before publishing is *abandoned* and its number is burned. Releases found
in a repository's history are `IMPORTED` facts: published, but by somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ReleaseState(StrEnum):
    """Where a release stands."""

    CUTTING = "cutting"
    CANDIDATE = "candidate"
    PROMOTED = "promoted"
    PUBLISHED = "published"
    YANKED = "yanked"
    ABANDONED = "abandoned"


class CutKind(StrEnum):
    """What a person asks to cut."""

    STABLE = "stable"
    PATCH = "patch"


class CutStep(StrEnum):
    """The durable steps of a cut, in order; each names what is done once it is recorded."""

    NUMBERED = "numbered"
    NOTES_FROZEN = "notes-frozen"
    TAGGED = "tagged"
    PUSHED = "pushed"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


MOVES: Mapping[ReleaseState, frozenset[ReleaseState]] = {
    ReleaseState.CUTTING: frozenset({ReleaseState.CANDIDATE, ReleaseState.ABANDONED}),
    ReleaseState.CANDIDATE: frozenset({ReleaseState.PROMOTED, ReleaseState.ABANDONED}),
    ReleaseState.PROMOTED: frozenset({ReleaseState.PUBLISHED, ReleaseState.ABANDONED}),
    ReleaseState.PUBLISHED: frozenset({ReleaseState.YANKED}),
    ReleaseState.YANKED: frozenset(),
    ReleaseState.ABANDONED: frozenset(),
}
