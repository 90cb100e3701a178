"""Tell what a clone has that no release has yet: commits of a branch, and the fragments that people put beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from releaser.domain.changelog import ChangelogRelease, Fragment, commit_of, entries_from
from releaser.domain.history import Head, History, TaggedRelease
from releaser.domain.history.releases import previous_versions
from releaser.domain.tag_format import guess_tag_format
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat, Version, VersionKind, parse
from releaser.errors import ConflictError
from releaser.flows.narrow_repository import narrow_repository
from releaser.flows.read_history import read_history
from releaser.flows.read_in_place import Habits
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.sources.source import BranchNotFoundError, Progress, Repository


class AlreadyTaggedError(ConflictError):
    """The version is released: what it holds stands."""


def read_unreleased(
    repository: Repository,
    *,
    habits: Habits,
    branch: str = "",
    version: str = "",
    on: date | None = None,
    fragments: Sequence[Fragment] = (),
    language: str = DEFAULT_LANGUAGE,
    progress: Progress | None = None,
) -> ChangelogRelease:
    """What the branch (the default one when empty) has that the release before has not, as `version` of that day.

    Without a version it is told as what is not released yet, against the highest release that the branch holds. Unlike
    `read_in_place` it needs no release. Raises `BranchNotFoundError`, `AlreadyTaggedError`, `InvalidVersionError`,
    `InvalidTagFormatError`, `InvalidTicketPatternError`, and the errors of `sources.source`.
    """
    numbered = parse(version, scheme=habits.scheme) if version else None
    patterns = TicketPatterns(habits.ticket_patterns)
    refs = repository.refs()
    tag_format = (
        TagFormat(scheme=habits.scheme, text=habits.tag_format)
        if habits.tag_format is not None
        else guess_tag_format((tag.name for tag in refs.tags), scheme=habits.scheme)
    )
    narrowed = narrow_repository(repository, habits.paths)
    history = read_history(
        narrowed,
        refs,
        tag_format=tag_format,
        patterns=patterns,
        paths=habits.paths,
        keeping=habits.cached,
        progress=progress,
    )
    head = _head(history, branch or refs.main or "")
    previous = _before(history, head, numbered)
    before = history.release(previous) if previous else None
    return ChangelogRelease(
        version=numbered.text if numbered else "",
        tag=_tag(numbered, before, tag_format) if numbered else "",
        line=numbered.line if numbered else "",
        released_on=on if numbered else None,
        previous=before.tag if before else None,
        commits=tuple(commit_of(change) for change in history.pending(head, since=previous)),
        written=entries_from(fragments, language=language),
    )


def _head(history: History, branch: str) -> Head:
    for head in history.heads:
        if head.branch == branch:
            return head
    known = ", ".join(head.branch for head in history.heads[-8:])
    raise BranchNotFoundError(
        f"The repository has no branch {branch[:200]!a}.", advice=f"It has: {known or 'none'}.", field="branch"
    )


def _tag(version: Version, before: TaggedRelease | None, tag_format: TagFormat) -> str:
    """The tag as it will be called: like the one of the release before; a guessed format says nothing of a leading `v`."""
    if before is not None and before.version.text in before.tag:
        return before.tag.replace(before.version.text, version.text)
    return tag_format.tag_for(version)


def _before(history: History, head: Head, version: Version | None) -> Version | None:
    """The release that is told against: by number for a version, else the highest on the branch."""
    if version is not None:
        if history.release(version) is not None:
            raise AlreadyTaggedError(
                f"Version {version.text} is released: its tag is there.",
                advice="Leave out --unreleased to tell it, or name the version to come.",
                field="version",
            )
        ordered = sorted([*(one.version for one in history.releases), version])
        return previous_versions(ordered)[ordered.index(version)]
    on_branch = [
        one.version
        for one in history.releases
        if one.version.kind is not VersionKind.CANDIDATE
        and (place := history.find(one.commit)) is not None
        and history.bits(place) >> head.bit & 1
    ]
    return max(on_branch, default=None)
