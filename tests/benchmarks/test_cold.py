"""The whole history, cold: what `releaser changelog --all` costs beside git printing the same commits, and beside the peers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from releaser.sources import git_log
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, spread
from tests.benchmarks.histories import Repository, git
from tests.benchmarks.measure import Command, Series, interleaved
from tests.benchmarks.peers import PEERS

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

GIT, MARKDOWN, JSON, KEEPING = "git log", "releaser, Markdown", "releaser, JSON", "releaser, Markdown, and keeping it"
MOST_OF_GIT = 2.0
MOST_OF_GIT_LARGE = 1.4
MOST_MIB = 400.0
HUNDRED = 100


def own(history: Repository, releaser: str, folder: Path) -> dict[str, Command]:
    """Git printing every commit with the fields that `releaser` reads, and `releaser` with nothing kept."""
    tips = folder / "tips"
    tips.write_text(git(history.folder, "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags") + "\n")
    words = (releaser, "changelog", "--repo", str(history.folder), "--all")
    return {
        GIT: Command(words=("git", *git_log.ARGUMENTS), folder=history.folder, fed=tips),
        MARKDOWN: Command(words=(*words, "--no-cache"), folder=history.folder, before=history.forget),
        JSON: Command(words=(*words, "--no-cache", "-o", "json"), folder=history.folder, before=history.forget),
        KEEPING: Command(words=words, folder=history.folder, before=history.forget),
    }


def released(out: Path) -> str:
    """How many releases a changelog tells."""
    text = out.read_text("utf-8", errors="replace")
    if text.startswith("{"):
        return str(len(json.loads(text)["releases"]))
    return str(len(re.findall(r"^#{1,3} .*\d+[._]\d+", text, flags=re.MULTILINE)))


def section_of(history: Repository, taken: dict[str, Series], outputs: Path, *, key: str, beside: str) -> Section:
    """The table of what was taken, the bars left out."""
    facts = history.facts()
    about = (
        f"{facts['commits']:,} commits, {facts['merges']:,} of them merges, {facts['tags']:,} tags, "
        f"{'with' if facts['commit_graph'] else 'without'} a commit-graph file. "
        "`git log` prints every commit with the fields that `releaser` reads."
    )
    columns = ("", "version", "median", "of `git log`", "memory", "releases told")
    section = Section(key=key, title=f"Whole history, cold: {history.title}, {beside}", about=about, columns=columns)
    versions = {peer.name: peer.version for peer in PEERS}
    base = taken[GIT].wall_s
    for name, series in taken.items():
        section.data[name] = series.facts()
        done = [f"{series.wall_s / base:.2f} ×", f"{series.peak_mib:.0f} MiB"] if series.works else ["", ""]
        told = released(outputs / name) if series.works and name != GIT else ""
        section.row(name, versions.get(name, ""), spread(section.data[name]), *done, told)
    return section


def git_bars(section: Section, taken: dict[str, Series], history: Repository) -> None:
    """What is asked for beside git."""
    base, most = taken[GIT].wall_s, MOST_OF_GIT if history.title == "Jenkins" else MOST_OF_GIT_LARGE
    done = [name for name in (MARKDOWN, JSON) if taken[name].works]
    for name in done:
        section.bars.append(Bar(what=f"{name}: of `git log`", value=taken[name].wall_s / base, most=most, unit="×"))
    highest = max((taken[name].peak_mib for name in done), default=0.0)
    section.bars.append(Bar(what="memory", value=highest, most=MOST_MIB, unit="MiB"))


def peer_bars(section: Section, taken: dict[str, Series], history: Repository) -> None:
    """What is asked for beside the peers: faster than each, and much faster than git-cliff on the history of Jenkins."""
    for peer in PEERS:
        if peer.name not in taken or not (taken[peer.name].works and taken[MARKDOWN].works):
            continue
        share = taken[MARKDOWN].wall_s / taken[peer.name].wall_s
        section.bars.append(Bar(what=f"{MARKDOWN}: of {peer.name}", value=share, most=1.0, unit="×"))
        if peer.package == "git-cliff" and history.title == "Jenkins":
            what = f"{MARKDOWN}: of a hundredth of {peer.name}"
            section.bars.append(Bar(what=what, value=share * HUNDRED, most=1.0, unit="×"))


def test_cold_read_beside_git(history: Repository, releaser: str, tmp_path: Path, tell: Tell) -> None:
    taken = interleaved(own(history, releaser, tmp_path), outputs=tmp_path)
    section = section_of(history, taken, tmp_path, key=f"git-{history.key}", beside="beside git")
    git_bars(section, taken, history)
    tell(section)
    assert all(series.works for series in taken.values()), taken


@pytest.mark.skipif(os.environ.get("BENCH_PEERS") == "0", reason="without peers, as asked")
def test_cold_read_beside_peers(history: Repository, releaser: str, tmp_path: Path, tell: Tell) -> None:
    commands = own(history, releaser, tmp_path)
    commands |= {peer.name: peer.command(history) for peer in PEERS if peer.version}
    taken = interleaved(commands, outputs=tmp_path)
    section = section_of(history, taken, tmp_path, key=f"cold-{history.key}", beside="beside the peers")
    for peer in PEERS:
        if not peer.version:
            section.row(peer.name, "missing: could not be installed here", "", "", "", "")
    git_bars(section, taken, history)
    peer_bars(section, taken, history)
    tell(section)
    assert all(taken[name].works for name in (GIT, MARKDOWN, JSON)), taken
