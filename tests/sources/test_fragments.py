from __future__ import annotations

from pathlib import Path

import pytest

from releaser.domain.changelog import InvalidFragmentError
from releaser.sources.fragments import read_fragments


def test_fragments_of_a_folder_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "B-1.fixed.md").write_text("Two")
    (tmp_path / "A-1.added.ru.md").write_text("Один")
    (tmp_path / "README.md").write_text("How to write them")
    (tmp_path / ".gitkeep").write_text("")
    (tmp_path / "folder").mkdir()
    assert [(one.ticket, one.text) for one in read_fragments(tmp_path)] == [("A-1", "Один"), ("B-1", "Two")]


def test_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert read_fragments(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.txt", b"x"), ("A-1.fixed.md", b"\xff\xfe"), ("A-1.fixed.md", b""), ("A-1.fixed.md", b"x" * 200_000)],
)
def test_file_that_is_no_fragment_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFragmentError, match=name):
        read_fragments(tmp_path)
