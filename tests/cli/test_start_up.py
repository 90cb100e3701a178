"""What a start costs, and what it must not load."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.cli.conftest import Cli

HEAVY = ("sqlalchemy", "git", "docker", "fastapi", "pydantic_settings", "rich", "httpx2", "uvicorn", "alembic")
ENOUGH_S = 0.2


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nfor name in sys.modules: print('module', name)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("module ")}


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["depoly"], []], ids=" ".join)
def test_answers_that_need_nothing_load_nothing_heavy(words: list[str]) -> None:
    found = loaded(f"from releaser.cli.main import run\nrun({words!r})")
    assert [name for name in HEAVY if name in found] == []


def test_changelog_of_a_clone_loads_no_database_and_no_web() -> None:
    found = loaded("from releaser.cli.main import run\nrun(['changelog', '--repo', '/nowhere'])")
    assert "releaser.sources.git" in found
    assert [name for name in HEAVY if name in found] == []


def test_version_takes_little_time(cli: Cli) -> None:
    assert cli.apart("--version").out.startswith("releaser ")
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert cli.apart("--version").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Time of the processor and the best of five: what else this machine does is not the command's.
    assert min(took) <= ENOUGH_S
