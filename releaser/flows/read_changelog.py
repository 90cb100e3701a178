"""Tell the changelog of a repository as it is: nothing is configured, and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from releaser.domain.changelog import ChangelogRelease, entries_from, release_of
from releaser.domain.history import History, TaggedRelease
from releaser.domain.version import Scheme, parse
from releaser.errors import InvalidError
from releaser.flows.read_fragments import read_fragments
from releaser.flows.read_in_place import Habits, VersionNotTaggedError, read_in_place
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.sources.source import Progress, Repository


class RangeError(InvalidError):
    """The range of versions runs backwards, or is none."""


class Which(StrEnum):
    """Which releases are told."""

    NEWEST = "newest"
    ALL = "all"
    ONE = "one"
    RANGE = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The releases that are told: `upto` for one, `(since, upto]` for a range, where empty is the first and the newest."""

    which: Which = Which.NEWEST
    since: str = ""
    upto: str = ""


def read_changelog(
    repository: Repository,
    *,
    wanted: Wanted,
    habits: Habits,
    fragments: str = "",
    language: str = DEFAULT_LANGUAGE,
    progress: Progress | None = None,
) -> list[ChangelogRelease]:
    """The releases that are wanted, newest number first, with what people wrote of them.

    `fragments` is the folder of the repository where people write it, told in `language`. Raises `RangeError`, and what
    `read_in_place` raises.
    """
    versions = [text for text in (wanted.since, wanted.upto) if text]
    history = read_in_place(repository, habits=habits, versions=versions, progress=progress)
    releases = chosen(history, wanted, habits.scheme)
    told = [release_of(history, release) for release in releases]
    if not fragments:
        return told
    commits = {one.version: one.commit for one in history.releases}
    pairs = {one.tag: (one.commit, commits[one.previous] if one.previous else None) for one in releases}
    came = read_fragments(repository, folder=fragments, releases=pairs)
    return [replace(one, written=entries_from(came.get(one.tag, ()), language=language)) for one in told]


def chosen(history: History, wanted: Wanted, scheme: Scheme) -> list[TaggedRelease]:
    """The releases that are wanted, newest number first. Raises `RangeError`, `VersionNotTaggedError`."""
    match wanted.which:
        case Which.ALL:
            return list(reversed(history.releases))
        case Which.NEWEST:
            return [history.releases[-1]]
        case Which.ONE:
            return [_tagged(history, wanted.upto, scheme)]
        case Which.RANGE:
            return list(_range(history, wanted, scheme))


def _tagged(history: History, text: str, scheme: Scheme) -> TaggedRelease:
    found = history.release(parse(text, scheme=scheme))
    if found is None:
        raise VersionNotTaggedError(f"The tag of version {text[:40]} leads to no commit.", field="version")
    return found


def _range(history: History, wanted: Wanted, scheme: Scheme) -> Iterator[TaggedRelease]:
    """From `upto` back along what each release is told against, until what is not newer than `since`."""
    last = _tagged(history, wanted.upto, scheme) if wanted.upto else history.releases[-1]
    since = _tagged(history, wanted.since, scheme).version if wanted.since else None
    if since is not None and not since < last.version:
        raise RangeError(
            f"{since.text} is not older than {last.version.text}.",
            advice="Name the older one with --from.",
            field="from",
        )
    release: TaggedRelease | None = last
    while release is not None and (since is None or since < release.version):
        yield release
        release = history.release(release.previous) if release.previous else None
