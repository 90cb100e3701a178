"""Read a repository where it is: nothing is configured; what is not said is guessed from its tags, or the usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from releaser.domain.history import History, Refs, TagMove
from releaser.domain.left_out import LeftOut, left_out
from releaser.domain.nearest import nearest_versions
from releaser.domain.tag_format import guess_tag_format
from releaser.domain.ticket_patterns import DEFAULT_PATTERN, TicketPatterns
from releaser.domain.version import Scheme, TagFormat, Version, parse
from releaser.errors import NotFoundError
from releaser.flows.narrow_repository import narrow_repository
from releaser.flows.refresh_history import Rules, refresh_history
from releaser.sources.source import HistorySource, Progress, Repository

_NAMED = 5


def _nobody(_told: object) -> None:
    """Tell nobody."""


class NoReleasesError(NotFoundError):
    """No tag of the repository carries a version."""


class VersionNotTaggedError(NotFoundError):
    """No tag of the repository carries this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How the repository calls things; what is left out is guessed, or the usual.

    `paths` are what of it is asked about, all of it when there are none: a product of several that share the repository.
    `cached` tells whether what is read is kept in its git folder, and what was kept is used.
    """

    scheme: Scheme = Scheme.TWO_PART
    tag_format: str | None = None
    ticket_patterns: tuple[str, ...] = (DEFAULT_PATTERN,)
    paths: tuple[str, ...] = ()
    cached: bool = True
    alarmed: Callable[[Sequence[TagMove]], None] = _nobody
    """Told the tags that moved or vanished since the repository was last read, if there are any."""
    missed: Callable[[LeftOut], None] = _nobody
    """Told the tags that look like releases and made none, if there are any."""


def read_in_place(
    repository: HistorySource,
    *,
    habits: Habits,
    versions: Sequence[str] = (),
    with_tickets: bool = False,
    progress: Progress | None = None,
) -> History:
    """The repository's history, with one release at least. `versions` are those that will be asked for.

    `with_tickets` is for those who ask about all tickets at once.
    Raises `NoReleasesError`, `VersionNotTaggedError`, `InvalidVersionError`, `InvalidTagFormatError`,
    `InvalidTicketPatternError`, and the errors of `sources.source`.
    """
    patterns = TicketPatterns(habits.ticket_patterns)
    given = TagFormat(scheme=habits.scheme, text=habits.tag_format) if habits.tag_format is not None else None
    wanted = [parse(text, scheme=habits.scheme) for text in versions]
    refs = repository.refs()
    tag_format = given or guess_tag_format((tag.name for tag in refs.tags), scheme=habits.scheme)
    _check_tagged(refs, tag_format, wanted)
    if habits.paths:
        repository = narrow_repository(cast("Repository", repository), habits.paths)
    reading = refresh_history(
        repository,
        refs,
        rules=Rules(tag_format=tag_format, patterns=patterns, paths=habits.paths),
        with_tickets=with_tickets,
        keeping=habits.cached,
        progress=progress,
    )
    if reading.delta.tags:
        habits.alarmed(reading.delta.tags)
    history = reading.history
    if not history.releases:
        raise _no_releases(refs, tag_format)
    if history.unread_tags:
        found = left_out(history, refs, tag_format, is_said=given is not None, is_first=reading.delta.whole)
        if found.doubles or found.ignored:
            habits.missed(found)
    return history


def _check_tagged(refs: Refs, tag_format: TagFormat, versions: Sequence[Version]) -> None:
    """Before the history is read, which may take seconds."""
    known = {version for tag in refs.tags if (version := tag_format.version_of(tag.name)) is not None}
    if not known:
        raise _no_releases(refs, tag_format)
    for version in versions:
        if version not in known:
            near = ", ".join(one.text for one in nearest_versions(version, known))
            raise VersionNotTaggedError(
                f"No tag of the repository carries version {version.text}.",
                advice=f"The nearest it has: {near}.",
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
