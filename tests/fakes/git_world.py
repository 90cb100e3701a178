"""Real git repositories, made small and quickly, with every date and author chosen by the test."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

START = 1_700_000_000
_NOTHING: Mapping[str, str] = MappingProxyType({})
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class GitWorld:
    """A repository whose commits are made out of nothing: trees are empty, parents and messages as asked."""

    def __init__(self, folder: Path, *, bare: bool = True) -> None:
        self.folder = folder
        self.clock = START
        self.count = 0
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "git",
                "init",
                "--quiet",
                "--initial-branch=main",
                "--template=",
                *(["--bare"] if bare else []),
                str(folder),
            ],
            check=True,
        )
        self.git("hash-object", "-t", "tree", "-w", "--stdin")

    def moved(self, folder: Path) -> GitWorld:
        """The same world whose repository was copied to `folder`."""
        other = copy.copy(self)
        other.folder = folder
        return other

    def git(self, *arguments: str, feed: bytes = b"", check: bool = True, env: Mapping[str, str] = _NOTHING) -> str:
        """Run git in the repository; its output without the last line's end."""
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            input=feed,
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C", **env},
        )
        if check and done.returncode:
            raise AssertionError((arguments, done.stderr.decode(errors="replace")))
        return done.stdout.decode(errors="surrogateescape").rstrip("\n")

    def commit(
        self,
        message: str | bytes,
        *parents: str,
        branch: str | None = None,
        author: str = "Ann <ann@example.org>",
        authored: int | None = None,
        committed: int | None = None,
        encoding: str | None = None,
        tree: str = EMPTY_TREE,
    ) -> str:
        """Write a commit and answer its id; `branch` is moved to it. Time moves on by a minute each."""
        self.clock += 60
        at = self.clock if committed is None else committed
        wrote = at if authored is None else authored
        text = message.encode() if isinstance(message, str) else message
        lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
        lines += [f"author {author} {wrote} +0000", f"committer {author} {at} +0000"]
        if encoding is not None:
            lines.append(f"encoding {encoding}")
        body = "\n".join(lines).encode() + b"\n\n" + text
        made = self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=body)
        if branch is not None:
            self.branch(branch, made)
        return made

    def tree(self, files: Mapping[bytes, bytes | str | None], *, onto: str | None = None) -> str:
        """A tree with these files (None takes one out; a text is `mode id`), and those of the commit `onto`."""
        index = {"GIT_INDEX_FILE": str(self.folder / "index-of-the-test")}
        (self.folder / "index-of-the-test").unlink(missing_ok=True)
        if onto is not None:
            self.git("read-tree", onto, env=index)
        lines = []
        for name, content in files.items():
            if content is None:
                held = f"0 {'0' * 40}"
            elif isinstance(content, str):
                held = content
            else:
                held = f"100644 {self.blob(content)}"
            mode, _, one = held.partition(" ")
            lines.append(f"{mode} {one} 0\t".encode() + name + b"\0")
        self.git("update-index", "-z", "--index-info", feed=b"".join(lines), env=index)
        return self.git("write-tree", env=index)

    def blob(self, content: bytes) -> str:
        """Keep a content and answer its id."""
        return self.git("hash-object", "-w", "--stdin", feed=content)

    def land(self, message: str, files: Mapping[str, str | None], *, branch: str = "main") -> str:
        """A commit on a branch that changes these files (None takes one out), and nothing else."""
        tip = self.git("rev-parse", f"refs/heads/{branch}")
        changed = {name.encode(): None if text is None else text.encode() for name, text in files.items()}
        return self.commit(message, tip, branch=branch, tree=self.tree(changed, onto=tip))

    def read(self, revision: str, path: str) -> str | None:
        """A file of a commit as text with its own line ends, None when it has none."""
        done = subprocess.run(
            ["git", "-C", str(self.folder), "cat-file", "blob", f"{revision}:{path}"], capture_output=True, check=False
        )
        return None if done.returncode else done.stdout.decode()

    def branch(self, name: str, commit: str) -> None:
        """Move a branch, or make it."""
        self.git("update-ref", f"refs/heads/{name}", commit)

    def tag(self, name: str, target: str, *, annotated: bool = False) -> str:
        """Make a tag, or move it; answers the id it holds."""
        held = target
        if annotated:
            kind = self.git("cat-file", "-t", target)
            body = (
                f"object {target}\ntype {kind}\ntag {name}\ntagger Ann <ann@example.org> {self.clock} +0000\n\n{name}\n"
            )
            held = self.git("hash-object", "-t", "tag", "-w", "--stdin", feed=body.encode())
        self.git("update-ref", f"refs/tags/{name}", held)
        return held

    def rev_list(self, *revisions: str) -> set[str]:
        """The ids that git itself lists."""
        return set(self.git("rev-list", *revisions).split())

    def line_of(self, messages: Sequence[str], *, branch: str = "main", onto: str | None = None) -> list[str]:
        """Commits one after the other; answers their ids, oldest first."""
        made: list[str] = []
        parent = onto
        for message in messages:
            parent = self.commit(message, *([parent] if parent else []), branch=branch)
            made.append(parent)
        return made
