"""The generated history is what it says it is; the figures of the benchmark rest on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.generated_history import make_history


def ask(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, encoding="utf-8"
    ).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_history(tmp_path_factory.mktemp("made") / "made.git", commits=6000)


def test_as_many_commits_and_tags_as_asked_are_made(made: Path) -> None:
    assert ask(made, "rev-list", "--all", "--count").strip() == "6000"
    assert len(ask(made, "tag").split()) == 15


def test_the_same_history_is_made_again(made: Path, tmp_path: Path) -> None:
    again = make_history(tmp_path / "again.git", commits=6000)
    assert ask(again, "for-each-ref") == ask(made, "for-each-ref")


def test_history_is_packed_as_a_clone_without_a_commit_graph(made: Path) -> None:
    assert len(list((made / "objects" / "pack").glob("*.pack"))) == 1
    assert not list((made / "objects").rglob("*commit-graph*")) + list((made / "objects").rglob("*.bitmap"))
    assert not [path for path in (made / "refs").rglob("*") if path.is_file()]


def test_history_has_what_a_product_has(made: Path) -> None:
    messages = ask(made, "log", "--all", "-z", "--format=%B").split("\0")
    subjects = [message.split("\n", 1)[0] for message in messages]
    ids = set(ask(made, "rev-list", "--all").split())
    sources = re.findall(r"\(cherry picked from commit ([0-9a-f]{40})\)", "\n".join(messages))
    assert len(sources) > 40
    assert set(sources) <= ids
    assert 0.2 < sum("PROJ-" in message for message in messages) / 6000 < 0.4
    assert sum(subject.startswith('Revert "') for subject in subjects) > 15
    assert 300 < len(ask(made, "rev-list", "--all", "--merges").split()) < 700
    assert len(set(ask(made, "log", "--all", "--format=%an").splitlines())) > 300
