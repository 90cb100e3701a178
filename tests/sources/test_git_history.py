"""The history as computed here against the slow truth: git itself, asked commit by commit and tag by tag."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from releaser.domain.history import History, HistoryBuilder, PickLayer, TicketTable, Via, members
from releaser.domain.ticket import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from releaser.sources.git import GitRepositories, GitRepository
from tests.fakes.git_world import START, GitWorld

BUNDLE = Path(__file__).parents[3] / "shared" / "data" / "jenkins-history.bundle"


def read(repository: GitRepository, *, tag_format: str = "{version}", pattern: str = r"T-\d+") -> History:
    refs = repository.refs()
    builder = HistoryBuilder(
        tag_format=TagFormat(scheme=Scheme.TWO_PART, text=tag_format), patterns=TicketPatterns([pattern])
    )
    tips = [tag.commit for tag in refs.tags if tag.commit] + [head.commit for head in refs.heads]
    for batch in repository.commits(tips):
        builder.add(batch)
    return builder.finish(refs)


# A commit: how far back its parents are (from one root to an octopus), and how its clock goes.
commits = st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=3), st.integers(-200, 200)), min_size=1, max_size=24)
versions = st.sampled_from([f"{x}.{y}{z}" for x in (1, 2) for y in (0, 1, 2) for z in ("", ".1", ".2", "-rc.1")])


def made(world: GitWorld, graph: list[tuple[list[int], int]], tags: dict[str, int]) -> list[str]:
    ids: list[str] = []
    for number, (backs, skew) in enumerate(graph):
        parents = list(dict.fromkeys(ids[-back] for back in backs if back <= len(ids)))
        ids.append(world.commit(f"commit {number}", *parents, committed=START + 60 * number + 60 * skew))
    feed = [f"create refs/tags/{name} {ids[place % len(ids)]}\n" for name, place in tags.items()]
    feed += [f"create refs/heads/b{n} {ids[-n]}\n" for n in range(1, min(3, len(ids)) + 1)]
    world.git("update-ref", "--stdin", feed="".join(feed).encode())
    return ids


# A third of what is usual: each example makes a repository and asks git some dozens of times.
@settings(max_examples=settings().max_examples // 3 or 1)
@given(graph=commits, tags=st.dictionaries(versions, st.integers(0, 1000), max_size=8))
@example(graph=[([], 0), ([1], -100), ([1, 2], -200), ([1], 0)], tags={"1.0": 1, "1.0.1": 3, "1.1": 2})
def test_random_graphs_agree_with_git(graph: list[tuple[list[int], int]], tags: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = GitWorld(Path(folder) / "r.git")
        ids = made(world, graph, tags)
        note(world.git("log", "--all", "--graph", "--oneline", "--decorate"))
        history = read(GitRepositories().in_place(world.folder))
        for number, commit in enumerate(history.graph.ids):
            assert all(parent < number for parent in history.graph.parents(number))
            containing = {history.releases[rank].tag for rank in members(history.bits(number)) if rank < len(tags)}
            assert containing == set(world.git("tag", "--contains", commit).split())
        for release in history.releases:
            excluded = [f"^{release.previous_tag}"] if release.previous_tag else []
            truth = world.rev_list(f"refs/tags/{release.tag}", *excluded)
            assert {history.graph.ids[one] for one in history.new_in(release)} == truth
        assert set(history.graph.ids) == world.rev_list("--all") <= set(ids)
        check_walks(world, history)


def check_walks(world: GitWorld, history: History) -> None:
    """What merges brought in, and who descends from whom."""
    ids = history.graph.ids
    for merge, parents in history.graph.more.items():
        truth = world.rev_list(*(ids[parent] for parent in parents[1:]), f"^{ids[parents[0]]}")
        assert {ids[one] for one in history.graph.side_of(merge, limit=1000)} == truth
    last = len(ids) - 1
    ancestors = world.rev_list(ids[last]) - {ids[last]}
    assert {ids[one] for one in range(last) if history.graph.is_ancestor(one, last, limit=1000)} == ancestors


@pytest.fixture(scope="module")
def jenkins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, History]:
    """A long real history, where it is at hand."""
    folder = tmp_path_factory.mktemp("jenkins")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(BUNDLE), str(folder / "r.git")], check=True)
    repository = GitRepositories().in_place(folder / "r.git")
    return folder / "r.git", read(repository, tag_format="jenkins-{version}", pattern=r"JENKINS-\d+")


# Without the data there is nothing to collect, which is no failure: small made-up histories are tested above.
if BUNDLE.exists():

    def git(folder: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, errors="replace"
        ).stdout

    def test_long_history_has_its_releases(jenkins: tuple[Path, History]) -> None:
        _, history = jenkins
        assert len(history) == 40_323
        assert len(history.releases) == 1_132
        assert [tag.name for tag in history.unread_tags] == ["jenkins-1.509.4-sp3"]
        lines = {head.line for head in history.heads}
        assert {"2.555", "2.568", "1.625"} <= lines

    def test_long_history_agrees_with_git_on_every_release_of_some_lines(jenkins: tuple[Path, History]) -> None:
        folder, history = jenkins
        some = [release for release in history.releases if release.rank % 40 == 0 or release.line in {"2.555", "1.424"}]
        assert len(some) > 30
        for release in some:
            excluded = [f"^{release.previous_tag}"] if release.previous_tag else []
            truth = set(git(folder, "rev-list", release.tag, *excluded).split())
            assert {history.graph.ids[one] for one in history.new_in(release)} == truth, release.tag

    def test_long_history_agrees_with_git_on_containment(jenkins: tuple[Path, History]) -> None:
        folder, history = jenkins
        for commit in range(0, len(history), 8_000):
            truth = set(git(folder, "tag", "--contains", history.graph.ids[commit]).split())
            tags = {r.tag for r in history.releases if history.bits(commit) >> r.rank & 1}
            assert tags == truth - {"jenkins-1.509.4-sp3"}

    def test_every_resolvable_pick_of_a_long_history_is_found(jenkins: tuple[Path, History]) -> None:
        folder, history = jenkins
        known = set(history.graph.ids)
        trailer = re.compile(r"cherry picked from commit ([0-9a-f]{40})\b")
        log = git(folder, "log", "--all", "--format=%H%n%B%x00").split("\0")
        said = [(text[:40], source) for text in map(str.lstrip, log) for source in trailer.findall(text)]
        found = {(history.graph.ids[p.commit], p.source_id) for p in history.picks if p.layer is PickLayer.TRAILER}
        assert sum(1 for _, source in said if source in known) == 1_540
        # One is a revert that quotes the trailer of what it takes back: no pick, and its source is told all the same.
        [(quoting, source)] = [pick for pick in said if pick not in found]
        assert history.subject(history.find(quoting) or 0).startswith(
            'Revert "[JENKINS-17337] Added test for NPE.(cherry'
        )
        told = {c.commit.id: c.picked_from for release in history.releases for c in history.changes(release)}
        assert told[quoting] == source
        assert "1.509" not in {one.line for one in history.on_lines(history.find(source) or 0) if one.via is Via.PICK}

    def test_every_ticket_of_a_long_history_is_on_some_line(jenkins: tuple[Path, History]) -> None:
        _, history = jenkins
        table = TicketTable(history)
        assert len(table.keys) > 3_000
        assert sum(1 for _ in table.statuses(["2.555", "2.568"])) == len(table.keys)
