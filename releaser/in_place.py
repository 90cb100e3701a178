"""Composition root for what needs no service: a clone is read where it is, with no settings, no database and no home folder.

Apart from `assembly`, because a one-shot answer must not pay for loading what a service needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from releaser.errors import InvalidError
from releaser.sources.git import GitRepositories
from releaser.sources.source import Repository, TemplateEngine

if TYPE_CHECKING:
    from releaser.domain.changelog import Fragment


class NoWorkTreeError(InvalidError):
    """The repository has no files that could be written."""


def clone(path: Path | None) -> Repository:
    """The repository at `path` (here when None), or above it. Raises `NotARepositoryError`, `IncompleteRepositoryError`."""
    return GitRepositories().in_place(path or Path())


def fragments(folder: Path) -> tuple[Fragment, ...]:
    """Every changelog fragment of the folder. Raises `InvalidFragmentError`."""
    # Start-up: most calls have none.
    from releaser.sources.fragments import read_fragments  # noqa: PLC0415 -- see above

    return read_fragments(folder)


def work_tree(path: Path | None) -> Path:
    """The folder of files that belongs to the repository at `path` (here when None), or above it.

    Raises `NoWorkTreeError`.
    """
    start = (path or Path()).absolute()
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    raise NoWorkTreeError(
        f"'{start}' is in no clone with files, so there is nothing to write into.",
        advice="Name a clone that is not bare with --repo.",
        field="repo",
    )


def engine() -> TemplateEngine:
    """Where users' templates are rendered."""
    # Start-up: hardly any call has a template.
    from releaser.sources.template import TemplateProcess  # noqa: PLC0415 -- see above

    return TemplateProcess()
