"""Patches of real commits: which change the same, and what that adds to where a change is."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from releaser.domain.contains import as_json, whereabouts
from releaser.domain.history import History, HistoryBuilder, PickLayer
from releaser.domain.history.patches import by_patch, doubtful
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from releaser.flows.compare_patches import compare_patches
from releaser.flows.read_contains import read_contains
from releaser.flows.read_in_place import Habits
from releaser.sources.git import GitRepositories, GitRepository
from releaser.sources.source import GitFailedError

LINES = "".join(f"line {n}\n" for n in range(40))


class FileWorld:
    """A repository whose commits hold files; told step by step, written by one `git fast-import`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: list[bytes] = []
        self._count = 0

    def commit(
        self, branch: str, message: str, files: Mapping[str, str | bytes], *, onto: str = "", author: str = "Ann"
    ) -> str:
        """Commit these files on a branch; answers a mark. `onto` is where a new branch begins."""
        self._count += 1
        at = 1_700_000_000 + 60 * self._count
        text = message.encode()
        lines = [
            f"commit refs/heads/{branch}",
            f"mark :{self._count}",
            f"author {author} <{author}@example.org> {at} +0000",
        ]
        lines += [f"committer Ann <ann@example.org> {at} +0000", f"data {len(text)}"]
        self._told.append("\n".join(lines).encode() + b"\n" + text + b"\n")
        if onto:
            self._told.append(f"from {onto}\n".encode())
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            mode = "100755" if name.endswith(".sh") else "100644"
            self._told.append(f"M {mode} inline {name}\ndata {len(raw)}\n".encode() + raw + b"\n")
        return f":{self._count}"

    def tag(self, name: str, mark: str) -> None:
        """A lightweight tag."""
        self._told.append(f"reset refs/tags/{name}\nfrom {mark}\n\n".encode())

    def written(self) -> GitRepository:
        """Write it all."""
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.folder)], check=True)
        command = ["git", f"--git-dir={self.folder}", "fast-import", "--quiet", f"--export-marks={self.folder}/marks"]
        subprocess.run(command, input=b"".join(self._told), check=True)
        return GitRepositories().in_place(self.folder)

    def ids(self) -> dict[str, str]:
        """Mark -> commit id."""
        return dict(line.split(" ") for line in (self.folder / "marks").read_text().splitlines())


def read(repository: GitRepository) -> History:
    refs = repository.refs()
    builder = HistoryBuilder(tag_format=TagFormat(scheme=Scheme.TWO_PART), patterns=TicketPatterns([r"T-\d+"]))
    for batch in repository.commits([head.commit for head in refs.heads]):
        builder.add(batch)
    return builder.finish(refs)


@pytest.fixture
def world(tmp_path: Path) -> FileWorld:
    return FileWorld(tmp_path / "r.git")


def test_equal_patches_have_equal_ids_wherever_they_stand(world: FileWorld) -> None:
    base = world.commit("main", "base", {"a": LINES, "b.bin": bytes(range(256))})
    fix = LINES.replace("line 20\n", "line twenty\n")
    one = world.commit("main", "fix", {"a": fix})
    other_place = world.commit("1.0", "head", {"a": "new\n" + LINES}, onto=base)
    same = world.commit("1.0", "fix again", {"a": "new\n" + fix})
    differs = world.commit("1.0", "fix", {"a": "new\n" + fix.replace("twenty", "zwanzig")})
    binary = world.commit("main", "binary", {"b.bin": bytes(reversed(range(256)))})
    other_binary = world.commit("1.0", "binary", {"b.bin": bytes(256)})
    mode = world.commit("main", "mode", {"x.sh": "echo\n"})
    empty = world.commit("main", "nothing", {})
    repository = world.written()
    ids = world.ids()
    found = repository.patch_ids(ids.values())
    assert found[ids[one]] == found[ids[same]]
    distinct = [ids[mark] for mark in (base, one, other_place, differs, binary, other_binary, mode)]
    assert len({found[commit] for commit in distinct}) == len(distinct)
    assert ids[empty] not in found
    assert repository.patch_ids([]) == {}


def test_many_commits_are_asked_in_several_calls(world: FileWorld) -> None:
    for number in range(1100):
        world.commit("main", f"change {number}", {"a": f"{number}\n"})
    repository = world.written()
    ids = list(world.ids().values())
    found = repository.patch_ids([*ids, *ids])
    assert set(found) == set(ids)
    assert len(set(found.values())) == len(ids)


def test_patch_of_what_is_not_there_is_a_failure(world: FileWorld) -> None:
    world.commit("main", "base", {"a": LINES})
    repository = world.written()
    assert repository.patch_ids(["0" * 40]) == {}
    with pytest.raises(GitFailedError, match="no full object id"):
        repository.patch_ids(["--output=x"])


def test_programs_named_by_attributes_do_not_run(world: FileWorld, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    world.commit("main", "base", {"a": LINES, ".gitattributes": "a diff=evil\n"})
    world.commit("main", "next", {"a": "x\n"})
    repository = world.written()
    for setting in ("diff.evil.textconv", "diff.evil.command", "diff.external"):
        subprocess.run(["git", f"--git-dir={world.folder}", "config", setting, f"touch {owned};"], check=True)
    (world.folder / "info").mkdir(exist_ok=True)
    (world.folder / "info" / "attributes").write_text("a diff=evil\n")
    assert len(repository.patch_ids(world.ids().values())) == 2
    assert not owned.exists()


def backported(world: FileWorld) -> dict[str, str]:
    """A fix on main, and on the line: the same by hand under another subject, author and date; names -> ids."""
    base = world.commit("main", "base", {"a": LINES, "b": LINES})
    fix = LINES.replace("line 20\n", "line twenty\n")
    marks = {"base": base, "fix": world.commit("main", "T-1: mend the basket (#4)", {"a": fix})}
    marks["line"] = world.commit("1.0", "prepare", {"b": "x\n"}, onto=base)
    marks["hand"] = world.commit("1.0", "T-1: basket, for this line", {"a": fix}, author="Bob")
    marks["other"] = world.commit("1.0", "T-1: and more of it", {"a": fix + "more\n"}, author="Bob")
    marks["main"] = world.commit("main", "mend the cart (#5)", {"b": fix})
    marks["plain"] = world.commit("1.1", "mend the cart", {"b": fix}, onto=base, author="Cem")
    marks["false"] = world.commit("1.1", "mend the cart", {"b": "quite another\n"}, author="Cem")
    for version, name in {"1.0": "base", "1.0.1": "hand", "1.1.1": "plain", "1.2": "main"}.items():
        world.tag(version, marks[name])
    world.written()
    ids = world.ids()
    return {name: ids[mark] for name, mark in marks.items()}


def test_equal_patches_tell_picks_that_no_message_tells(world: FileWorld) -> None:
    ids = backported(world)
    repository = GitRepositories().in_place(world.folder)
    history = read(repository)
    assert history.picks == ()
    place = {name: history.find(one) or 0 for name, one in ids.items()}

    def names(places: tuple[int, ...]) -> set[str]:
        return {name for name, at in place.items() if at in places}

    assert names(doubtful(history, [place["fix"]])) == {"hand", "other"}
    assert names(doubtful(history, [place["main"]])) == {"plain", "false"}
    assert doubtful(history, [place["base"]]) == ()
    others = doubtful(history, [place["main"]])
    patches = repository.patch_ids(history.graph.ids[one] for one in [place["main"], *others])
    [pick] = by_patch(history, [place["main"]], others, patches)
    assert (pick.commit, pick.source_id, pick.layer) == (place["plain"], ids["main"], PickLayer.PATCH)
    assert by_patch(history, [place["main"]], others, {}) == ()


@pytest.mark.parametrize(
    ("query", "plainly", "compared"),
    [
        (
            "fix",
            {"1.0.1": ("ticket", "hand"), "1.2": ("self", "fix")},
            {"1.0.1": ("pick", "hand"), "1.2": ("self", "fix")},
        ),
        ("main", {"1.2": ("self", "main")}, {"1.1.1": ("pick", "plain"), "1.2": ("self", "main")}),
        ("plain", {"1.1.1": ("self", "plain")}, {"1.1.1": ("self", "plain"), "1.2": ("pick", "main")}),
        (
            "T-1",
            {"1.0.1": ("self", "hand"), "1.2": ("self", "fix")},
            {"1.0.1": ("pick", "hand"), "1.2": ("self", "fix")},
        ),
        ("base", {}, {}),
    ],
)
def test_comparing_patches_adds_where_a_change_is(
    world: FileWorld, query: str, plainly: dict[str, tuple[str, str]], compared: dict[str, tuple[str, str]]
) -> None:
    ids = backported(world)
    repository = GitRepositories().in_place(world.folder)
    history = read(repository)
    name_of = {one: name for name, one in ids.items()}
    asked = ids.get(query, query)

    comparing = partial(compare_patches, repository, history)
    for how, wanted in ((None, plainly), (comparing, compared)):
        found = whereabouts(history, asked, comparing=how)
        told = {one.release.version.text: (one.via.value, name_of[one.commit]) for one in found.releases}
        assert query == "base" or told == wanted
        layers = {name_of[one["id"]]: one["layer"] for one in as_json(found, history)["evidence"] if one["layer"]}
        assert layers == {name: "patch" for via, name in wanted.values() if via == "pick"}


def test_deep_answer_is_told_by_the_flow(world: FileWorld) -> None:
    ids = backported(world)
    repository = GitRepositories().in_place(world.folder)
    told = [
        read_contains(repository, query=ids["main"], habits=Habits(ticket_patterns=(r"T-\d+",)), deep=deep)
        for deep in (False, True)
    ]
    assert [[one["version"] for one in facts["releases"]] for facts in told] == [["1.2"], ["1.1.1", "1.2"]]
    assert [one["picked_from"] for one in told[1]["evidence"]] == [None, ids["main"]]
