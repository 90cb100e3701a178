"""A cut on real remotes, over file, git daemon and ssh: they accept, refuse, hang, die, or have the tag from somebody else.

Whatever they do, the release stays at the step that is done, the error says what happened, and the same command completes
the same version.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.release import CutStep
from releaser.errors import ConflictError
from releaser.flows.abandon_release import abandon_release
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.cut_status import cut_status
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.sources.source import PushRefusedError, RemoteUnreachableError, TagTakenError
from releaser.store import products
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.remotes import KINDS, DaemonRemote, SshRemote

SHORT_S = 1.5
ENOUGH_S = 4.0
"""For everything but what hangs, on a busy machine too."""


class RemoteWorld(ReleaseWorld):
    """The world of releases with its repository behind a remote."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder)
        self.served = KINDS[kind](self.remote, folder / "served")
        self.reach()
        with self.database.transaction() as session:
            products.get(session, "shop").repository = self.served.address

    def reach(self, *, answers_in_s: float = 30.0) -> None:
        """Wait so long for the remote's answers."""
        self.ports = replace(self.ports, repositories=self.served.repositories(answers_in_s=answers_in_s))

    def step(self) -> str:
        """The last step of the cut that is done."""
        (status,) = cut_status(self.ports, product="shop")
        return str(status["cut_step"])

    def close(self) -> None:
        self.served.close()
        super().close()


@pytest.fixture(params=list(KINDS))
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RemoteWorld]:
    world = RemoteWorld(tmp_path, str(request.param))
    yield world
    world.close()


def test_remote_that_refuses_dies_or_hangs_stops_the_cut_and_the_same_command_completes_it(
    world: RemoteWorld, tmp_path: Path
) -> None:
    served = world.served
    served.hook("echo 'Tags are made on Fridays only' >&2; exit 1")
    with pytest.raises(PushRefusedError, match="Fridays only") as refused:
        world.cut()
    assert refused.value.permanent
    assert world.step() == CutStep.TAGGED
    # The process that takes the push dies in the middle of it, with everything it was sent.
    served.hook("kill -9 $PPID")
    with pytest.raises(RemoteUnreachableError) as died:
        world.cut()
    assert not died.value.permanent
    # It takes the push and never answers: nobody opens the other end of the pipe.
    os.mkfifo(tmp_path / "never")
    served.hook(f"read answer < {tmp_path / 'never'}; exit 0")
    world.reach(answers_in_s=ENOUGH_S)
    with pytest.raises(RemoteUnreachableError, match=r"did not finish `git push` within 4(\.0)? s") as hung:
        world.cut()
    assert not hung.value.permanent
    assert world.step() == CutStep.TAGGED
    assert world.tags() == ["v1.0"]
    # Left alone it goes on: it takes the tag after all, before the command is repeated, beside it, or not at all.
    os.close(os.open(tmp_path / "never", os.O_RDWR))
    served.unhook()
    world.reach()
    facts = world.cut()
    assert (facts["version"], facts["state"]) == ("1.1", "candidate")
    assert world.remote.git("rev-parse", "v1.1^{commit}") == facts["commit"]
    assert world.publish("1.1")["state"] == "published"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RemoteWorld]:
    world = RemoteWorld(tmp_path, "git")
    yield world
    world.close()


def test_tag_that_somebody_else_made_stops_the_cut_and_tells_who(daemon: RemoteWorld) -> None:
    daemon.served.hook("exit 1")
    with pytest.raises(PushRefusedError):
        daemon.cut()
    daemon.served.unhook()
    theirs = daemon.remote.tag("v1.1", daemon.main, annotated=True)
    for _ in range(2):
        with pytest.raises(TagTakenError, match=r"Ann <ann@example\.org> made it on 2023-11-14") as caught:
            daemon.cut()
        assert isinstance(caught.value, ConflictError)
        assert "abandon 1.1" in caught.value.advice
    assert daemon.remote.git("rev-parse", "v1.1") == theirs
    abandon_release(daemon.ports, product="shop", version="1.1", reason="taken", by="ann")
    assert daemon.cut()["version"] == "1.2"


def test_server_that_says_no_word_is_left_in_time(daemon: RemoteWorld) -> None:
    assert isinstance(daemon.served, DaemonRemote)
    daemon.reach(answers_in_s=SHORT_S)
    daemon.served.stop()
    with pytest.raises(RemoteUnreachableError, match=r"within 1\.5 s"):
        daemon.cut()
    assert cut_status(daemon.ports, product="shop") == []
    daemon.served.go_on()
    daemon.reach()
    assert daemon.cut()["version"] == "1.1"


def test_server_that_only_lets_read_refuses_the_tag(daemon: RemoteWorld) -> None:
    daemon.remote.git("config", "daemon.receivepack", "false")
    with pytest.raises(PushRefusedError, match="access denied") as caught:
        daemon.cut()
    assert caught.value.permanent
    assert daemon.step() == CutStep.TAGGED
    daemon.remote.git("config", "daemon.receivepack", "true")
    assert daemon.cut()["version"] == "1.1"


def test_remote_over_ssh_lets_in_only_its_key_and_is_believed_only_by_its_own(tmp_path: Path) -> None:
    world = RemoteWorld(tmp_path, "ssh")
    served = world.served
    assert isinstance(served, SshRemote)
    try:
        world.ports = replace(world.ports, repositories=served.repositories(key="stranger"))
        with pytest.raises(RemoteUnreachableError, match="Permission denied") as stranger:
            world.cut()
        (tmp_path / "served" / "nobody").write_text("")
        world.ports = replace(world.ports, repositories=served.repositories(known="nobody"))
        with pytest.raises(RemoteUnreachableError, match="host key is known") as unknown:
            world.cut()
        assert stranger.value.permanent
        assert unknown.value.permanent
        assert "RELEASER_SSH_KNOWN_HOSTS" in unknown.value.advice
    finally:
        world.close()


@pytest.mark.parametrize("people", [["ann"] * 4, ["ann", "bob", "cid", "dan"]])
def test_four_cuts_at_the_same_moment_make_one_release(tmp_path: Path, people: list[str]) -> None:
    """The same person's complete the same version; of several one wins, and the others are told who."""
    world = ReleaseWorld(tmp_path)
    start = threading.Barrier(len(people))
    outcomes: list[object] = []

    def cut(name: str) -> None:
        start.wait()
        try:
            outcomes.append(world.cut(by=name)["version"])
        except ConflictError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=cut, args=(name,)) for name in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.tags() == ["v1.0", "v1.1"]
    versions = [one for one in outcomes if isinstance(one, str)]
    assert versions
    assert set(versions) == {"1.1"}
    told = [str(one) for one in outcomes if not isinstance(one, str)]
    assert len(versions) + len(told) == len(people)
    assert all("is cutting shop 1.1" in text for text in told), told
    assert not (told and len(set(people)) == 1)
    world.close()


def test_locks_that_a_killed_git_left_are_cleared_by_the_next_who_comes(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    world.collect()
    (mirror,) = (world.ports.home / "repositories").glob("*.git")
    left = [mirror / "packed-refs.lock", mirror / "HEAD.lock", mirror / "refs" / "tags" / "v1.0.lock"]
    for file in left:
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    (mirror / "releaser.lock").write_text("at work\n")
    world.land("SHOP-9: more")
    assert world.cut()["version"] == "1.1"
    assert [file.name for file in left if file.exists()] == []
    assert (mirror / "releaser.lock").read_text() == ""
    world.close()


def test_error_under_the_lock_leaves_the_mark_for_who_comes_next(tmp_path: Path) -> None:
    world = RemoteWorld(tmp_path, "git")
    try:
        world.collect()
        (mirror,) = (world.ports.home / "repositories").glob("*.git")
        assert isinstance(world.served, DaemonRemote)
        world.served.stop()
        world.reach(answers_in_s=0.5)
        with pytest.raises(RemoteUnreachableError):
            world.collect()
        assert (mirror / "releaser.lock").read_text() != ""
        world.served.go_on()
        world.reach()
        world.collect()
        assert (mirror / "releaser.lock").read_text() == ""
    finally:
        world.close()


@pytest.mark.parametrize("world", ["ssh"], indirect=True)
def test_changelog_is_committed_to_a_remote_over_ssh_once_and_a_refusal_is_told_in_its_words(
    world: RemoteWorld,
) -> None:
    world.cut()
    promote_release(world.ports, product="shop", version="1.1", by="ann")
    world.served.hook("echo 'Nobody pushes to main' >&2; exit 1")
    with pytest.raises(PushRefusedError, match="Nobody pushes to main"):
        publish_release(world.ports, product="shop", version="1.1", by="ann", commit=True)
    assert world.remote.read("main", "CHANGELOG.md") is None
    world.served.unhook()
    done = commit_changelog(world.ports, product="shop", version="1.1", by="ann")
    assert (done["branch"], done["unchanged"]) == ("main", False)
    assert "basket loses items" in (world.remote.read("main", "CHANGELOG.md") or "")
    assert world.remote.git("log", "-1", "--format=%s", "main") == "docs(changelog): The Shop 1.1"
    assert commit_changelog(world.ports, product="shop", version="1.1", by="ann")["unchanged"]
