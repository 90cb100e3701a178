"""Turn fragments that people wrote into one version's changelog file, and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from releaser.domain.changelog import ChangelogRelease, Form, Fragment, entries_from, render
from releaser.domain.version import Version
from releaser.errors import ConflictError, NotFoundError
from releaser.flows.replace_file import replace_file
from releaser.i18n import DEFAULT_LANGUAGE


class NoFragmentsError(NotFoundError):
    """There is nothing to release."""


class ChangelogExistsError(ConflictError):
    """The version has a changelog already, and it tells something else."""


def told(
    fragments: Sequence[Fragment], *, version: Version | None, on: date | None, language: str = DEFAULT_LANGUAGE
) -> ChangelogRelease:
    """The fragments as the release of that version; without one as what is not released yet."""
    return ChangelogRelease(
        version=version.text if version else "",
        tag="",
        line=version.line if version else "",
        released_on=on,
        previous=None,
        commits=(),
        written=entries_from(fragments, language=language),
    )


def release_fragments(
    fragments: Sequence[Fragment],
    *,
    folder: Path,
    version: Version,
    on: date,
    title: str = "",
    language: str = DEFAULT_LANGUAGE,
) -> Path:
    """Write `<version>.md` beside `folder` and remove the fragments from it; answers the file.

    Interrupted, the same again completes it. Raises `NoFragmentsError`, `ChangelogExistsError`, OSError.
    """
    if not fragments:
        raise NoFragmentsError(
            f"There are no fragments in '{folder}'.", advice="Write <ticket>.<type>.md there.", field="fragments"
        )
    file = folder.absolute().parent / f"{version.text}.md"
    text = render([told(fragments, version=version, on=on, language=language)], form=Form.MARKDOWN, title=title)
    if not file.exists():
        replace_file(file, text)
    elif file.read_text(encoding="utf-8") != text:
        raise ChangelogExistsError(
            f"There is a changelog '{file}' already.",
            advice="Release the fragments as another version, or remove the file.",
            field="version",
        )
    for fragment in fragments:
        (folder / fragment.name).unlink(missing_ok=True)
    return file
