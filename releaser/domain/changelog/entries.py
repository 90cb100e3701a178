"""What a changelog holds, and which of Keep a Changelog's sections a commit belongs to.

Rules: a changelog is complete (every commit that is new in a release stands in its data) and it tells each change
once: what was taken back before the release, and what the line already had, is not announced. A commit says its
section by its conventional prefix (`feat:`, `fix(api)!:`; Conventional Commits 1.0.0), else by its relation to tickets.
What breaks something says so by `!` or by a footer `BREAKING CHANGE: ...`, whose text is told as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from releaser.domain.changelog.text import plain, shortened
from releaser.domain.history import Change, History, Standing, TaggedRelease, Undoing
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.i18n import Translator, mark

SHORT_ID = 10
"""Digits of an id that people are shown."""


class Section(StrEnum):
    """Keep a Changelog's sections, in its order."""

    ADDED = "added"
    CHANGED = "changed"
    DEPRECATED = "deprecated"
    REMOVED = "removed"
    FIXED = "fixed"
    SECURITY = "security"

    # An enumeration's own is written in Python, and every line of a changelog is put under a section.
    __hash__ = str.__hash__


class Turn(StrEnum):
    """What a revert does to a change that shipped: it takes it back, or brings it back."""

    REVERTED = "reverted"
    AGAIN = "again"


TURNED = {Turn.REVERTED: mark("Reverted: {what}"), Turn.AGAIN: mark("Again: {what}")}
"""How that is told, in front of what it is about."""


class Sources(StrEnum):
    """What the entries of a changelog are made of: what people wrote as fragments, commits, or both without doubling."""

    BOTH = "both"
    COMMITS = "commits"
    FRAGMENTS = "fragments"


TITLES = {
    Section.ADDED: mark("Added"),
    Section.CHANGED: mark("Changed"),
    Section.DEPRECATED: mark("Deprecated"),
    Section.REMOVED: mark("Removed"),
    Section.FIXED: mark("Fixed"),
    Section.SECURITY: mark("Security"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogCommit:
    """One commit that is new in a release. All text is untrusted; `message` is empty where only the subject is kept.

    `breaking` is what the message says of what it breaks (see `breaking_of`), for where the message is not kept. `undoing`
    is what it takes back or brings back of what shipped.
    """

    id: str
    subject: str
    tickets: tuple[TicketLink, ...] = ()
    picked_from: str | None = None
    reverted_by: str | None = None
    standing: Standing = Standing.SHOWN
    is_merge: bool = False
    message: str = ""
    breaking: str = ""
    undoing: Undoing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a changelog. `text` is plain, untrusted text, or Markdown where `is_markdown`.

    `warning` is the plain text of what it breaks, where more is said of it; `corrected_on` the day its text was corrected
    after it was published; `turn` that the text names what was taken back, or brought back; `own` are
    the words of what did that, where it says more than that.
    """

    section: Section
    text: str
    tickets: tuple[str, ...] = ()
    commit: str = ""
    is_breaking: bool = False
    is_markdown: bool = False
    warning: str = ""
    corrected_on: date | None = None
    turn: Turn | None = None
    own: str = ""


UNKNOWN = {
    "gone": mark("What changed in it is not known: its tag is gone from the repository, and so is its commit."),
    "unread": mark("What changed in it is not known: its tag is no version in the format of the product's tags."),
}
"""Why nobody can tell what is new in a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogRelease:
    """A release as the changelog tells it. `previous` is the tag it is told against, None for the first of all.

    `released_on` is None while it is not released, `version` is empty while it has none; `written` are entries that people
    wrote (fragments). `yank_reason` is why it was withdrawn, `unknown` a text to be translated that says why nobody can tell
    what is new in it (one of `UNKNOWN`); then it has no commits.
    """

    version: str
    tag: str
    line: str
    released_on: date | None
    previous: str | None
    commits: tuple[ChangelogCommit, ...]
    written: tuple[Entry, ...] = ()
    is_yanked: bool = False
    yank_reason: str = ""
    unknown: str = ""
    sources: Sources = Sources.BOTH

    @property
    def corrected_on(self) -> date | None:
        """The day on which any of its texts was corrected last."""
        return max((entry.corrected_on for entry in self.written if entry.corrected_on), default=None)


_CONVENTIONAL = re.compile(
    r"(?P<type>[A-Za-z]{2,12})(?:\((?P<scope>[^()]{0,80})\))?(?P<breaking>!)?(?P<colon>:)\s+(?=\S)"
)
_LONGEST_PREFIX = 100
_TYPES = {
    "feat": Section.ADDED,
    "feature": Section.ADDED,
    "add": Section.ADDED,
    "fix": Section.FIXED,
    "bugfix": Section.FIXED,
    "hotfix": Section.FIXED,
    "security": Section.SECURITY,
    "sec": Section.SECURITY,
    "deprecate": Section.DEPRECATED,
    "deprecated": Section.DEPRECATED,
    "remove": Section.REMOVED,
    "removed": Section.REMOVED,
    "change": Section.CHANGED,
    "perf": Section.CHANGED,
    "refactor": Section.CHANGED,
    "docs": Section.CHANGED,
    "style": Section.CHANGED,
    "test": Section.CHANGED,
    "build": Section.CHANGED,
    "ci": Section.CHANGED,
    "chore": Section.CHANGED,
    "revert": Section.CHANGED,
}
_BREAKING_FOOTER = re.compile(
    r"^BREAKING[ -]CHANGE:[ \t]+(?P<text>\S.*(?:\r?\n(?![\w-]+(?:: | #)).*\S.*)*)", re.MULTILINE
)


def commit_of(change: Change) -> ChangelogCommit:
    """What the changelog needs of a change that the history tells."""
    commit = change.commit
    return ChangelogCommit(
        id=commit.id,
        subject=commit.subject,
        tickets=commit.tickets,
        picked_from=change.picked_from,
        reverted_by=change.reverted_by,
        standing=change.standing,
        is_merge=len(commit.parents) > 1,
        message=commit.message,
        breaking=breaking_of(commit.message),
        undoing=change.undoing,
    )


def breaking_of(message: str) -> str:
    """The text of a message's footer `BREAKING CHANGE: ...` or `BREAKING-CHANGE: ...` on one line, empty without one."""
    # Looked for first: an expression for each of many thousand messages costs more.
    found = _BREAKING_FOOTER.search(message) if "BREAKING" in message else None
    return shortened(plain(found["text"])) if found else ""


def release_of(history: History, release: TaggedRelease) -> ChangelogRelease:
    """What the changelog tells of a tagged release, straight from the history."""
    return ChangelogRelease(
        version=release.version.text,
        tag=release.tag,
        line=release.line,
        released_on=release.released_at.date(),
        previous=release.previous_tag,
        commits=tuple(map(commit_of, history.changes(release))),
    )


def is_own(subject: str) -> bool:
    """Whether the commit does nothing but write the changelog, by its subject."""
    return subject.startswith("docs(changelog): ")


def says_merge(subject: str) -> bool:
    """Whether it is a subject that git or a host gives to a merge."""
    return subject.startswith(("Merge ", "Merged "))


def is_plain_merge(commit: ChangelogCommit) -> bool:
    """Whether it is a merge that says nothing of its own and warns of nothing."""
    return commit.is_merge and says_merge(commit.subject) and not (commit.breaking or breaking_of(commit.message))


def keys_of(commit: ChangelogCommit) -> tuple[str, ...]:
    """The tickets a commit names, each once; behind them those that it takes back or brings back."""
    undone = commit.undoing.tickets if commit.undoing else ()
    return tuple(dict.fromkeys(link.key for link in (*commit.tickets, *undone)))


class Said(NamedTuple):
    """What a commit's subject says: the section it belongs to, the plain text without prefix and keys, and `!`."""

    section: Section
    text: str
    is_breaking: bool


def said_by(subject: str, keys: tuple[str, ...], *, fixes: bool) -> Said:
    """Read a subject; `keys` are the tickets that the commit names, `fixes` whether it fixes any of them."""
    bare = _without_keys(plain(subject), keys) if keys else plain(subject)
    prefix = _prefix_of(bare) if ":" in bare else None
    if prefix is None:
        return Said(Section.FIXED if fixes else Section.CHANGED, shortened(bare), is_breaking=False)
    text = bare
    if prefix.section is not None:
        text = _without_keys(bare[prefix.length :].lstrip(), keys)
        if prefix.scope:
            text = f"{prefix.scope}: {text}"
    section = prefix.section or (Section.FIXED if fixes else Section.CHANGED)
    return Said(section, shortened(_without_keys(text, keys)), is_breaking=prefix.is_breaking)


class _Prefix(NamedTuple):
    """A conventional prefix with its colon, `length` characters of it. `section` is None for a type that nobody knows."""

    section: Section | None
    scope: str
    is_breaking: bool
    length: int


def _prefix_of(bare: str) -> _Prefix | None:
    """The conventional prefix of a text that has a colon."""
    head, _, rest = bare.partition(":")
    # Nearly all of a history's subjects begin in one of a few ways; only a scope with a colon in it is read by itself.
    if "(" in head and ")" not in head:
        return _read_prefix(bare)
    return _known_prefix(head) if rest[:1].isspace() else None


def _read_prefix(text: str) -> _Prefix | None:
    found = _CONVENTIONAL.match(text)
    if found is None:
        return None
    return _Prefix(
        section=_TYPES.get(found["type"].lower()),
        scope=(found["scope"] or "").strip(),
        is_breaking=found["breaking"] is not None,
        length=found.end("colon"),
    )


@lru_cache(maxsize=4096)
def _known_prefix(head: str) -> _Prefix | None:
    """The prefix that stands before the first colon."""
    return _read_prefix(f"{head}: text") if len(head) <= _LONGEST_PREFIX else None


def entry_of(commit: ChangelogCommit) -> Entry:
    """The changelog's line for a commit."""
    if commit.undoing is not None:
        return undoing_entry(commit, commit.undoing)
    keys = keys_of(commit)
    fixes = any(link.relation is TicketRelation.FIXES for link in commit.tickets)
    said = said_by(commit.subject, keys, fixes=fixes)
    warning = commit.breaking or breaking_of(commit.message)
    return Entry(
        section=Section.CHANGED if commit.standing is Standing.REVERT else said.section,
        text=said.text or commit.id[:SHORT_ID],
        tickets=keys,
        commit=commit.id,
        is_breaking=bool(warning or said.is_breaking),
        warning=warning,
    )


def undoing_entry(commit: ChangelogCommit, undoing: Undoing) -> Entry:
    """The line for what takes back, or brings back, what shipped: by what that was, not by what git calls it."""
    keys = keys_of(commit)
    fixes = any(link.relation is TicketRelation.FIXES for link in undoing.tickets)
    said = said_by(undoing.subject, keys, fixes=fixes)
    own = said_by(undoing.own, keys, fixes=any(link.relation is TicketRelation.FIXES for link in commit.tickets))
    section = said.section if undoing.is_again else Section.CHANGED
    warning = commit.breaking or breaking_of(commit.message)
    return Entry(
        section=own.section if undoing.own else section,
        text=said.text or commit.id[:SHORT_ID],
        own=own.text,
        tickets=keys,
        commit=commit.id,
        is_breaking=bool(warning or (undoing.is_again and said.is_breaking)),
        warning=warning,
        turn=Turn.AGAIN if undoing.is_again else Turn.REVERTED,
    )


def turned(text: str, turn: Turn | None, t: Translator, *, own: str = "") -> str:
    """The text with what was done to it in front, and before that the own words of who did it."""
    told = t(TURNED[turn], what=text) if turn is not None else text
    return f"{own} \u2013 {told}" if own else told


def is_turned(text: str, t: Translator) -> bool:
    """Whether a text tells that a change was taken back, or brought back."""
    return text.startswith(tuple(t(words, what="") for words in TURNED.values()))


def _without_keys(text: str, keys: tuple[str, ...]) -> str:
    """`[APP-1] text` and `APP-1: text` without the keys in front, which are shown behind."""
    if not text.startswith(keys) and text[:1] != "[":
        return text
    left = text
    while left:
        for key in keys:
            if left.startswith(key):
                rest = left[len(key) :]
            elif left.startswith(f"[{key}]"):
                rest = left[len(key) + 2 :]
            else:
                continue
            if not rest or rest[0].isspace() or rest[0] in ":,;[-\u2013":
                left = rest.lstrip(" \t:,;-\u2013")
                break
        else:
            break
    return left or text


def entries_of(release: ChangelogRelease) -> tuple[Entry, ...]:
    """What the changelog tells of a release: what people wrote, then its commits.

    Left out are what was taken back within the release, what its line already had, commits whose every ticket
    somebody wrote an entry for, those that do nothing but write the changelog, and merges that say nothing of their own:
    what they merged is told by its commits. A release whose entries are to be fragments alone and that has none is told by
    its commits.
    """
    if release.sources is Sources.FRAGMENTS and release.written:
        return release.written
    written = {key for entry in release.written for key in entry.tickets}
    told = []
    kept = [commit for commit in release.commits if commit.standing not in {Standing.REVERTED, Standing.REPEATED}]
    named = {key for commit in kept if not commit.is_merge for key in keys_of(commit)}
    for commit in kept:
        if is_own(commit.subject) or (is_plain_merge(commit) and named.issuperset(keys_of(commit))):
            continue
        entry = entry_of(commit)
        if not (entry.tickets and written.issuperset(entry.tickets)):
            told.append(entry)
    return (*release.written, *told)


def by_section(entries: Iterable[Entry]) -> dict[Section, list[Entry]]:
    """Entries under their sections, in Keep a Changelog's order; empty sections are left out."""
    grouped: dict[Section, list[Entry]] = {section: [] for section in Section}
    for entry in entries:
        grouped[entry.section].append(entry)
    return {section: found for section, found in grouped.items() if found}
