"""Put a release's changelog into the files that a repository keeps it in, wherever these are read from and written to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

from releaser.domain.changelog.chapters import BYTE_ORDER_MARK, put_chapter
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.version import TagFormat, Version
from releaser.errors import ConflictError, InvalidError, RefusedError
from releaser.i18n import translator


class NotTextError(InvalidError):
    """The file is no text that can be written into."""


class ChapterTakenError(ConflictError):
    """The release stands there already, in words that are not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is to be told of one release: `chapter` in the common file, `text` as the file of its own."""

    version: Version
    chapter: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file as it is to be; `digest` names what of it tells the release, `is_changed` whether it has to be written."""

    path: str
    content: bytes
    digest: str
    is_changed: bool


def place_changelog(
    read: Callable[[str], bytes | None],
    told: Telling,
    *,
    keeping: ChangelogKeeping,
    tag_format: TagFormat,
    ours: Collection[tuple[str, str]],
    replace: bool = False,
) -> list[PlacedFile]:
    """The files of `keeping` with the release in them; `read` gives what stands at a path now.

    `ours` are `(path, digest)` of what was written for the release before: that is corrected, other words are left alone
    unless `replace`. Raises `ChapterTakenError`, `NotTextError`, `ChapterNotFoundError`, `RefusedError` (rule `no-file`).
    """
    if not (keeping.file or keeping.folder):
        raise RefusedError(
            "There is no file that the changelog is kept in.",
            rule="no-file",
            advice="Declare `changelog: {file: CHANGELOG.md}` for the product.",
            field="changelog",
        )
    found = []
    if keeping.file:
        found.append(_chapter(read, told, keeping, tag_format, ours, replace=replace))
    if keeping.folder:
        found.append(_file(read, told, keeping, ours, replace=replace))
    return found


def _chapter(
    read: Callable[[str], bytes | None],
    told: Telling,
    keeping: ChangelogKeeping,
    tag_format: TagFormat,
    ours: Collection[tuple[str, str]],
    *,
    replace: bool,
) -> PlacedFile:
    old = read(keeping.file) or b""
    bare = TagFormat(scheme=tag_format.scheme)
    placed = put_chapter(
        _decoded(old, keeping.file),
        told.chapter,
        version=told.version,
        reads=lambda word: tag_format.version_of(word) or bare.version_of(word),
        title=translator(keeping.language)("Changelog"),
    )
    if placed.is_changed and placed.before is not None:
        _check_ours(keeping.file, placed.before, told.version, ours, replace=replace)
    return PlacedFile(
        path=keeping.file, content=placed.text.encode(), digest=digest(placed.chapter), is_changed=placed.is_changed
    )


def _file(
    read: Callable[[str], bytes | None],
    told: Telling,
    keeping: ChangelogKeeping,
    ours: Collection[tuple[str, str]],
    *,
    replace: bool,
) -> PlacedFile:
    path = f"{keeping.folder}/{told.version.text}.md"
    content = read(path)
    old = None if content is None else _lines(_decoded(content, path))
    new = _lines(told.text)
    if old is not None and old != new:
        _check_ours(path, old, told.version, ours, replace=replace)
    return PlacedFile(path=path, content=f"{new}\n".encode(), digest=digest(new), is_changed=old != new)


def _check_ours(path: str, before: str, version: Version, ours: Collection[tuple[str, str]], *, replace: bool) -> None:
    if not replace and (path, digest(before)) not in ours:
        raise ChapterTakenError(
            f"'{path}' tells of {version.text} already, in words that releaser did not write.",
            advice="Keep them, or have them replaced: --replace.",
            field="changelog",
            path=path,
        )


def digest(text: str) -> str:
    """A name for what a file tells of a release."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lines(text: str) -> str:
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n").replace("\r", "\n").strip()


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotTextError(
            f"'{path}' is not written in UTF-8, so nothing is written into it.",
            advice="Save it as UTF-8.",
            field="changelog",
            path=path,
        ) from error
