"""Laws of the house that no linter knows. They read the source; nothing of it is run."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "releaser"

LARGEST_FILE = 24 * 1024
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "service", "services", "util", "utils"}
WALL_CLOCKS = {"now", "today", "utcnow"}
TIME_READERS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep", "time", "time_ns"}

# In pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a host of a package or image registry": re.compile(
        r"\b(?:py"
        r"pi\.org|python"
        r"hosted\.org|npm"
        r"js\.(?:org|com)|(?:hub|registry-1|index)\.docker\.(?:com|io)|docker"
        r"\.io/"
        r"|gh"
        r"cr\.io|qu"
        r"ay\.io|(?:deb|security)\.deb"
        r"ian\.org|(?:archive|ports)\.ubu"
        r"ntu\.com)",
        re.IGNORECASE,
    ),
    "a path of somebody's own machine": re.compile(
        r"(?<![\w.$}])/(?:wo" r"rk/(?:main|shared)|ho" r"me/\w+/|ro" r"ot/\.)"
    ),
    "work left over": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIV" r"ATE KEY-----"),
}


def sources(folder: Path = PACKAGE) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def kept_files() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def found(matches: Callable[[ast.AST], bool], *, except_in: Callable[[Path], bool]) -> list[str]:
    return [
        where(path, node)
        for path in sources()
        if not except_in(path.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if matches(node)
    ]


def is_commit(node: ast.AST) -> bool:
    """A call of `.commit()`; one with arguments is git's (`repo.commit(revision)`), not the database's."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
        and not node.args
        and not node.keywords
    )


def reads_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name in TIME_READERS for alias in node.names)
    if not isinstance(node, ast.Attribute):
        return False
    owner = ast.unparse(node.value)
    return (owner == "time" and node.attr in TIME_READERS) or (
        owner in {"datetime", "date", "datetime.datetime", "datetime.date", "dt.datetime", "dt.date"}
        and node.attr in WALL_CLOCKS
    )


def reads_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}


def swallows_everything(node: ast.AST) -> bool:
    """`except Exception` and wider, unless what was caught goes on after a clean-up."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    names = ast.unparse(node.type) if node.type else "BaseException"
    last = node.body[-1]
    return bool(re.search(r"\b(?:Base)?Exception\b", names)) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_commit_stands_in_one_file() -> None:
    assert found(is_commit, except_in=lambda path: path == Path("store/session.py")) == []


def test_clocks_are_read_in_one_file() -> None:
    # The demo is a program of its own around the product and waits for real things; nobody passes a clock to it.
    assert found(reads_clock, except_in=lambda path: path == Path("clock.py") or path.parts[0] == "demo") == []


def test_environment_is_read_above_assembly_only() -> None:
    above = {"settings.py", "assembly.py", "worker.py", "cli", "web", "demo"}
    # Hand the surroundings down to git and to ssh, which need them, and decide nothing by them.
    hands_down = {Path("sources/git_start.py"), Path("targets/hosts/shell.py")}
    assert found(reads_environment, except_in=lambda path: path.parts[0] in above or path in hands_down) == []


def test_only_the_worker_loop_survives_every_error() -> None:
    assert found(swallows_everything, except_in=lambda path: path.parts[0] in {"worker.py", "worker"}) == []


def test_files_and_folders_are_named_after_what_is_in_them() -> None:
    names = {path.relative_to(ROOT) for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*")}
    assert sorted(str(name) for name in names if name.stem.lower() in EMPTY_NAMES) == []


def test_python_files_stay_readable_in_size() -> None:
    # Steps of the schema are written by a program; the first one holds every table.
    large = [
        path
        for folder in (PACKAGE, ROOT / "tests")
        for path in sources(folder)
        if path.stat().st_size > LARGEST_FILE and path.parent != PACKAGE / "store" / "migrations" / "versions"
    ]
    assert [f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes" for path in large] == []


def lines_with(pattern: re.Pattern[str]) -> Iterator[str]:
    for path in kept_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if match := pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {match[0]}"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    assert list(lines_with(FORBIDDEN[what])) == []


def test_tests_patch_nothing_of_ours() -> None:
    patched = re.compile(r"""(?:patch(?:\.object)?|setattr)\(\s*["']?releaser\.""")
    tests = sources(ROOT / "tests")
    assert [str(path.relative_to(ROOT)) for path in tests if patched.search(path.read_text("utf-8"))] == []


def test_test_folders_are_no_packages() -> None:
    assert [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("__init__.py")] == []
