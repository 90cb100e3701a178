"""What git says, and what a release manager may rely on: releases, containment, picks, reverts, tickets x lines.

`records` is what a source hands in; `HistoryBuilder` takes it and makes a `History`, told in the frozen `views`; the
`TicketTable` stands on a history. All pure.

A history stands on an `Index`: `said` takes out of messages what they say (`picks`, `reverts`), `arrival` brings commits into order,
`graph` holds them with `statements`, `containment` and `releases` tell which tips contain them, `relations` (`copies`, `force`) how they
relate, `links`, `classes` and `tickets` which tickets they fix, `evidence` where a change is, `marks` what a changelog does with it, and
`answers` keeps what was worked out. `growth` brings an index up to date with what is new, and
`Delta` tells what became other by that: who keeps a history elsewhere, and is at `delta.since`, writes only what stands there.
Places of commits, numbers of sets and numbers of classes stay the same on the way; a history that was built at once (`delta.whole`)
has numbers of its own.
"""

from releaser.domain.history.builder import HistoryBuilder
from releaser.domain.history.columns import Columns
from releaser.domain.history.delta import Delta, TagMove
from releaser.domain.history.graph import members
from releaser.domain.history.history import History
from releaser.domain.history.index import Index
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
    Undoing,
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
    "Delta",
    "Head",
    "History",
    "HistoryBuilder",
    "Index",
    "LineStatus",
    "OnLine",
    "Pick",
    "PickLayer",
    "Refs",
    "Revert",
    "Standing",
    "TagMove",
    "TagRef",
    "TagTrouble",
    "TaggedRelease",
    "TicketCommit",
    "TicketHistory",
    "TicketTable",
    "Undoing",
    "UnreadTag",
    "Via",
    "members",
]
