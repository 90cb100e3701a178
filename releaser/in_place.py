"""Composition root for what needs no service: a clone is read where it is, with no settings, no database and no home folder.

Apart from `assembly`, because a one-shot answer must not pay for loading what a service needs.
"""

from __future__ import annotations

from pathlib import Path

from releaser.domain.changelog import Fragment
from releaser.sources.fragments import read_fragments
from releaser.sources.git import GitRepositories
from releaser.sources.source import Repository


def clone(path: Path | None) -> Repository:
    """The repository at `path` (here when None), or above it. Raises `NotARepositoryError`, `IncompleteRepositoryError`."""
    return GitRepositories().in_place(path or Path())


def fragments(folder: Path) -> tuple[Fragment, ...]:
    """Every changelog fragment of the folder. Raises `InvalidFragmentError`."""
    return read_fragments(folder)
