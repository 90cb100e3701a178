"""The history as computed here against the slow truth: git itself, asked commit by commit and tag by tag."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from releaser.domain.history import (
    History,
    HistoryBuilder,
    LineStatus,
    PickLayer,
    Standing,
    TicketTable,
    Via,
    members,
)
from releaser.domain.ticket import TicketRelation
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat, Version, VersionKind
from releaser.flows.read_history import read_history
from releaser.sources.git import GitRepositories, GitRepository
from tests.fakes.random_history import RandomHistory, histories, random_history

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


class Asked:
    """git, asked in one repository."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str, feed: str = "") -> list[str]:
        done = subprocess.run(
            ["git", f"--git-dir={self._folder}", *arguments], check=True, capture_output=True, text=True, input=feed
        )
        return done.stdout.split()

    def is_ancestor(self, older: str, younger: str) -> bool:
        command = ["git", f"--git-dir={self._folder}", "merge-base", "--is-ancestor", older, younger]
        return subprocess.run(command, check=False).returncode == 0


# Each example makes a repository and asks git some dozens of times: few of them by default, thousands when asked for.
EXAMPLES = 40 if settings().max_examples < 1000 else 2 * settings().max_examples


@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES)
@given(made=histories(), prefix=st.sampled_from(["", "", "v", "app/v", "app-"]))
def test_random_graphs_agree_with_git(made: RandomHistory, prefix: str) -> None:
    made.tags = {prefix + version: one for version, one in made.tags.items()}
    with tempfile.TemporaryDirectory() as folder:
        note(str(made))
        if made.seed % 2:
            # Every other one was read before, when it was half as long, and its tags and branches led elsewhere.
            half = random_history(made.seed, made.length // 2 + 1)
            half.written(Path(folder) / "r.git")
            read_again(Path(folder) / "r.git", prefix)
        asked = Asked(made.written(Path(folder) / "r.git").folder)
        history = read_again(Path(folder) / "r.git", prefix)
        # Where clocks are wrong by much, plain `rev-list A ^B` lists too much; by generation numbers it does not.
        asked("commit-graph", "write", "--reachable")
        check_tags(made, history)
        check_containment(asked, history)
        check_walks(asked, history)


def read_again(folder: Path, prefix: str) -> History:
    """Read what is new since it was read last, and keep all of it beside the repository."""
    repository = GitRepositories().in_place(folder)
    tag_format = TagFormat(scheme=Scheme.TWO_PART, text=prefix + "{version}")
    return read_history(repository, repository.refs(), tag_format=tag_format, patterns=TicketPatterns([r"T-\d+"]))


def check_tags(made: RandomHistory, history: History) -> None:
    """Every tag is a release or is told why not, and leads where it was put, however it is nested."""
    assert {one.tag for one in history.releases} | {one.name for one in history.unread_tags} == {
        *made.tags,
        *(name.replace(" ", "-") for name in made.odd),
    }
    for release in history.releases:
        if release.tag in made.tags:
            assert release.commit == made.commits[made.tags[release.tag][0]].id
    assert sorted(history.releases, key=lambda one: one.version) == list(history.releases)
    assert len({one.version for one in history.releases}) == len(history.releases)


def check_containment(asked: Asked, history: History) -> None:
    """Which releases have a commit, what is new in each, and what is in none."""
    ids = history.graph.ids
    tags = {release.tag: f"refs/tags/{release.tag}" for release in history.releases}
    assert set(ids) == set(asked("rev-list", "--all"))
    assert all(parent < number for number in range(len(ids)) for parent in history.graph.parents(number))
    for release in history.releases:
        excluded = [f"^refs/tags/{release.previous_tag}"] if release.previous_tag else []
        truth = asked("rev-list", "--topo-order", tags[release.tag], *excluded)
        new = [ids[one] for one in history.new_in(release)]
        assert set(new) == set(truth), (release.tag, release.previous_tag)
        assert len(new) == len(truth)
        has = {ids[one] for one in range(len(ids)) if history.bits(one) >> release.rank & 1}
        assert has == set(asked("rev-list", tags[release.tag])), release.tag
    for number in range(0, len(ids), 7):
        found = {history.releases[rank].tag for rank in members(history.bits(number) & ((1 << len(tags)) - 1))}
        assert found == set(asked("tag", "--contains", ids[number])) & tags.keys()
    for head in history.heads:
        truth = asked("rev-list", "--topo-order", head.commit, *(["--not", *tags.values()] if tags else []))
        assert {ids[one] for one in history.unreleased(head)} == set(truth), head.branch


def check_walks(asked: Asked, history: History) -> None:
    """What merges brought in, and who descends from whom."""
    ids = history.graph.ids
    for merge, parents in history.graph.more.items():
        truth = asked("rev-list", "--topo-order", *(ids[parent] for parent in parents[1:]), f"^{ids[parents[0]]}")
        assert {ids[one] for one in history.graph.side_of(merge, limit=1000)} == set(truth)
    last = len(ids) - 1
    for older in range(0, last, 9):
        assert history.graph.is_ancestor(older, last, limit=1000) is asked.is_ancestor(ids[older], ids[last])


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

    def test_long_history_agrees_with_git_on_every_release(jenkins: tuple[Path, History]) -> None:
        folder, history = jenkins
        git(folder, "commit-graph", "write", "--reachable")
        for release in history.releases:
            excluded = [f"^{release.previous_tag}"] if release.previous_tag else []
            truth = git(folder, "rev-list", release.tag, *excluded).split()
            new = [history.graph.ids[one] for one in history.new_in(release)]
            assert set(new) == set(truth), release.tag
            assert len(new) == len(truth), release.tag

    def test_nothing_is_announced_twice_on_a_line_of_a_long_history(jenkins: tuple[Path, History]) -> None:
        _, history = jenkins
        before = {release.version: release.previous for release in history.releases}
        on_line = {release.version: release for release in history.releases}
        ends = on_line.keys() - set(before.values())
        ends |= {release.version for release in history.releases if release.version.kind is VersionKind.CANDIDATE}
        twice = []
        for end in ends:
            announced: dict[int, str] = {}
            chain = []
            at: Version | None = end
            while at is not None and at.line == end.line:
                chain.append(on_line[at])
                at = before[at]
            for release in reversed(chain):
                for change in history.changes(release):
                    if change.standing is Standing.SHOWN and not change.reverts:
                        origins = history.copies.origins(change.commit.index)
                        if all(one in announced for one in origins):
                            twice.append((release.tag, change.commit.id, [announced[one] for one in origins]))
                        announced.update((one, release.tag) for one in origins if one not in announced)
        assert twice == []

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
        assert len(said) == 1_580
        assert sum(1 for _, source in said if source in known) == 1_540
        # What was rewritten away is kept as evidence.
        missing = {(commit, source) for commit, source in said if source not in known}
        assert missing == {(history.graph.ids[p.commit], p.source_id) for p in history.picks if p.source is None}
        # One is a revert that quotes the trailer of what it takes back: no pick, and its source is told all the same.
        [(quoting, source)] = [pick for pick in said if pick not in found]
        assert history.subject(history.find(quoting) or 0).startswith(
            'Revert "[JENKINS-17337] Added test for NPE.(cherry'
        )
        told = {c.commit.id: c.picked_from for release in history.releases for c in history.changes(release)}
        assert told[quoting] == source
        assert "1.509" not in {one.line for one in history.on_lines(history.find(source) or 0) if one.via is Via.PICK}

    def test_what_is_taken_back_in_a_long_history_is_fixed_no_longer(jenkins: tuple[Path, History]) -> None:
        _, history = jenkins
        table = TicketTable(history)
        # Picked to 1.509.1, reverted there; and reverted by a message that says that the ticket is no candidate.
        for key, taken_back in {"JENKINS-17337": "49a30c26e", "JENKINS-17715": "2a9471c3c"}.items():
            shown = table.show(key)
            assert shown is not None
            relations = {one.id[:9]: one.relation for one in shown.commits}
            assert relations.get(taken_back) is not TicketRelation.FIXES
            line = next(one for one in shown.lines if one.line == "1.509")
            assert (line.status, (line.reverted_by or "")[:9]) == (LineStatus.AFFECTED, taken_back)

    def test_every_ticket_of_a_long_history_is_on_some_line(jenkins: tuple[Path, History]) -> None:
        _, history = jenkins
        table = TicketTable(history)
        assert len(table.keys) > 3_000
        assert sum(1 for _ in table.statuses(["2.555", "2.568"])) == len(table.keys)
