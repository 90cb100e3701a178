"""Tell the changelog of a repository as it is: nothing is configured, and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from releaser.domain.changelog import ChangelogRelease, release_of
from releaser.domain.history import History, Refs, TaggedRelease
from releaser.domain.tag_format import guess_tag_format
from releaser.domain.ticket import DEFAULT_PATTERN, TicketPatterns
from releaser.domain.version import Scheme, TagFormat, Version, parse
from releaser.errors import InvalidError, NotFoundError
from releaser.flows.read_history import read_history
from releaser.sources.source import HistorySource, Progress

_NAMED = 5


class NoReleasesError(NotFoundError):
    """No tag of the repository carries a version."""


class VersionNotTaggedError(NotFoundError):
    """No tag of the repository carries this version."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How the repository calls things; what is left out is guessed, or the usual."""

    scheme: Scheme = Scheme.TWO_PART
    tag_format: str = ""
    ticket_patterns: tuple[str, ...] = (DEFAULT_PATTERN,)


def read_changelog(
    repository: HistorySource, *, wanted: Wanted, habits: Habits, progress: Progress | None = None
) -> list[ChangelogRelease]:
    """The releases that are wanted, newest number first.

    Raises `NoReleasesError`, `VersionNotTaggedError`, `RangeError`, `InvalidVersionError`, `InvalidTagFormatError`,
    `InvalidTicketPatternError`, and the errors of `sources.source`.
    """
    patterns = TicketPatterns(habits.ticket_patterns)
    versions = [parse(text, scheme=habits.scheme) for text in (wanted.since, wanted.upto) if text]
    given = TagFormat(scheme=habits.scheme, text=habits.tag_format) if habits.tag_format else None
    refs = repository.refs()
    tag_format = given or guess_tag_format((tag.name for tag in refs.tags), scheme=habits.scheme)
    _check_tagged(refs, tag_format, versions)
    history = read_history(repository, refs, tag_format=tag_format, patterns=patterns, progress=progress)
    if not history.releases:
        raise _no_releases(refs, tag_format)
    return [release_of(history, release) for release in _chosen(history, wanted, habits.scheme)]


def _check_tagged(refs: Refs, tag_format: TagFormat, versions: list[Version]) -> None:
    """Before the history is read, which may take seconds."""
    known = {version for tag in refs.tags if (version := tag_format.version_of(tag.name)) is not None}
    if not known:
        raise _no_releases(refs, tag_format)
    for version in versions:
        if version not in known:
            newest = ", ".join(one.text for one in sorted(known, reverse=True)[:_NAMED])
            raise VersionNotTaggedError(
                f"No tag of the repository carries version {version.text}.",
                advice=f"The newest it has: {newest}.",
                field="version",
            )


def _no_releases(refs: Refs, tag_format: TagFormat) -> NoReleasesError:
    if not refs.tags:
        return NoReleasesError(
            "The repository has no tags, so no releases.", advice="Fetch them: git fetch --tags.", field="repo"
        )
    names = ", ".join(tag.name[:40] for tag in refs.tags[-_NAMED:])
    return NoReleasesError(
        f"None of the repository's {len(refs.tags)} tags is called like '{tag_format.text}'; there are {names}.",
        advice="Say how they are called, such as --tag-format 'app-{version}'.",
        field="tag-format",
    )


def _chosen(history: History, wanted: Wanted, scheme: Scheme) -> list[TaggedRelease]:
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
