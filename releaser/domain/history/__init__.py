"""What git says, and what a release manager may rely on: releases, containment, picks, reverts, tickets x lines.

`records` is what a source hands in, `graph` what is computed over all commits at once, `picks` and `reverts` how
commits relate, `history.History` the whole, told in the frozen `views`. All pure.
"""

from releaser.domain.history.records import BranchHead, CommitBatch, Refs, TagRef
from releaser.domain.history.views import (
    Carried,
    Change,
    Commit,
    Head,
    LineStatus,
    Pick,
    PickLayer,
    Revert,
    Standing,
    TaggedRelease,
    TagTrouble,
    TicketOnLine,
    UnreadTag,
    Via,
)

__all__ = [
    "BranchHead",
    "Carried",
    "Change",
    "Commit",
    "CommitBatch",
    "Head",
    "LineStatus",
    "Pick",
    "PickLayer",
    "Refs",
    "Revert",
    "Standing",
    "TagRef",
    "TagTrouble",
    "TaggedRelease",
    "TicketOnLine",
    "UnreadTag",
    "Via",
]
