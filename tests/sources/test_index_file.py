"""What is kept beside a repository: whole or not at all, never in anybody's way, and never missed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from releaser.sources.index_file import MOST_FILES, IndexFiles


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "releaser").iterdir())


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path)
    assert files.read("one") is None
    files.write("one", [b"some ", bytearray(b"thing"), memoryview(b"!")])
    assert files.read("one") == b"some thing!"
    files.write("one", [b"other"])
    assert files.read("one") == b"other"
    assert names(tmp_path) == ["one.index"]


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path)
    for number in range(MOST_FILES):
        files.write(f"n{number}", [b"x"])
        os.utime(tmp_path / "releaser" / f"n{number}.index", (1000 + number, 1000 + number))
    assert files.read("n0") == b"x"
    files.write("new", [b"x"])
    assert names(tmp_path) == sorted(["n0.index", "new.index", *(f"n{n}.index" for n in range(2, MOST_FILES))])


def test_folder_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "releaser").symlink_to(elsewhere)
    IndexFiles(tmp_path / "git").write("one", [b"x"])
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_repository_of_another_user_is_left_alone(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    IndexFiles(tmp_path).write("one", [b"x"])
    assert not (tmp_path / "releaser").exists()


def test_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "releaser").write_text("in the way")
    files = IndexFiles(tmp_path)
    files.write("one", [b"x"])
    assert files.read("one") is None
    assert IndexFiles(tmp_path / "missing").read("one") is None
    IndexFiles(tmp_path / "missing").write("one", [b"x"])


def test_writers_at_once_never_leave_half_a_file(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path)
    contents = [bytes([letter]) * 300_000 for letter in b"abcd"]
    seen: set[bytes] = set()

    def write(content: bytes) -> None:
        for _ in range(10):
            files.write("one", [content[:1000], content[1000:]])
            seen.add(files.read("one") or b"")

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= set(contents)
    assert names(tmp_path) == ["one.index"]
