"""What git says, and what a release manager may rely on: releases, containment, picks, reverts, tickets x lines.

`records` is what a source hands in; `HistoryBuilder` takes it and makes a `History`, told in the frozen `views`; the
`TicketTable` stands on a history. In between: `graph` is what is computed over all commits at once, `releases` reads tags
and branches, `picks` and `reverts` how commits relate, `evidence` where a change is. All pure.
"""

from releaser.domain.history.builder import HistoryBuilder
from releaser.domain.history.graph import members
from releaser.domain.history.history import Columns, History
from releaser.domain.history.records import OUTSIDE, BranchHead, CommitBatch, Refs, TagRef
from releaser.domain.history.table import TicketTable
from releaser.domain.history.views import (
    Carried,
    Change,
    Commit,
    Head,
    LineStatus,
    OnLine,
    Pick,
    PickLayer,
    Revert,
    Standing,
    TaggedRelease,
    TagTrouble,
    TicketCommit,
    TicketHistory,
    UnreadTag,
    Via,
)

__all__ = [
    "OUTSIDE",
    "BranchHead",
    "Carried",
    "Change",
    "Columns",
    "Commit",
    "CommitBatch",
    "Head",
    "History",
    "HistoryBuilder",
    "LineStatus",
    "OnLine",
    "Pick",
    "PickLayer",
    "Refs",
    "Revert",
    "Standing",
    "TagRef",
    "TagTrouble",
    "TaggedRelease",
    "TicketCommit",
    "TicketHistory",
    "TicketTable",
    "UnreadTag",
    "Via",
    "members",
]
