"""The histories that are measured on: where they come from, how they call things, and how they go on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.generated_history import ENVIRONMENT, Stream, make_history
from tests.benchmarks.generated_messages import Chance, Messages

ROOT = Path(__file__).parents[2]
KEPT = Path(os.environ.get("BENCH_FOLDER", ROOT / ".bench"))
BUNDLE = ROOT.parent / "shared" / "data" / "jenkins-history.bundle"
LARGE = int(os.environ.get("BENCH_COMMITS", "200000"))
MADE_BY = 1
"""Another number makes the generated histories again."""


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        env=ENVIRONMENT,
        encoding="utf-8",
        errors="replace",
    ).stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A clone with an empty work tree and every branch, as the peers need it; `releaser` reads it in place like any other."""

    folder: Path
    key: str
    title: str
    tag_format: str
    ticket_pattern: str

    @property
    def tag_prefix(self) -> str:
        """What stands before the version in a tag."""
        return self.tag_format.removesuffix("{version}")

    def facts(self) -> dict[str, object]:
        """What it is, counted by git."""
        return {
            "title": self.title,
            "commits": int(git(self.folder, "rev-list", "--all", "--count")),
            "merges": int(git(self.folder, "rev-list", "--all", "--merges", "--count")),
            "tags": len(git(self.folder, "tag").split()),
            "commit_graph": (self.folder / ".git" / "objects" / "info" / "commit-graph").exists(),
        }

    def copy(self, folder: Path) -> Repository:
        """Another one that may be written to; it takes no room for what is the same."""
        shutil.copytree(self.folder, folder, copy_function=_link)
        return replace(self, folder=folder)

    def forget(self) -> None:
        """Remove what `releaser` keeps in the clone."""
        shutil.rmtree(self.folder / ".git" / "releaser", ignore_errors=True)


def _link(source: str, target: str) -> None:
    """Share what git never changes; copy the rest."""
    if "/objects/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def jenkins() -> Repository | None:
    """The history of Jenkins, where it is present."""
    if not BUNDLE.exists():
        return None
    folder = _cloned(BUNDLE, KEPT / "histories" / "jenkins")
    return Repository(
        folder=folder, key="jenkins", title="Jenkins", tag_format="jenkins-{version}", ticket_pattern=r"JENKINS-\d+"
    )


def generated(commits: int = LARGE) -> Repository:
    """A generated history of so many commits."""
    name = f"generated-{commits}-{MADE_BY}"
    folder = KEPT / "histories" / name
    if not folder.exists():
        bare = KEPT / "histories" / f"{name}.git"
        shutil.rmtree(bare, ignore_errors=True)
        bare.parent.mkdir(parents=True, exist_ok=True)
        make_history(bare, commits=commits)
        _cloned(bare, folder)
        shutil.rmtree(bare)
    return Repository(
        folder=folder,
        key=f"generated-{commits}",
        title=f"generated, {commits:,} commits",
        tag_format="v{version}",
        ticket_pattern=r"PROJ-\d+",
    )


def _cloned(source: Path, folder: Path) -> Path:
    if not folder.exists():
        made = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        git(made, "clone", "--quiet", "--mirror", str(source), ".git")
        git(made, "config", "core.bare", "false")
        git(made, "remote", "remove", "origin")
        made.rename(folder)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of a history: a commit and a ticket from its middle, and two versions of which the first has fixes of its own."""

    commit: str
    ticket: str
    older: str
    newer: str


def questions(repository: Repository) -> Questions:
    """The same ones each time."""
    key = re.compile(rf"\b{repository.ticket_pattern}\b")
    tags = git(repository.folder, "tag", "--sort=version:refname", "--list", f"{repository.tag_prefix}*").split()
    versions = [tag.removeprefix(repository.tag_prefix) for tag in tags]
    stables = [version for version in versions if re.fullmatch(r"\d+\.\d+", version)]
    patches = [version for version in versions if re.fullmatch(r"\d+\.\d+\.\d+", version)]
    middle = f"{repository.tag_prefix}{stables[len(stables) // 2]}"
    shown = git(repository.folder, "log", "--no-merges", "--format=%H %s", "--max-count=400", middle).splitlines()
    commit, subject = next(line.split(" ", 1) for line in shown if key.search(line))
    found = key.search(subject)
    return Questions(
        commit=commit,
        ticket=found[0] if found else "",
        older=patches[len(patches) // 2],
        newer=stables[-1],
    )


def go_on(repository: Repository, commits: int, *, release: bool) -> None:
    """Add commits to the repository's main branch, every fifth a pick to the newest stable branch, and tag a patch there."""
    folder = repository.folder
    main = git(folder, "symbolic-ref", "--short", "HEAD")
    stable = git(
        folder,
        "for-each-ref",
        "--sort=-version:refname",
        "--count=1",
        "--format=%(refname:strip=2)",
        "refs/heads/stable-*",
    )
    tips = {branch: git(folder, "rev-parse", branch) for branch in (main, stable)}
    at = int(git(folder, "log", "-1", "--format=%ct", main))
    chance = Chance(int(tips[main][:8], 16))
    messages = Messages(chance)
    with subprocess.Popen(
        ["git", "-C", str(folder), "fast-import", "--quiet", "--force"], stdin=subprocess.PIPE, env=ENVIRONMENT
    ) as importing:
        if importing.stdin is None:
            raise AssertionError
        stream = Stream(importing.stdin)
        _more(stream, messages, tips, at, commits)
        if release:
            number = 1 + max(_patches(repository, stable), default=0)
            name = f"{repository.tag_prefix}{stable.removeprefix('stable-')}.{number}"
            stream.tag(name, tips[stable], by=messages.authors[0], at=at)
        importing.stdin.close()
        if importing.wait() != 0:
            raise AssertionError("git fast-import failed")


def _more(stream: Stream, messages: Messages, tips: dict[str, str], at: int, commits: int) -> None:
    """Four changes on main, then the last of them picked to the stable branch, and so on."""
    main, stable = tips
    author, text = messages.authors[0], ""
    for number in range(commits):
        at += 60
        if number % 5 == 4:
            branch, text = stable, f"{text}\n(cherry picked from commit {tips[main]})\n"
        else:
            subject, body = messages.change()
            branch, author, text = main, messages.author(), f"{subject}\n\n{body}\n" if body else f"{subject}\n"
        tips[branch] = stream.commit(branch, [tips[branch]], text, author=author, authored=at, by=author, at=at)


def _patches(repository: Repository, stable: str) -> list[int]:
    prefix = f"{repository.tag_prefix}{stable.removeprefix('stable-')}."
    listed = git(repository.folder, "tag", "--list", f"{prefix}*").split()
    return [int(name.removeprefix(prefix)) for name in listed if name.removeprefix(prefix).isdigit()]
