"""A repository is read on top of what was kept of it; whatever became of that, the answer is the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releaser.domain.history import CommitBatch, History
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from releaser.flows.read_in_place import Habits, read_in_place
from releaser.flows.refresh_history import Reading, Rules, refresh_history
from releaser.sources.git import GitRepositories, GitRepository
from tests.fakes.git_world import GitWorld


def rules(pattern: str = r"T-\d+") -> Rules:
    return Rules(tag_format=TagFormat(scheme=Scheme.TWO_PART), patterns=TicketPatterns([pattern]))


class Counting:
    """A repository that counts the commits it reads."""

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        self.read = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a repository has
        return getattr(self._repository, name)

    def commits(self, tips: Iterable[str], **more: Any) -> Iterator[CommitBatch]:  # noqa: ANN401 -- passed on
        for batch in self._repository.commits(tips, **more):
            self.read += len(batch.ids)
            yield batch


def refreshed(folder: Path, *, pattern: str = r"T-\d+", keeping: bool = True) -> tuple[Reading, int]:
    repository = Counting(GitRepositories().in_place(folder))
    reading = refresh_history(
        repository,
        repository.refs(),
        rules=rules(pattern),
        keeping=keeping,
        with_tickets=True,
    )
    return reading, repository.read


def told(history: History) -> object:
    return [
        (one.tag, [(c.commit.id, c.commit.message, c.standing) for c in history.changes(one)])
        for one in history.releases
    ]


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    world = GitWorld(tmp_path / "r.git")
    tip = world.commit("T-1: one", branch="main")
    world.git("tag", "1.0", tip)
    world.git("tag", "1.1", world.commit("T-2: two", tip, branch="main"))
    return world


def kept(world: GitWorld) -> Path:
    return world.folder / "releaser"


def test_second_reading_reads_nothing(world: GitWorld) -> None:
    first, read = refreshed(world.folder)
    assert (read, first.delta.whole) == (2, True)
    second, read = refreshed(world.folder)
    assert (read, second.delta.is_empty) == (0, True)
    assert second.history.state == first.history.state
    assert told(second.history) == told(first.history)


def test_only_new_commits_are_read(world: GitWorld) -> None:
    refreshed(world.folder)
    world.git("tag", "1.2", world.commit("T-3: three", world.git("rev-parse", "main"), branch="main"))
    reading, read = refreshed(world.folder)
    assert (read, len(reading.delta.commits), reading.delta.releases, reading.delta.tickets) == (
        1,
        1,
        ("1.2",),
        ("T-3",),
    )
    assert told(reading.history) == told(refreshed(world.folder, keeping=False)[0].history)


def test_not_keeping_leaves_nothing_and_uses_nothing(world: GitWorld) -> None:
    assert refreshed(world.folder, keeping=False)[1] == 2
    assert not kept(world).exists()
    refreshed(world.folder)
    assert refreshed(world.folder, keeping=False)[1] == 2


def test_deleting_what_was_kept_is_harmless(world: GitWorld) -> None:
    first, _ = refreshed(world.folder)
    shutil.rmtree(kept(world))
    second, read = refreshed(world.folder)
    assert (read, told(second.history)) == (2, told(first.history))


def test_other_rules_do_not_meet(world: GitWorld) -> None:
    first, _ = refreshed(world.folder)
    other, read = refreshed(world.folder, pattern=r"U-\d+")
    assert read == 2
    assert other.history.state != first.history.state
    assert not other.history.links
    assert refreshed(world.folder)[1] == 0


@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_damaged_file_is_read_anew(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    world = GitWorld(tmp_path_factory.mktemp("damaged") / "r.git")
    tip = world.commit("T-1: one", branch="main")
    world.git("tag", "1.0", tip)
    first, _ = refreshed(world.folder)
    (path,) = kept(world).iterdir()
    raw = path.read_bytes()
    place = data.draw(st.integers(0, len(raw) - 1))
    cut = data.draw(st.booleans())
    path.write_bytes(raw[:place] if cut else raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :])
    second, read = refreshed(world.folder)
    assert (read, told(second.history)) == (1, told(first.history))


def test_moved_and_vanished_tags_are_told(world: GitWorld) -> None:
    refreshed(world.folder)
    one, two = world.git("rev-parse", "1.0"), world.git("rev-parse", "1.1")
    world.git("tag", "--force", "1.0", two)
    world.git("tag", "--delete", "1.1")
    reading, read = refreshed(world.folder)
    assert read == 0
    assert [(tag.name, tag.was, tag.now) for tag in reading.delta.tags] == [("1.0", one, two), ("1.1", two, None)]
    assert told(reading.history) == told(refreshed(world.folder, keeping=False)[0].history)


def test_commits_that_git_has_thrown_away_are_forgotten(world: GitWorld) -> None:
    side = world.commit("T-9: side", world.git("rev-parse", "1.0"), branch="side")
    refreshed(world.folder)
    world.git("branch", "--delete", "--force", "side")
    world.git("reflog", "expire", "--expire=now", "--all")
    world.git("gc", "--quiet", "--prune=now")
    world.commit("T-3: three", world.git("rev-parse", "main"), branch="main")
    reading, _ = refreshed(world.folder)
    assert reading.history.find(side) is None
    assert len(reading.history) == 3
    again, read = refreshed(world.folder)
    assert (read, len(again.history)) == (0, 3)


def test_working_trees_share_what_is_kept(tmp_path: Path) -> None:
    world = GitWorld(tmp_path / "main", bare=False)
    world.git("tag", "1.0", world.commit("T-1: one", branch="main"))
    world.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "other"), "1.0")
    assert refreshed(tmp_path / "main")[1] == 1
    assert refreshed(tmp_path / "other")[1] == 0
    assert (tmp_path / "main" / ".git" / "releaser").is_dir()


def test_repository_of_long_ids_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "long"
    subprocess.run(
        ["git", "init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(folder)], check=True
    )
    person = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for number in (1, 2):
        subprocess.run(
            ["git", "-C", str(folder), *person, "commit", "--quiet", "--allow-empty", "-m", f"T-{number}: it"],
            check=True,
        )
        subprocess.run(["git", "-C", str(folder), "tag", f"1.{number}"], check=True)
    first, _ = refreshed(folder)
    second, read = refreshed(folder)
    assert read == 0
    assert len(second.history.graph.ids[0]) == 64
    assert told(second.history) == told(first.history)


def test_reader_of_a_clone_is_told_once_of_a_tag_that_moved(world: GitWorld) -> None:
    seen: list[str] = []

    def read() -> None:
        habits = Habits(alarmed=lambda tags: seen.extend(tag.name for tag in tags))
        read_in_place(GitRepositories().in_place(world.folder), habits=habits)

    read()
    world.git("tag", "--force", "1.0", world.git("rev-parse", "1.1"))
    read()
    read()
    assert seen == ["1.0"]
