"""Changelog fragments in a folder, such as `changelogs/unreleased/`; `domain.changelog` says what they mean."""

from __future__ import annotations

from pathlib import Path

from releaser.domain.changelog.fragments import MAX_LENGTH, Fragment, InvalidFragmentError, parse_fragment

_NO_FRAGMENTS = {"readme.md"}


def read_fragments(folder: Path) -> tuple[Fragment, ...]:
    """Every fragment of the folder, by name; hidden files, folders and its README are passed over.

    A folder that is not there has none. Raises `InvalidFragmentError`, which names the file.
    """
    if not folder.is_dir():
        return ()
    return tuple(
        parse_fragment(path.name, _text(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name.lower() not in _NO_FRAGMENTS
    )


def _text(path: Path) -> str:
    """Never more than is looked at: the file may be anything."""
    try:
        with path.open("rb") as file:
            return file.read(4 * MAX_LENGTH + 1).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFragmentError(
            f"The changelog fragment {path.name[:80]!a} is not UTF-8 text.", advice="Save it as UTF-8.", field="text"
        ) from error
