"""Answers from what is kept in the clone: whole processes, start-up included, with nothing new and with ten commits new each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, spread
from tests.benchmarks.histories import Questions, Repository, go_on, questions
from tests.benchmarks.measure import Command, Series, interleaved

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

MOST_S = 0.35
MOST_START_S = 0.2
MOST_MIB = 400.0
NEW = 10


def asked(repository: Repository, about: Questions, releaser: str) -> dict[str, tuple[str, ...]]:
    """The command lines."""
    at = ("--repo", str(repository.folder))
    return {
        "changelog of the newest release": (releaser, "changelog", *at),
        "contains COMMIT": (releaser, "contains", *at, about.commit),
        "contains TICKET": (releaser, "contains", *at, about.ticket),
        "backports": (releaser, "backports", *at),
        f"upgrade {about.older} {about.newer}": (releaser, "upgrade", *at, about.older, about.newer),
    }


def git_takes(repository: Repository, about: Questions) -> dict[str, Command]:
    """What git alone takes for the question it can answer."""
    words = ("git", "tag", "--contains", about.commit)
    return {"git tag --contains COMMIT": Command(words=words, folder=repository.folder)}


def test_warm_answers(history: Repository, releaser: str, tmp_path: Path, tell: Tell) -> None:
    about = questions(history)
    still, moving = history.copy(tmp_path / "still"), history.copy(tmp_path / "moving")
    commands = {
        name: Command(words=words, folder=still.folder) for name, words in asked(still, about, releaser).items()
    }
    commands |= {
        f"{name}, {NEW} commits new": Command(
            words=words, folder=moving.folder, before=lambda: go_on(moving, NEW, release=False)
        )
        for name, words in asked(moving, about, releaser).items()
    }
    commands |= git_takes(still, about)
    taken = interleaved(commands, outputs=_folder(tmp_path / "shown"))
    tell(section_of(history, taken))
    assert all(series.works for series in taken.values()), {name: s.why_not for name, s in taken.items() if s.why_not}


def section_of(history: Repository, taken: dict[str, Series]) -> Section:
    """The table and what is asked for."""
    graph = "with" if history.facts()["commit_graph"] else "without"
    section = Section(
        key=f"warm-{history.key}",
        title=f"Warm answers in a clone: {history.title}",
        about=f"The cache is there; {graph} a commit-graph file. The first answer after each change brings the cache up to date.",
        columns=("", "median", "processor", "memory"),
    )
    for name, series in taken.items():
        section.data[name] = series.facts()
        used = [f"{series.cpu_s:.2f} s", f"{series.peak_mib:.0f} MiB"] if series.works else ["", ""]
        section.row(name, spread(section.data[name]), *used)
        if series.works and not name.startswith("git"):
            section.bars.append(Bar(what=name, value=series.wall_s, most=MOST_S, unit="s"))
    highest = max((series.peak_mib for series in taken.values() if series.works), default=0.0)
    section.bars.append(Bar(what="memory", value=highest, most=MOST_MIB, unit="MiB"))
    return section


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_start(releaser: str, tmp_path: Path, tell: Tell) -> None:
    section = Section(key="start", title="Start-up", columns=("", "median", "processor", "memory"))
    taken = interleaved({"releaser --version": Command(words=(releaser, "--version"), folder=tmp_path)}, rounds=9)
    series = taken["releaser --version"]
    section.data["releaser --version"] = series.facts()
    section.row("releaser --version", spread(series.facts()), f"{series.cpu_s:.2f} s", f"{series.peak_mib:.0f} MiB")
    section.bars.append(Bar(what="releaser --version", value=series.wall_s, most=MOST_START_S, unit="s"))
    tell(section)
    assert series.works, series
