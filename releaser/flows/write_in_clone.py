"""Write a release's changelog into the files of a clone, for a person to look at and commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.version import TagFormat
from releaser.flows.place_changelog import Telling, place_changelog
from releaser.flows.replace_file import replace_file
from releaser.sources.source import NotAFileError


def write_in_clone(
    root: Path,
    told: Sequence[Telling],
    *,
    keeping: ChangelogKeeping,
    tag_format: TagFormat,
    fragments: Sequence[Path] = (),
    replace: bool = False,
) -> list[str]:
    """Write the releases into the files of `keeping` below `root` and remove `fragments`; answers what was changed.

    Everything is made before anything is written, so what is refused changes nothing. The same again changes nothing.
    Raises `NotAFileError`, OSError, and what `place_changelog` raises.
    """
    made: dict[str, bytes] = {}
    changed: list[str] = []

    def read(path: str) -> bytes | None:
        return made[path] if path in made else _read(root, path)

    for one in told:
        for placed in place_changelog(read, one, keeping=keeping, tag_format=tag_format, ours=(), replace=replace):
            if placed.is_changed:
                made[placed.path] = placed.content
                changed += [placed.path] if placed.path not in changed else []
    for path, content in made.items():
        file = _inside(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content)
    for fragment in fragments:
        fragment.unlink(missing_ok=True)
    return changed


def _read(root: Path, path: str) -> bytes | None:
    file = _inside(root, path)
    return file.read_bytes() if file.is_file() else None


def _inside(root: Path, path: str) -> Path:
    """The file itself, also where a link leads to it; never one outside of the clone."""
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()) or (file.exists() and not file.is_file()):
        raise NotAFileError(
            f"'{path}' is no file of the clone.", advice="Name another one for the changelog.", field="into"
        )
    return file
