r"""A long history, made out of nothing: the same repository, to the last id, for the same number of commits.

    python -m tests.benchmarks.generated_history FOLDER.git --commits 200000

It is what a product of `releaser`'s kind looks like. Every two weeks `vX.Y` is tagged on main and the line's branch
`stable-X.Y` leaves it; patches `vX.Y.Z` are tagged there, after picks from main (seven of ten with git's "cherry picked" trailer,
some from another line's pick). A quarter of the commits are made on topic branches and merged; some are reverts, and reverts
of reverts; three of ten name a ticket `PROJ-nnnn`; nine of ten have conventional subjects; half have bodies. Now and then a
stable branch is merged forward; some topics are open at the end. Seven hundred people write it. Trees are empty: nothing here reads files.

A shorter history is the same project at a younger age: 960 commits a train, one tag for every 400 commits.

The ids are computed here as well, for messages name them; at the end they are compared with git's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.benchmarks.generated_messages import Author, Chance, Messages
from tests.fakes.git_world import EMPTY_TREE

START = 1_514_883_600  # 2018-01-02 09:00 UTC, a Tuesday
TRAIN = 14 * 86_400
COMMITS_A_TAG = 400
STABLE_OF_TAGS = 0.416  # 208 stables of 500 tags
TOPIC, MERGE = 0.25, 0.25 / 3  # a topic has three commits on average
OPEN_TOPICS = 24
ENVIRONMENT = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
LONG_SUPPORT = 6  # every sixth line is patched for a year, the others for eight weeks


@dataclass(frozen=True, slots=True)
class Made:
    """A commit that was written, with what a pick or a revert of it needs."""

    id: str
    subject: str
    body: str
    author: Author
    authored: int


@dataclass(slots=True)
class Topic:
    """A topic branch at work; `slot` is the name its commits are written under."""

    slot: str
    tip: str
    left: int


@dataclass(slots=True)
class Line:
    """A stable branch. `seen` is how many of main's fixes were looked through for it."""

    name: str
    tip: str
    until: int
    seen: int
    patches: int = 0


class Stream:
    """Writes what `git fast-import` reads."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._marks: dict[str, int] = {}  # git does not find by its id what it has not finished writing
        self.heads: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many commits were written."""
        return len(self._marks)

    def commit(
        self, branch: str, parents: Sequence[str], message: str, *, author: Author, authored: int, by: Author, at: int
    ) -> str:
        """Write a commit to the branch and answer its id."""
        text = message.encode()
        people = f"author {author.name} {authored} {author.zone}\ncommitter {by.name} {at} {by.zone}\n".encode()
        listed = "".join(f"parent {parent}\n" for parent in parents)
        body = b"tree %b\n%b%b\n%b" % (EMPTY_TREE.encode(), listed.encode(), people, text)
        made = hashlib.sha1(b"commit %d\x00%b" % (len(body), body), usedforsecurity=False).hexdigest()
        links = "".join(f"{'merge' if n else 'from'} {self._named(parent)}\n" for n, parent in enumerate(parents))
        self._marks[made] = len(self._marks) + 1
        head = f"commit refs/heads/{branch}\nmark :{len(self._marks)}\n".encode()
        self._out.write(b"%b%bdata %d\n%b\n%b" % (head, people, len(text), text, links.encode()))
        self.heads[branch] = made
        return made

    def _named(self, commit: str) -> str:
        """How git is told of a commit: one of this stream by its mark, one that was there before by its id."""
        return f":{self._marks[commit]}" if commit in self._marks else commit

    def tag(self, name: str, target: str, *, by: Author, at: int) -> None:
        """Write an annotated tag."""
        text = f"Release {name}\n"
        self._out.write(
            f"tag {name}\nfrom {self._named(target)}\ntagger {by.name} {at} {by.zone}\ndata {len(text)}\n{text}\n".encode()
        )

    def branch(self, name: str, target: str) -> None:
        """Let a branch begin."""
        self._out.write(f"reset refs/heads/{name}\nfrom {self._named(target)}\n\n".encode())
        self.heads[name] = target

    def delete(self, branch: str) -> None:
        """Drop a branch."""
        self.heads.pop(branch, None)
        self._out.write(f"reset refs/heads/{branch}\nfrom {'0' * 40}\n\n".encode())


@dataclass(slots=True)
class Project:
    """The project at work, one moment after the other."""

    stream: Stream
    chance: Chance
    messages: Messages
    main: str = ""
    at: int = START
    lines: list[Line] = field(default_factory=list)
    fixes: list[Made] = field(default_factory=list)
    picked: dict[str, str] = field(default_factory=dict)  # of a fix's id: its latest pick
    recent: list[Made] = field(default_factory=list)
    open: list[Topic] = field(default_factory=list)
    ready: list[Topic] = field(default_factory=list)
    free: list[str] = field(default_factory=lambda: [f"topic-{number}" for number in range(OPEN_TOPICS)])

    def run(self, *, commits: int, tags: int) -> None:
        """Write so many commits and tags."""
        trains = max(1, round(tags * STABLE_OF_TAGS))
        patches = 0
        for train in range(trains):
            first, last = commits * train // trains, commits * (train + 1) // trains
            self.at = START + train * TRAIN
            self._stable(train)
            due = (tags - trains) * (train + 1) // trains - patches
            patches += due
            self._fortnight(last, first, START + (train + 1) * TRAIN, due)

    def _fortnight(self, last: int, first: int, end: int, due: int) -> None:
        places = {first + (last - first) * (number + 1) // (due + 2) for number in range(due)}
        while self.stream.count < last:
            reached = {place for place in places if place <= self.stream.count}
            for _ in reached:
                self._patch()
            places -= reached
            step = max(2, (end - self.at) // max(1, last - self.stream.count))
            self.at += 1 + self.chance.below(2 * step - 2)
            self._work()

    def _work(self) -> None:
        drawn = self.chance.draw()
        if drawn < TOPIC and (self.open or self.free):
            self._topic()
        elif drawn < TOPIC + MERGE and self.ready:
            self._merge()
        elif drawn > 0.994 and self.recent:
            self._revert()
        else:
            self.main = self._change("main", [self.main] if self.main else []).id

    def _change(self, branch: str, parents: Sequence[str]) -> Made:
        subject, body = self.messages.change()
        author = self.messages.author()
        authored = self.at - (self.chance.below(3 * 86_400) if self.chance.draw() < 0.3 else 0)
        return self._write(branch, parents, subject, body, author=author, authored=authored, by=author)

    def _write(
        self, branch: str, parents: Sequence[str], subject: str, body: str, *, author: Author, authored: int, by: Author
    ) -> Made:
        message = f"{subject}\n\n{body}\n" if body else f"{subject}\n"
        made = self.stream.commit(branch, parents, message, author=author, authored=authored, by=by, at=self.at)
        done = Made(made, subject, body, author, authored)
        if subject.startswith("fix") and by is author:
            self.fixes.append(done)
        if branch == "main":
            self.recent = [*self.recent[-30:], done]
        return done

    def _topic(self) -> None:
        if self.free and (not self.open or self.chance.draw() < 0.35):
            self.open.append(Topic(self.free.pop(), self.main, 1 + self.chance.below(5)))
            topic = self.open[-1]
        else:
            topic = self.chance.one(self.open)
        if not topic.tip:
            return
        topic.tip = self._change(topic.slot, [topic.tip]).id
        topic.left -= 1
        if topic.left == 0:
            self.open.remove(topic)
            self.ready.append(topic)

    def _merge(self) -> None:
        topic = self.ready.pop(self.chance.below(len(self.ready)))
        author = self.messages.author()
        login = author.name.split(" ", 1)[0].lower()
        subject = f"Merge pull request #{self.messages.pull()} from {login}/{topic.slot}"
        body = self.chance.one(self.recent).subject.split(": ")[-1].capitalize() if self.recent else ""
        self.main = self._write(
            "main", [self.main, topic.tip], subject, body, author=author, authored=self.at, by=author
        ).id
        self.stream.delete(topic.slot)
        self.free.append(topic.slot)

    def _revert(self) -> None:
        reverts = [one for one in self.recent if one.subject.startswith('Revert "')]
        undone = self.chance.one(reverts if reverts and self.chance.draw() < 0.2 else self.recent[:-1] or self.recent)
        author = self.messages.author()
        body = f"This reverts commit {undone.id}." if self.chance.draw() < 0.85 else ""
        self.main = self._write(
            "main", [self.main], f'Revert "{undone.subject}"', body, author=author, authored=self.at, by=author
        ).id

    def _stable(self, train: int) -> None:
        name = f"{1 + train // 26}.{train % 26}"
        self.main = self._release("main", [self.main] if self.main else [], name)
        until = train + (26 if train % LONG_SUPPORT == 0 else 4)
        self.lines = [line for line in self.lines if line.until > train]
        self.lines.append(Line(name, self.main, until, len(self.fixes)))
        self.stream.branch(f"stable-{name}", self.main)

    def _release(self, branch: str, parents: Sequence[str], name: str) -> str:
        manager = self.messages.authors[0]
        made = self._write(branch, parents, f"chore(release): {name}", "", author=manager, authored=self.at, by=manager)
        self.stream.tag(f"v{name}", made.id, by=manager, at=self.at)
        return made.id

    def _patch(self) -> None:
        """Pick some of main's fixes since the last look to one of the lines under support, and tag it."""
        line = self.chance.one(self.lines)
        fresh = self.fixes[line.seen :]
        line.seen = len(self.fixes)
        wanted = 3 + self.chance.below(18)
        for fix in [one for one in fresh if self.chance.draw() * len(fresh) < wanted]:
            self._pick(fix, line)
        line.patches += 1
        line.tip = self._release(f"stable-{line.name}", [line.tip], f"{line.name}.{line.patches}")
        if self.chance.draw() < 0.05:
            by = self.messages.authors[0]
            subject = f"Merge branch 'stable-{line.name}'"
            self.main = self._write("main", [self.main, line.tip], subject, "", author=by, authored=self.at, by=by).id

    def _pick(self, fix: Made, line: Line) -> None:
        source, body = fix.id, fix.body
        if source in self.picked and self.chance.draw() < 0.25:
            body = f"{body}\n\n(cherry picked from commit {source})".lstrip("\n")
            source = self.picked[source]
        if self.chance.draw() < 0.7:
            joint = "\n" if body.endswith(")") or "-by: " in body.rsplit("\n", 1)[-1] else "\n\n"
            body = f"{body}{joint}(cherry picked from commit {source})".lstrip("\n")
        self.at += 30 + self.chance.below(300)
        by = self.messages.authors[1 + self.chance.below(5)]
        made = self._write(
            f"stable-{line.name}", [line.tip], fix.subject, body, author=fix.author, authored=fix.authored, by=by
        )
        line.tip = self.picked[fix.id] = made.id


@contextmanager
def importing(folder: Path) -> Iterator[Stream]:
    """A stream into the repository; what was written is there at the end, with the ids that were told."""
    command = ["git", "-C", str(folder), "fast-import", "--quiet", "--force", "--depth=0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=ENVIRONMENT) as git:
        if git.stdin is None:
            raise AssertionError
        stream = Stream(git.stdin)
        yield stream
        git.stdin.close()
        if git.wait() != 0:
            raise AssertionError(f"git fast-import: exit {git.returncode}")
    listed = subprocess.run(
        ["git", "-C", str(folder), "for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/heads"],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    ).stdout.splitlines()
    if dict(line.split(" ") for line in listed) != stream.heads:
        raise AssertionError("git made other ids than these")


def make_history(folder: Path, *, commits: int, tags: int | None = None, seed: int = 1) -> Path:
    """Make a bare repository there, packed as a clone is: one pack, packed references, no commit-graph file."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True, env=ENVIRONMENT
    )
    with importing(folder) as stream:
        chance = Chance(seed)
        Project(stream, chance, Messages(chance)).run(commits=commits, tags=tags or max(2, commits // COMMITS_A_TAG))
    # A clone has neither a bitmap of reachability nor a commit-graph file; `git repack` and `git gc` would write them.
    repack = ["-c", "repack.writeBitmaps=false", "repack", "-a", "-d", "--quiet"]
    subprocess.run(["git", "-C", str(folder), *repack], check=True, env=ENVIRONMENT)
    subprocess.run(["git", "-C", str(folder), "pack-refs", "--all"], check=True, env=ENVIRONMENT)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a long history in a bare repository.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commits", type=int, default=200_000)
    parser.add_argument("--tags", type=int)
    asked = parser.parse_args()
    began = time.monotonic()
    make_history(asked.folder, commits=asked.commits, tags=asked.tags)
    parser.exit(message=f"{asked.folder}: {time.monotonic() - began:.1f} s\n")
