"""Tell the changelog of a repository as it is, piece by piece: of its whole history in one go, which may be very long."""

from __future__ import annotations

from collections.abc import Iterator

from releaser.domain.changelog import Form
from releaser.domain.changelog.bulk import Sharing, told
from releaser.flows.read_changelog import Wanted, chosen
from releaser.flows.read_in_place import Habits, read_in_place
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.sources.source import Progress, Repository


def tell_changelog(
    repository: Repository,
    *,
    wanted: Wanted,
    habits: Habits,
    form: Form,
    title: str = "",
    language: str = DEFAULT_LANGUAGE,
    progress: Progress | None = None,
    sharing: Sharing = map,
) -> Iterator[str]:
    """The text in pieces; everything is read before this answers, and `sharing` decides who writes it. Raises `RangeError`, and what `read_in_place` raises."""
    versions = [text for text in (wanted.since, wanted.upto) if text]
    history = read_in_place(repository, habits=habits, versions=versions, progress=progress)
    releases = chosen(history, wanted, habits.scheme)
    return told(history, releases, form=form, title=title, language=language, sharing=sharing)
