"""The peers: changelog makers that are installed apart, in folders of their own, and how each is asked for the whole history.

    python -m tests.benchmarks.peers        # installs what is missing and tells the versions

They come from the package registries that pip and npm are set to, at their newest; nothing of the project depends on them. A peer
that cannot be had is told as missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.histories import KEPT, Repository
from tests.benchmarks.measure import Command

FOLDER = KEPT / "peers"
PYTHON = FOLDER / "python"
NODE = FOLDER / "node"
FROM_PYPI = ("git-cliff", "git-changelog", "commitizen")
FROM_NPM = ("conventional-changelog", "conventional-changelog-angular")
INSTALLED_IN_S = 300

# What `releaser changelog` prints: a heading for each release, a line for each commit.
PLAIN = r"""
[changelog]
header = ""
body = "## {{ version | default(value='unreleased') }}\n{% for commit in commits %}- {{ commit.id }} {{ commit.message | split(pat='\n') | first }}\n{% endfor %}\n"
footer = ""
[git]
conventional_commits = false
filter_unconventional = false
filter_commits = false
"""
COMMITIZEN = """
[tool.commitizen]
name = "cz_conventional_commits"
version = "1.0"
tag_format = "{prefix}$version"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A way to run a peer. `words` makes its command line for a repository."""

    name: str
    package: str
    program: Path
    words: Callable[[Repository], list[str]]

    def command(self, repository: Repository) -> Command:
        """Ask it for the whole history."""
        return Command(words=(str(self.program), *self.words(repository)), folder=repository.folder)

    @property
    def version(self) -> str:
        """Its version; empty where it is missing."""
        if not self.program.exists():
            return ""
        if NODE in self.program.parents:
            package = NODE / "node_modules" / self.package / "package.json"
            found = re.search(r'"version":\s*"([^"]+)"', package.read_text("utf-8"))
        else:
            listed = (PYTHON / "lib").glob(f"*/site-packages/{self.package.replace('-', '_')}-*.dist-info")
            found = next((re.search(r"-([\d.]+)\.dist-info", path.name) for path in listed), None)
        return found[1] if found else "unknown"


def _plain(_repository: Repository) -> list[str]:
    return ["--config", str(_written("plain.toml", PLAIN))]


def _default(_repository: Repository) -> list[str]:
    return ["--config", str(_written("default.toml", ""))]


def _commitizen(repository: Repository) -> list[str]:
    file = _written(f"cz-{repository.tag_prefix}.toml", COMMITIZEN.format(prefix=repository.tag_prefix))
    return ["--config", str(file), "changelog", "--dry-run"]


def _conventional(repository: Repository) -> list[str]:
    prefix = f"--tag-prefix={repository.tag_prefix}"
    return ["--preset", "angular", "--release-count", "0", prefix, "--stdout"]


def _written(name: str, text: str) -> Path:
    file = FOLDER / name
    file.write_text(text, "utf-8")
    return file


_BIN = PYTHON / "bin"
PEERS = (
    Peer(name="git-cliff, plain template", package="git-cliff", program=_BIN / "git-cliff", words=_plain),
    Peer(name="git-cliff, default", package="git-cliff", program=_BIN / "git-cliff", words=_default),
    Peer(
        name="git-changelog",
        package="git-changelog",
        program=_BIN / "git-changelog",
        words=lambda _: ["--convention", "angular"],
    ),
    Peer(name="commitizen", package="commitizen", program=_BIN / "cz", words=_commitizen),
    Peer(
        name="conventional-changelog",
        package="conventional-changelog",
        program=NODE / "node_modules" / ".bin" / "conventional-changelog",
        words=_conventional,
    ),
)


def install() -> None:
    """Get what is missing. What cannot be had is told, and is no error."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not _BIN.exists():
        venv.create(PYTHON, with_pip=True)
    for package in FROM_PYPI:
        if not any(peer.program.exists() for peer in PEERS if peer.package == package):
            _got([str(_BIN / "pip"), "install", "--quiet", "--disable-pip-version-check", package], package)
    if not (NODE / "node_modules").exists():
        NODE.mkdir(exist_ok=True)
        (NODE / "package.json").write_text('{"name": "peers", "private": true}\n', "utf-8")
        _got(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(NODE), *FROM_NPM], FROM_NPM[0])


def _got(words: list[str], what: str) -> None:
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=INSTALLED_IN_S, cwd=FOLDER)
        failed = done.stderr.strip()[-300:] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        failed = str(error)
    if failed:
        sys.stdout.write(f"{what} cannot be had here: {failed}\n")


if __name__ == "__main__":
    install()
    for peer in PEERS:
        sys.stdout.write(f"{peer.name}: {peer.version or 'missing'}\n")
