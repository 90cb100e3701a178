from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releaser.domain.history import Refs
from releaser.sources.git import GitRepositories, GitRepository
from releaser.sources.git_tags import InvalidTagNameError
from releaser.sources.source import (
    BranchNotFoundError,
    EmptyRepositoryError,
    GitFailedError,
    IncompleteRepositoryError,
    NotARepositoryError,
    PushRefusedError,
    RefusedAddressError,
    RemoteUnreachableError,
    TagAlarm,
    TagTakenError,
)
from tests.fakes.git_world import GitWorld
from tests.fakes.object_world import ObjectWorld

AT = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A small remote: three commits on main, a line, two tags."""
    world = GitWorld(tmp_path / "remote.git")
    one, two, _ = world.line_of(["one", "two", "three"])
    world.branch("1.0.x", two)
    world.tag("v1.0", one)
    world.tag("v1.1", two, annotated=True)
    return world


@pytest.fixture
def mirror(world: GitWorld, tmp_path: Path) -> GitRepository:
    repository = GitRepositories().mirror(str(world.folder), folder=tmp_path / "mirror.git")
    repository.fetch()
    return repository


def every_message(repository: GitRepository, refs: Refs | None = None) -> list[str]:
    seen = refs or repository.refs()
    tips = [tag.commit for tag in seen.tags if tag.commit] + [head.commit for head in seen.heads]
    return [message for batch in repository.commits(tips) for message in batch.messages]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_mirror_has_what_the_remote_has(world: GitWorld, mirror: GitRepository) -> None:
    refs = mirror.refs()
    assert {tag.name: tag.commit for tag in refs.tags} == {
        "v1.0": world.git("rev-parse", "v1.0"),
        "v1.1": world.git("rev-parse", "v1.1^{commit}"),
    }
    assert {tag.name: tag.tagged_at is not None for tag in refs.tags} == {"v1.0": False, "v1.1": True}
    assert [head.name for head in refs.heads] == ["1.0.x", "main"]
    assert refs.main == "main"
    assert sorted(every_message(mirror)) == ["one", "three", "two"]


def test_progress_tells_how_many_are_read(mirror: GitRepository) -> None:
    seen: list[tuple[int, int | None]] = []
    tips = [head.commit for head in mirror.refs().heads]
    list(mirror.commits(tips, progress=lambda done, total: seen.append((done, total))))
    assert seen == [(0, None), (3, None)]


def test_known_commits_are_not_read_again(world: GitWorld, mirror: GitRepository) -> None:
    tip, known = mirror.tip("main"), world.git("rev-parse", "v1.1^{commit}")
    assert [m for batch in mirror.commits([tip], known=[known]) for m in batch.messages] == ["three"]
    assert list(mirror.commits([])) == []


def test_second_fetch_finds_nothing_and_the_fingerprint_stays(world: GitWorld, mirror: GitRepository) -> None:
    before = mirror.refs().fingerprint
    assert not mirror.fetch().changed
    assert mirror.refs().fingerprint == before
    world.commit("four", world.git("rev-parse", "main"), branch="main")
    assert mirror.fetch().changed
    assert mirror.refs().fingerprint != before


def test_branches_follow_the_remote_even_backwards(world: GitWorld, mirror: GitRepository) -> None:
    world.branch("main", world.git("rev-parse", "v1.0"))
    world.git("update-ref", "-d", "refs/heads/1.0.x")
    world.branch("1.0.x/hotfix", world.git("rev-parse", "v1.0"))
    mirror.fetch()
    assert {head.name: head.commit for head in mirror.refs().heads} == {
        "1.0.x/hotfix": world.git("rev-parse", "v1.0"),
        "main": world.git("rev-parse", "v1.0"),
    }


def test_moved_and_vanished_tags_are_told_and_keep_their_meaning(world: GitWorld, mirror: GitRepository) -> None:
    first, second = world.git("rev-parse", "v1.0"), world.git("rev-parse", "v1.1")
    tip = world.commit("four", world.git("rev-parse", "main"), branch="main")
    world.tag("v1.0", tip)
    world.git("update-ref", "-d", "refs/tags/v1.1")
    for _ in range(2):
        assert mirror.fetch().alarms == (
            TagAlarm(name="v1.0", was=first, now=tip),
            TagAlarm(name="v1.1", was=second, now=None),
        )
    assert {tag.name: tag.object_id for tag in mirror.refs().tags} == {"v1.0": first, "v1.1": second}
    assert mirror.tip("main") == tip
    mirror.accept(TagAlarm(name="v1.0", was=first, now=tip))
    assert [alarm.name for alarm in mirror.fetch().alarms] == ["v1.1"]
    assert {tag.name: tag.commit for tag in mirror.refs().tags}["v1.0"] == tip


def test_tags_of_tags_and_of_other_things_are_peeled(world: GitWorld, mirror: GitRepository) -> None:
    commit = world.git("rev-parse", "main")
    inner = world.tag("inner", commit, annotated=True)
    middle = world.tag("middle", inner, annotated=True)
    world.tag("outer", middle, annotated=True)
    blob = world.git("hash-object", "-w", "--stdin", feed=b"x")
    world.tag("blob", blob)
    world.tag("blob-tag", world.tag("blob-inner", blob, annotated=True), annotated=True)
    mirror.fetch()
    found = {tag.name: tag.commit for tag in mirror.refs().tags}
    assert found["outer"] == found["middle"] == found["inner"] == commit
    assert found["blob"] is found["blob-inner"] is found["blob-tag"] is None


def test_repository_without_tags_is_a_fact(tmp_path: Path) -> None:
    world = GitWorld(tmp_path / "r.git")
    world.line_of(["one"])
    assert GitRepositories().in_place(world.folder).refs().tags == ()


def test_working_copy_is_read_in_place_with_the_branches_of_its_origin(world: GitWorld, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", str(world.folder), str(copy)], check=True)
    (copy / "deep" / "down").mkdir(parents=True)
    repository = GitRepositories().in_place(copy / "deep" / "down")
    assert [head.name for head in repository.refs().heads] == ["1.0.x", "main"]
    assert repository.refs().main == "main"
    assert not repository.fetch().changed
    with pytest.raises(RefusedAddressError, match="only read"):
        repository.remote_tag("v1.0")


def test_linked_working_tree_is_read_in_place(world: GitWorld, tmp_path: Path) -> None:
    world.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "main")
    assert len(GitRepositories().in_place(tmp_path / "tree").refs().tags) == 2


# --- bytes and hostile names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "encoding", "wanted"),
    [
        ("Жук".encode("koi8-r"), "KOI8-R", "Жук"),
        ("Käfer".encode("latin-1"), "ISO-8859-1", "Käfer"),
        ("Käfer".encode("latin-1"), None, "Käfer"),
        ("Käfer".encode("latin-1"), "UTF-8", "Käfer"),
        ("Käfer".encode("latin-1"), "no-such-thing", "Käfer"),
        ("Käfer".encode(), "no-such-thing", "Käfer"),
        ("カブト".encode("shift_jis"), "Shift_JIS", "カブト"),
        (b"before\0after", None, "before"),
        (b"", None, ""),
        (b"\x1b[31mred\x1b[0m <script>", None, "\x1b[31mred\x1b[0m <script>"),
    ],
)
def test_no_commit_is_dropped_for_its_bytes(tmp_path: Path, raw: bytes, encoding: str | None, wanted: str) -> None:
    world = GitWorld(tmp_path / "r.git")
    first = world.commit("first")
    middle = world.commit(raw, first, encoding=encoding)
    world.commit("last", middle, branch="main")
    assert every_message(GitRepositories().in_place(world.folder)) == ["last", wanted, "first"]


def test_message_of_a_megabyte_is_read(tmp_path: Path) -> None:
    world = GitWorld(tmp_path / "r.git")
    world.commit("Big\n\n" + "x" * 1_100_000 + "\nend\n", branch="main")
    message = every_message(GitRepositories().in_place(world.folder))[0]
    assert message.startswith("Big\n\nx")
    assert message.endswith("x\nend\n")


def test_hostile_names_are_only_names(world: GitWorld, mirror: GitRepository, tmp_path: Path) -> None:
    tip = world.git("rev-parse", "main")
    # As a person could push them: all are names that git allows.
    names = [
        f"--output={tmp_path.name}-owned",
        "--upload-pack=touch${IFS}owned",
        "$(touch${IFS}owned)",
        "a;b",
        "ж",
        "x\u2028y",
    ]
    for name in names:
        world.tag(name, tip)
        world.branch(f"b/{name}", tip)
    raw = b"refs/tags/\xff\xfe"
    world.git("update-ref", "--stdin", "-z", feed=b"create " + raw + b"\0" + tip.encode() + b"\0")
    assert mirror.fetch().alarms == ()
    assert not mirror.fetch().changed
    refs = mirror.refs()
    assert {*names, "\\xff\\xfe"} <= {tag.name for tag in refs.tags}
    for tag in refs.tags:
        tag.name.encode()
    assert len(every_message(mirror, refs)) == 3
    assert mirror.tip("b/--output=" + tmp_path.name + "-owned") == tip
    assert [path for path in tmp_path.rglob("*owned*") if "refs" not in path.parts] == []


@pytest.mark.parametrize("revision", ["main", "--all", "--output=x", "HEAD", "", "abc1234", "0" * 39 + "g"])
def test_only_full_ids_reach_the_log(mirror: GitRepository, revision: str) -> None:
    with pytest.raises(GitFailedError, match="no full object id"):
        list(mirror.commits([revision]))


@pytest.mark.parametrize("branch", ["", "none", "--all", "main~1", "main^{/one}", "a\nb", "@{-1}", "*"])
def test_tip_of_what_is_no_branch_is_not_found(mirror: GitRepository, branch: str) -> None:
    with pytest.raises(BranchNotFoundError, match="no branch") as caught:
        mirror.tip(branch)
    assert "main" in caught.value.advice


def test_programs_in_a_repositorys_own_configuration_do_not_run(world: GitWorld, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    for setting in ("core.fsmonitor", "core.sshCommand", "gpg.program", "core.pager", "log.showSignature"):
        world.git("config", setting, "true" if setting.startswith("log") else f"touch {owned}")
    hook = world.folder / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {owned}\n")
    hook.chmod(0o755)
    repository = GitRepositories().in_place(world.folder)
    assert len(every_message(repository)) == 3
    repository.make_tag("v9.9", commit=repository.tip("main"), message="x", tagged_at=AT)
    assert not owned.exists()


# --- what is no whole repository -------------------------------------------------------------------------------------


def test_what_is_no_repository_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for path in (tmp_path / "plain", tmp_path / "missing"):
        with pytest.raises(NotARepositoryError, match="is not a git repository"):
            GitRepositories().in_place(path)
        with pytest.raises(NotARepositoryError):
            GitRepositories().mirror(str(path), folder=tmp_path / "m.git")
    broken = tmp_path / "broken"
    for part in ("objects", "refs"):
        (broken / part).mkdir(parents=True)
    (broken / "HEAD").write_text("nonsense")
    with pytest.raises(NotARepositoryError):
        GitRepositories().in_place(broken)


@pytest.mark.parametrize(
    "option",
    ["--depth=1", "--shallow-since=2023-11-14T22:14:30Z", "--shallow-exclude=refs/tags/v1.0", "--depth=1 --no-tags"],
)
def test_shallow_clone_is_refused_with_the_command_that_mends_it(world: GitWorld, tmp_path: Path, option: str) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", *option.split(), f"file://{world.folder}", str(shallow)], check=True)
    repositories = GitRepositories()
    reads: list[Callable[[], GitRepository]] = [
        lambda: repositories.in_place(shallow),
        lambda: repositories.mirror(str(shallow), folder=tmp_path / "m1.git"),
        lambda: repositories.mirror(f"file://{shallow}", folder=tmp_path / "m2.git"),
    ]
    commands = set()
    for read in reads:
        with pytest.raises(IncompleteRepositoryError, match="shallow") as caught:
            read()
        commands |= set(re.findall("`git (fetch [^`]*)`", caught.value.advice))
    [command] = commands
    subprocess.run(["git", "-C", str(shallow), *command.split()], check=True, capture_output=True)
    mended = GitRepositories().in_place(shallow)
    assert len(mended.refs().tags) == 2
    assert len(every_message(mended)) == 3


@pytest.mark.parametrize("what", ["tree:0", "blob:none", "blob:limit=1k", "object:type=commit"])
def test_partial_clone_is_refused_with_the_command_that_mends_it(world: GitWorld, tmp_path: Path, what: str) -> None:
    world.git("config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    origin = f"file://{world.folder}"
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", f"--filter={what}", origin, str(partial)], check=True)
    with pytest.raises(IncompleteRepositoryError, match="partial clone") as caught:
        GitRepositories().in_place(partial)
    assert caught.value.advice.endswith(f"git clone {origin} WHOLE")
    subprocess.run(["git", "clone", "--quiet", origin, str(tmp_path / "WHOLE")], check=True)
    assert len(GitRepositories().in_place(tmp_path / "WHOLE").refs().tags) == 2


def test_partial_clone_does_not_tell_the_secret_of_its_address(world: GitWorld, tmp_path: Path) -> None:
    world.git("config", "remote.origin.promisor", "true")
    world.git("config", "remote.origin.url", "https://ann:hunter2@example.org/\x1b[31mshop.git")
    with pytest.raises(IncompleteRepositoryError) as caught:
        GitRepositories().in_place(world.folder)
    assert caught.value.advice.endswith("git clone https://example.org/[31mshop.git WHOLE")


def test_mirror_names_objects_as_its_remote_does(world: GitWorld, tmp_path: Path) -> None:
    other = ObjectWorld(tmp_path / "other.git", form="sha256")
    commit = other.commit(b"one", author="A <a> 1700000000 +0000", committer="A <a> 1700000000 +0000")
    other.refs({"refs/heads/main": commit, "refs/tags/v1.0": commit})
    mirror = GitRepositories().mirror(str(other.folder), folder=tmp_path / "m.git")
    assert mirror.fetch().changed
    assert not mirror.fetch().changed
    assert [tag.commit for tag in mirror.refs().tags] == [commit]
    assert every_message(mirror) == ["one"]
    made = mirror.make_tag("v1.1", commit=commit, message="Release 1.1", tagged_at=AT)
    mirror.push_tag("v1.1", object_id=made)
    assert mirror.remote_tag("v1.1") == made
    # Another repository in its place is told as such, and nothing is lost.
    other.folder.rename(tmp_path / "gone.git")
    world.folder.rename(other.folder)
    with pytest.raises(RemoteUnreachableError, match="another repository now") as caught:
        mirror.fetch()
    assert caught.value.permanent
    assert every_message(mirror) == ["one"]


def test_pretended_parents_do_not_change_what_is_read(world: GitWorld, tmp_path: Path) -> None:
    before = every_message(GitRepositories().in_place(world.folder))
    tip, first = world.git("rev-parse", "main"), world.git("rev-parse", "v1.0")
    world.git("replace", "--graft", tip)
    (world.folder / "info").mkdir(exist_ok=True)
    (world.folder / "info" / "grafts").write_text(f"{world.git('rev-parse', 'v1.1^{commit}')}\n{first} {tip}\n")
    repository = GitRepositories().in_place(world.folder)
    assert every_message(repository) == before
    assert not any("replace" in head.name for head in repository.refs().heads)
    shared = tmp_path / "shared"
    subprocess.run(["git", "clone", "--quiet", "--shared", "--bare", str(world.folder), str(shared)], check=True)
    world.folder.rename(tmp_path / "gone")
    with pytest.raises(GitFailedError, match="missing object"):
        GitRepositories().in_place(shared).refs()


def test_empty_repository_is_named_so(tmp_path: Path) -> None:
    world = GitWorld(tmp_path / "r.git")
    with pytest.raises(EmptyRepositoryError, match="no commit yet"):
        GitRepositories().in_place(world.folder).refs()
    mirror = GitRepositories().mirror(str(world.folder), folder=tmp_path / "m.git")
    assert not mirror.fetch().changed
    with pytest.raises(EmptyRepositoryError):
        mirror.refs()


@pytest.mark.parametrize(
    "address", ["", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c x", "fd::3", "http://example.org/x", "a\nb"]
)
def test_address_of_another_kind_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(RefusedAddressError) as caught:
        GitRepositories().mirror(address, folder=tmp_path / "m.git")
    assert "https" in caught.value.advice
    assert not (tmp_path / "m.git").exists()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_remote_that_hangs_is_left_in_time(tmp_path: Path, silent_port: int) -> None:
    repositories = GitRepositories(protocols=("git",), answers_in_s=0.5)
    mirror = repositories.mirror(f"git://127.0.0.1:{silent_port}/x", folder=tmp_path / "m.git")
    with pytest.raises(RemoteUnreachableError, match=r"within 0\.5 s") as caught:
        mirror.fetch()
    assert not caught.value.permanent


def test_remote_that_is_not_there_is_told_without_secrets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    mirror = GitRepositories().mirror(f"https://user:hunter2@127.0.0.1:{port}/x", folder=tmp_path / "m.git")
    with pytest.raises(RemoteUnreachableError) as caught:
        mirror.fetch()
    assert "hunter2" not in str(caught.value)
    assert not caught.value.permanent


def test_reader_that_stops_early_leaves_no_git_behind(mirror: GitRepository) -> None:
    reading = mirror.commits([mirror.tip("main")])
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert len(every_message(mirror)) == 3


# --- publishing tags -------------------------------------------------------------------------------------------------


def test_tag_is_made_once_pushed_once_and_read_back(world: GitWorld, mirror: GitRepository) -> None:
    tip = mirror.tip("main")
    made = mirror.make_tag("v1.2", commit=tip, message="Release 1.2", tagged_at=AT)
    assert mirror.make_tag("v1.2", commit=tip, message="other words", tagged_at=datetime.now(UTC)) == made
    assert mirror.remote_tag("v1.2") is None
    assert "v1.2" not in {tag.name for tag in mirror.refs().tags}
    for _ in range(2):
        mirror.push_tag("v1.2", object_id=made)
        assert mirror.remote_tag("v1.2") == made
    assert world.git("rev-parse", "v1.2^{commit}") == tip
    assert "tagger releaser <releaser@localhost> 1741064767 +0000" in world.git("cat-file", "-p", "v1.2")
    fetched = mirror.fetch()
    assert (fetched.changed, fetched.alarms) == (True, ())
    assert mirror.make_tag("v1.2", commit=tip, message="Release 1.2", tagged_at=AT) == made


def test_lost_mirror_makes_the_same_tag_again(world: GitWorld, mirror: GitRepository, tmp_path: Path) -> None:
    tip = mirror.tip("main")
    made = mirror.make_tag("v1.2", commit=tip, message="Release 1.2", tagged_at=AT)
    mirror.push_tag("v1.2", object_id=made)
    again = GitRepositories().mirror(str(world.folder), folder=tmp_path / "again.git")
    again.fetch()
    assert again.make_tag("v1.2", commit=tip, message="Release 1.2", tagged_at=AT) == made


def test_tag_of_that_name_that_leads_elsewhere_is_refused(world: GitWorld, mirror: GitRepository) -> None:
    with pytest.raises(TagTakenError, match=r"v1\.0"):
        mirror.make_tag("v1.0", commit=mirror.tip("main"), message="x", tagged_at=AT)
    mirror.make_tag("v1.2", commit=mirror.tip("main"), message="x", tagged_at=AT)
    with pytest.raises(TagTakenError):
        mirror.make_tag("v1.2", commit=world.git("rev-parse", "v1.0"), message="x", tagged_at=AT)


def test_tag_that_somebody_else_pushed_first_is_never_overwritten(world: GitWorld, mirror: GitRepository) -> None:
    theirs = world.tag("v1.2", world.git("rev-parse", "v1.0"))
    made = mirror.make_tag("v1.2", commit=mirror.tip("main"), message="x", tagged_at=AT)
    with pytest.raises(TagTakenError, match="not ours") as caught:
        mirror.push_tag("v1.2", object_id=made)
    assert caught.value.facts["object_id"] == theirs
    assert world.git("rev-parse", "v1.2") == theirs


def test_two_who_push_at_once_have_one_winner(world: GitWorld, tmp_path: Path) -> None:
    mirrors = [GitRepositories().mirror(str(world.folder), folder=tmp_path / f"m{n}.git") for n in range(2)]
    made = []
    for n, mirror in enumerate(mirrors):
        mirror.fetch()
        made.append(mirror.make_tag("v1.2", commit=mirror.tip("main"), message=f"by {n}", tagged_at=AT))
    start = threading.Barrier(2)
    outcome: dict[int, str] = {}

    def push(n: int) -> None:
        start.wait()
        try:
            mirrors[n].push_tag("v1.2", object_id=made[n])
            outcome[n] = "won"
        except TagTakenError:
            outcome[n] = "taken"

    threads = [threading.Thread(target=push, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.values()) == ["taken", "won"]
    winner = next(n for n, what in outcome.items() if what == "won")
    assert world.git("rev-parse", "v1.2") == made[winner]


def test_remote_that_refuses_a_push_is_quoted(world: GitWorld, mirror: GitRepository) -> None:
    hook = world.folder / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'Tags are made on Fridays only' >&2\nexit 1\n")
    hook.chmod(0o755)
    made = mirror.make_tag("v1.2", commit=mirror.tip("main"), message="x", tagged_at=AT)
    with pytest.raises(PushRefusedError, match="Fridays only") as caught:
        mirror.push_tag("v1.2", object_id=made)
    assert caught.value.permanent
    hook.unlink()
    mirror.push_tag("v1.2", object_id=made)


@pytest.mark.parametrize("name", ["", "a b", "a..b", "-x/", "a~1", "x.lock", "a\nb"])
def test_name_that_git_does_not_allow_is_refused(mirror: GitRepository, name: str) -> None:
    with pytest.raises(InvalidTagNameError):
        mirror.make_tag(name, commit=mirror.tip("main"), message="x", tagged_at=AT)
