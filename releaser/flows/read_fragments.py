"""Which changelog fragments came with which release, as they stand in the repository."""

from __future__ import annotations

from collections.abc import Mapping

from releaser.domain.changelog import Fragment, InvalidFragmentError, parse_fragment
from releaser.domain.changelog.fragments import MAX_LENGTH
from releaser.sources.source import FileReader

Names = Mapping[str, str]
"""The files of a folder: name -> blob."""
_NO_FILES: Names = {}


def read_fragments(
    repository: FileReader, *, folder: str, releases: Mapping[str, tuple[str, str | None]]
) -> dict[str, tuple[Fragment, ...]]:
    """The fragments that are new in each release; without a folder there are none.

    `releases` are by any key: the release's commit, and the one it is told against. A fragment of a ticket is new when no
    file of its name stood there before; one without a ticket also when it says something else than it did. Files that are no
    fragments are passed over: a commit that is there cannot be mended.
    """
    if not folder:
        return {}
    commits = {commit for pair in releases.values() for commit in pair if commit}
    there = repository.folders(sorted(commits), folder)
    new = {
        key: _new(there.get(commit, _NO_FILES), there.get(before, _NO_FILES) if before else _NO_FILES)
        for key, (commit, before) in releases.items()
    }
    texts = repository.blobs({blob for files in new.values() for blob in files.values()}, largest=4 * MAX_LENGTH)
    read = {key: tuple(_parsed(files, texts)) for key, files in new.items()}
    return {key: found for key, found in read.items() if found}


def _new(files: Names, before: Names) -> dict[str, str]:
    return {
        name: blob
        for name, blob in files.items()
        if name not in before or (name.startswith("+") and before[name] != blob)
    }


def _parsed(files: Names, texts: Mapping[str, bytes]) -> list[Fragment]:
    found = []
    for name, blob in sorted(files.items()):
        try:
            found.append(parse_fragment(name, texts[blob].decode()))
        except (InvalidFragmentError, UnicodeDecodeError):
            continue
    return found
