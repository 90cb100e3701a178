"""What the history tells, as frozen views for those who show or store it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.domain.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedRelease:
    """A version that a tag made available.

    `rank` is its place in version order and its bit in release sets. `previous` is the highest earlier stable for a
    stable; for a patch the highest earlier stable or patch of its line; for a candidate the highest earlier version
    of its line, candidates too; where the line has none, the highest stable below. `released_at` is the tagger's
    date, or the commit's for a lightweight tag.
    """

    version: Version
    tag: str
    tag_object: str
    commit: str
    released_at: datetime
    previous: Version | None
    previous_tag: str | None
    rank: int

    @property
    def line(self) -> str:
        """The line it belongs to by number."""
        return self.version.line


class TagTrouble(StrEnum):
    """Why a tag made no release."""

    NO_VERSION = "no-version"
    NO_COMMIT = "no-commit"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadTag:
    """A tag that made no release, to be reported once. `version` names the release it doubles, if it does."""

    name: str
    object_id: str
    trouble: TagTrouble
    version: Version | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A branch's newest commit; `line` is the line it carries by its name, None for the main branch and all others."""

    branch: str
    commit: str
    line: str | None
    main: bool
    bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit as people see it. `subject` is the first paragraph on one line; all text is untrusted."""

    index: int
    id: str
    parents: tuple[str, ...]
    author: str
    author_mail: str
    authored_at: datetime
    committed_at: datetime
    subject: str
    message: str
    tickets: tuple[TicketLink, ...]


class PickLayer(StrEnum):
    """How a pick was recognised, surest first."""

    TRAILER = "trailer"
    PATCH = "patch"
    """Only where it was asked for: see `patches`."""
    AUTHORSHIP = "authorship"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """`commit` is a copy of `source`. `source_id` is the id as far as known; `source` is None when it is not here."""

    commit: int
    source: int | None
    source_id: str
    layer: PickLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """`commit` takes `reverted` back; `by_id` tells whether it names the id, or only the subject."""

    commit: int
    reverted: int
    by_id: bool


class Standing(StrEnum):
    """What a changelog does with a commit that is new in a release.

    SHOWN: as it is. REVERTED: taken back within this very release, neither it nor its revert is shown.
    REVERT: it takes back what an earlier release of the line had; shown as "Reverted". REPEATED: the line already
    had it, as itself or as a pick.
    """

    SHOWN = "shown"
    REVERTED = "reverted"
    REVERT = "revert"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What a revert of something that shipped does: `subject` names what it takes back, or brings back if `is_again`.

    `own` is what the revert says of itself, empty when it only quotes; `tickets` are those of what it is about, `message`
    is that change's whole message where it is at hand.
    """

    subject: str
    own: str
    tickets: tuple[TicketLink, ...]
    is_again: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit that is new in a release.

    `reverted_by` is the revert in force in this release, else one in force in any other; `reverts` the ids it takes
    back itself; `picked_from` its nearest source, which may be missing here (of a revert that quotes the trailer of a pick,
    the source of that pick: evidence only, such a revert is no copy). `undoing` is told where it stands as `REVERT`.
    """

    commit: Commit
    standing: Standing
    picked_from: str | None
    reverted_by: str | None
    reverts: tuple[str, ...]
    undoing: Undoing | None = None


class Via(StrEnum):
    """How a release came to have a change."""

    SELF = "self"
    PICK = "pick"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A release that has the change asked for, and the commit that brought it."""

    release: TaggedRelease
    via: Via
    commit: str


class LineStatus(StrEnum):
    """What is known of a ticket on a line. The history alone says fixed, affected (reverted) or unknown."""

    UNAFFECTED = "unaffected"
    AFFECTED = "affected"
    FIXED = "fixed"
    VERIFIED = "verified"
    WONTFIX = "wontfix"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnLine:
    """A change or ticket on one line, with evidence.

    `landed` tells whether it is in force at the line's end: its branch, else its newest release. `first` is the line's
    first release that has it (a candidate only if no other does), `via` and `commit` how it came there; None where no
    release has it. `reverted_by` names what took it back when the status is affected.
    """

    line: str
    status: LineStatus
    landed: bool
    first: TaggedRelease | None
    via: Via | None
    commit: str | None
    reverted_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCommit:
    """One commit of a ticket; `relation` is None for a pick that does not name the ticket itself."""

    commit: int
    id: str
    relation: TicketRelation | None
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketHistory:
    """All that the history knows of a ticket; `lines` has every line, newest last."""

    key: str
    commits: tuple[TicketCommit, ...]
    releases: tuple[Carried, ...]
    lines: tuple[OnLine, ...]
    heads: tuple[Head, ...]
