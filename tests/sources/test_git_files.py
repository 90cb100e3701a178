"""Files of commits are read and committed as objects, and pushed only where the branch was seen."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releaser.sources.git import GitRepositories, GitRepository
from releaser.sources.source import BranchMovedError, NotAFileError, NotARepositoryError, PushRefusedError
from tests.fakes.git_world import GitWorld

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Tree:
    """A remote whose commits have files, and a mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.world = GitWorld(folder / "remote.git")
        self.folder = folder

    def commit(self, files: dict[bytes, bytes | str | None], *parents: str, branch: str = "main") -> str:
        """A commit with exactly these files; a text is `mode id`."""
        return self.world.commit("x", *parents, branch=branch, tree=self.world.tree(files))

    def blob(self, content: bytes) -> str:
        return self.world.blob(content)

    def mirror(self) -> GitRepository:
        mirror = GitRepositories().mirror(str(self.world.folder), folder=self.folder / "mirror.git")
        mirror.fetch()
        return mirror

    def listed(self, revision: str) -> dict[str, str]:
        """Path -> mode and blob, as git itself lists them."""
        rows = (row.split("\t", 1) for row in self.world.git("ls-tree", "-r", "-z", revision).split("\0") if row)
        return {name: facts for facts, name in rows}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def put(mirror: GitRepository, files: dict[str, bytes | None], onto: str) -> str | None:
    return mirror.commit_files(files, onto=onto, message="docs(changelog): Shop 1.1", at=AT)


def test_files_are_written_and_everything_else_stays(tree: Tree) -> None:
    first = tree.commit(
        {
            b"CHANGELOG.md": "100755 " + tree.blob(b"old\r\n"),
            b"a\xff\xfe": b"no name in UTF-8",
            b"changelogs.txt": b"sorts around the folder",
            b"changelogs/1.0.md": b"1.0",
            b"changelogs0": b"too",
            b"link": "120000 " + tree.blob(b"CHANGELOG.md"),
            b"sub": f"160000 {'1' * 40}",
        }
    )
    mirror = tree.mirror()
    files = {"CHANGELOG.md": b"new\r\n", "changelogs/1.1.md": b"1.1", "deep/er/x.md": b"x"}
    made = put(mirror, {**files, "changelogs/1.0.md": None}, first)
    assert made is not None
    mirror.push_branch("main", commit=made, expected=first)
    before, after = tree.listed(first), tree.listed("main")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"CHANGELOG.md", "changelogs/1.1.md", "changelogs/1.0.md", "deep/er/x.md"}
    assert after["CHANGELOG.md"].startswith("100755")
    assert mirror.file_at(made, "CHANGELOG.md") == b"new\r\n"
    assert mirror.file_at(made, "changelogs/1.0.md") is None
    assert tree.world.git("fsck", "--strict", "--no-dangling") == ""
    assert tree.world.git("log", "-1", "--format=%an <%ae> %ad %s", "--date=iso", "main") == (
        "releaser <releaser@localhost> 2026-03-02 09:00:00 +0000 docs(changelog): Shop 1.1"
    )
    assert put(mirror, dict(files), made) is None
    assert put(mirror, {**files, "changelogs/1.0.md": None}, first) == made


@pytest.mark.parametrize(
    "path", ["folder", "link", "sub", "file.md/1.1.md", "link/1.1.md", "sub/1.1.md"], ids=lambda path: path
)
def test_what_is_no_file_there_is_not_written_over(tree: Tree, path: str) -> None:
    first = tree.commit(
        {
            b"folder/x": b"x",
            b"file.md": b"x",
            b"link": "120000 " + tree.blob(b"folder"),
            b"sub": f"160000 {'1' * 40}",
        }
    )
    with pytest.raises(NotAFileError, match=path.partition("/")[0]):
        put(tree.mirror(), {path: b"x"}, first)


def test_branch_that_moved_is_told_and_not_written_over(tree: Tree) -> None:
    first = tree.commit({b"a": b"a"})
    mirror = tree.mirror()
    made = put(mirror, {"b": b"b"}, first)
    assert made is not None
    other = tree.commit({b"a": b"A"}, first)
    with pytest.raises(BranchMovedError, match=other[:12]):
        mirror.push_branch("main", commit=made, expected=first)
    assert tree.world.git("rev-parse", "main") == other
    tree.world.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(BranchMovedError, match="gone"):
        mirror.push_branch("main", commit=made, expected=first)


def test_push_that_was_done_counts_as_done(tree: Tree) -> None:
    first = tree.commit({b"a": b"a"})
    mirror = tree.mirror()
    made = put(mirror, {"b": b"b"}, first)
    assert made is not None
    mirror.push_branch("main", commit=made, expected=first)
    mirror.push_branch("main", commit=made, expected=first)
    assert tree.world.git("rev-parse", "main") == made


def test_refused_push_is_told_with_the_remotes_words(tree: Tree) -> None:
    first = tree.commit({b"a": b"a"})
    hook = tree.world.folder / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'branch main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    mirror = tree.mirror()
    made = put(mirror, {"b": b"b"}, first)
    assert made is not None
    with pytest.raises(PushRefusedError, match=r"'main': .*protected"):
        mirror.push_branch("main", commit=made, expected=first)
    assert tree.world.git("rev-parse", "main") == first


def test_remote_that_is_gone_is_told(tree: Tree) -> None:
    first = tree.commit({b"a": b"a"})
    mirror = tree.mirror()
    made = put(mirror, {"b": b"b"}, first)
    assert made is not None
    shutil.move(tree.world.folder, tree.folder / "elsewhere.git")
    with pytest.raises(NotARepositoryError, match=r"remote\.git"):
        mirror.push_branch("main", commit=made, expected=first)


def test_folders_and_blobs_are_read_for_many_commits_at_once(tree: Tree) -> None:
    first = tree.commit({b"n/a.md": b"a", b"n/\xff.md": b"?", b"n/sub/b.md": b"b", b"n/l": "120000 " + tree.blob(b"x")})
    second = tree.commit({b"n": b"a file"}, first)
    third = tree.commit({b"n/a.md": b"a", b"n/c d.md": b"x" * 100}, second)
    mirror = tree.mirror()
    found = mirror.folders([first, second, third], "n")
    assert {commit: sorted(files) for commit, files in found.items()} == {first: ["a.md"], third: ["a.md", "c d.md"]}
    blobs = mirror.blobs([found[third]["a.md"], found[third]["c d.md"]], largest=50)
    assert blobs[found[third]["a.md"]] == b"a"
    assert len(blobs[found[third]["c d.md"]]) == 51
    assert mirror.folders([], "n") == {}
    assert mirror.blobs([], largest=1) == {}


def test_commits_that_touch_a_path_are_found_by_the_letter(tree: Tree) -> None:
    first = tree.commit({b"app/a": b"1", b"lib/a": b"1"})
    app = tree.commit({b"app/a": b"2", b"lib/a": b"1"}, first)
    lib = tree.commit({b"app/a": b"1", b"lib/a": b"2"}, first, branch="side")
    back = tree.commit({b"app/a": b"1", b"lib/a": b"1"}, lib, branch="side")
    merge = tree.commit({b"app/a": b"2", b"lib/a": b"1"}, app, back)
    odd = tree.commit({b"app/a": b"2", b"lib/a": b"1", b"*/:(top)": b"x"}, merge)
    mirror = tree.mirror()
    assert mirror.touching(["app"], [odd]) == {first, app}
    # What was undone on a side branch happened nevertheless.
    assert mirror.touching(["lib"], [odd]) == {first, lib, back}
    assert mirror.touching(["lib", "app"], [odd], known=[first]) == {lib, back, app}
    assert mirror.touching(["*"], [odd]) == {odd}
    assert mirror.touching([":(top)"], [odd]) == set()
    assert mirror.touching(["--all", "nowhere"], [odd]) == set()
    assert mirror.touching([], [odd]) == set()


def test_merge_counts_by_what_it_brings_to_its_first_parent(tree: Tree) -> None:
    first = tree.commit({b"app/a": b"1", b"lib/a": b"1"})
    main = tree.commit({b"app/a": b"2", b"lib/a": b"1"}, first)
    side = tree.commit({b"app/a": b"1", b"lib/a": b"2"}, first, branch="side")
    merge = tree.commit({b"app/a": b"2", b"lib/a": b"2"}, main, side)
    mirror = tree.mirror()
    assert mirror.touching(["lib"], [merge]) == {first, side, merge}
    assert mirror.touching(["app"], [merge]) == {first, main}
