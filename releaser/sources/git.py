"""Repositories over git: reading history, keeping a mirror, publishing tags.

A mirror is a bare repository of ours. It is fetched by explicit refs: branches follow the remote, tags are only ever
added; a tag that moved or vanished on the remote is reported and keeps its old meaning here.

What does not live here: how git is run (`git_process`), how its log is read (`git_log`), what it all means
(`domain.history`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from releaser.domain.history import BranchHead, CommitBatch, Refs, TagRef
from releaser.i18n import Phrase, mark
from releaser.sources import git_branch, git_format, git_log, git_objects, git_patches, git_paths, git_tags
from releaser.sources.git_locks import alone
from releaser.sources.git_process import Answer, GitProcess, redacted, showable
from releaser.sources.git_remote import (
    kind_of,
    local_path,
    not_a_repository,
    remote_error,
)
from releaser.sources.git_ssh import ssh_surroundings
from releaser.sources.git_start import Starter, started_by_library, started_plainly
from releaser.sources.git_tags import TAGS
from releaser.sources.index_file import IndexFiles
from releaser.sources.source import (
    BranchNotFoundError,
    EmptyRepositoryError,
    Fetched,
    GitFailedError,
    IncompleteRepositoryError,
    Progress,
    RefusedAddressError,
    TagAlarm,
)

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MANY_REFS = 100
_REF_FORMAT = (
    "%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)%00%(taggerdate:unix)%00%(symref)"
)


class GitRepositories:
    """Makes repositories that share one set of limits. Durations in seconds; `tagger` is a name and a mail address.

    `ssh_key` and `ssh_known_hosts` are files of this service's own; without them ssh's configuration holds.
    """

    def __init__(
        self,
        *,
        tagger: tuple[str, str] = ("releaser", "releaser@localhost"),
        protocols: Sequence[str] = ("file", "https", "ssh"),
        answers_in_s: float = 60.0,
        streams_in_s: float = 900.0,
        ssh_key: Path | None = None,
        ssh_known_hosts: Path | None = None,
    ) -> None:
        self._tagger = tagger
        self._protocols = tuple(protocols)
        self._answers_in_s = answers_in_s
        self._streams_in_s = streams_in_s
        self._surroundings = ssh_surroundings(key=ssh_key, known_hosts=ssh_known_hosts)

    def check(self, address: str) -> None:
        """Refuse an address that can be no repository; a path of this machine is looked at, a URL is not reached."""
        self._checked(address)

    def mirror(self, address: str, *, folder: Path) -> GitRepository:
        """The bare mirror of `address` kept in `folder`; made empty if it is not there. Then `fetch()`."""
        checked = self._checked(address)
        process = self._process(folder, starter=started_by_library)
        if not (folder / "HEAD").exists():
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder):
                # The folder is git's own: an empty template brings in neither hooks nor anything else.
                process.ask("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        return GitRepository(process, address=checked, tagger=self._tagger)

    def in_place(self, path: Path) -> GitRepository:
        """The repository at `path` or above it, read as it is."""
        repository = GitRepository(self._process(_git_folder(path)), address=None, tagger=self._tagger)
        repository.check_whole()
        return repository

    def _process(self, folder: Path, *, starter: Starter = started_plainly) -> GitProcess:
        return GitProcess(
            folder,
            protocols=self._protocols,
            answers_in_s=self._answers_in_s,
            streams_in_s=self._streams_in_s,
            starter=starter,
            surroundings=self._surroundings,
        )

    def _checked(self, address: str) -> str:
        """The address if it is of a kind that is read; a local path is made absolute and must be a whole repository."""
        if kind_of(address, protocols=self._protocols) != "file":
            return address
        path = local_path(address)
        self.in_place(path)
        folder = _git_folder(path)
        return str(folder.parent if folder.name == ".git" else folder)


def _git_folder(path: Path) -> Path:
    """The git folder of a bare repository or a working copy, looked for upwards as git does."""
    start = path.absolute()
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder / ".git"
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            return folder
    raise not_a_repository(str(path), "nothing there or above it is one" if start.exists() else "there is no such path")


class GitRepository:
    """One repository: a mirror with an address, or one read in place without."""

    def __init__(self, process: GitProcess, *, address: str | None, tagger: tuple[str, str]) -> None:
        self._process = process
        self._address = address
        self._tagger = tuple(re.sub(r"[<>\x00-\x1f]", "", one) for one in tagger)
        self._files: IndexFiles | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def check_whole(self) -> None:
        """Raises `IncompleteRepositoryError` for a shallow or partial clone, `NotARepositoryError` for what is none."""
        answer = self._process.run("rev-parse", "--is-shallow-repository", "--git-common-dir")
        if answer.status or len(answer.lines) != 2:
            raise not_a_repository(str(self._process.folder), answer.errors or "git does not know it")
        is_shallow, common = answer.lines
        folder = self._process.folder
        self._files = IndexFiles((folder if folder.is_dir() else folder.parent) / common)
        if is_shallow == "true":
            raise IncompleteRepositoryError(
                "The repository is a shallow clone: its older history is missing.",
                permanent=True,
                advice="Run `git fetch --unshallow --tags` in it.",
                field="repository",
            )
        settings = self._process.run(
            "config", "--local", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"
        )
        if settings.text.strip():
            raise IncompleteRepositoryError(
                "The repository is a partial clone: some of its objects are missing.",
                permanent=True,
                advice=f"Clone it again without `--filter`: git clone {self._origin()} WHOLE",
                field="repository",
            )

    def _origin(self) -> str:
        """Where a clone came from, fit to be shown; a word for it when that cannot be told."""
        found = redacted(self._process.run("config", "--local", "--get", "remote.origin.url").text)
        return found if found and found.isprintable() and len(found) < 300 else "URL"

    def name(self) -> str:
        """The last part of where it came from, else its folder's name, without `.git`."""
        came_from = (self._address or self._origin()).rstrip("/").removesuffix("/.git")
        folder = self._process.folder.absolute()
        if came_from in {"", "URL"}:
            came_from = str(folder.parent if folder.name == ".git" else folder)
        return re.split(r"[/\\:]", came_from)[-1].removesuffix(".git") or "repository"

    def refs(self) -> Refs:
        """Every tag and branch now. In a working copy the branches of `origin` count too, where no local one hides them."""
        if self._files is None:
            self.check_whole()
        rows = [
            showable(line).split("\0")
            for line in self._process.ask_lines(
                "for-each-ref", f"--format={_REF_FORMAT}", "refs/tags", "refs/heads", "refs/remotes/origin"
            )
        ]
        tags = [row for row in rows if row[0].startswith("refs/tags/")]
        remote = {
            row[0].removeprefix("refs/remotes/origin/"): row for row in rows if row[0].startswith("refs/remotes/")
        }
        remote_main = remote.pop("HEAD", None)
        heads = {name: row[1] for name, row in remote.items()}
        heads |= {row[0].removeprefix("refs/heads/"): row[1] for row in rows if row[0].startswith("refs/heads/")}
        if not heads and not tags:
            raise EmptyRepositoryError(
                "The repository has no commit yet.",
                permanent=True,
                advice="Push something to it first.",
                field="repository",
            )
        main = remote_main[6].removeprefix("refs/remotes/origin/") if remote_main else self._head()
        return Refs(
            tags=self._tags(tags),
            heads=tuple(BranchHead(name=name, commit=commit) for name, commit in sorted(heads.items())),
            main=main if main in heads else next((one for one in ("main", "master", "trunk") if one in heads), None),
            fingerprint=_fingerprint(rows, main),
        )

    def _head(self) -> str | None:
        answer = self._process.run("symbolic-ref", "--quiet", "HEAD")
        return answer.text.strip().removeprefix("refs/heads/") if not answer.status else None

    def _tags(self, rows: Sequence[Sequence[str]]) -> tuple[TagRef, ...]:
        """Tags with the commits they lead to at last; git peels only one tag of a tag by itself."""
        nested = [row[1] for row in rows if row[4] == "tag"]
        peeled = self._peel(nested) if nested else {}
        found = []
        for name, object_id, kind, target, target_kind, tagged, _ in rows:
            commit = object_id if kind == "commit" else target if target_kind == "commit" else peeled.get(object_id)
            found.append(
                TagRef(
                    name=name.removeprefix("refs/tags/"),
                    object_id=object_id,
                    commit=commit,
                    tagged_at=_instant(tagged) if kind == "tag" else None,
                )
            )
        return tuple(found)

    def _peel(self, ids: Sequence[str]) -> Mapping[str, str]:
        feed = "".join(f"{one}^{{commit}}\n" for one in ids).encode()
        lines = (line.split(" ") for line in self._process.ask_lines("cat-file", "--batch-check", feed=feed))
        return {one: words[0] for one, words in zip(ids, lines, strict=True) if words[1:2] == ["commit"]}

    def commits(
        self, tips: Iterable[str], *, known: Iterable[str] = (), progress: Progress | None = None
    ) -> Iterator[CommitBatch]:
        """Every commit reachable from `tips` and not from `known`, newest first."""
        feed = _revisions(tips, known)
        if not feed:
            return
        # How many there are, only a second walk like this one could tell.
        if progress is not None:
            progress(0, None)
        done = 0
        for batch in git_log.batches(self._process.stream(*git_log.ARGUMENTS, feed=feed)):
            yield batch
            done += len(batch.ids)
            if progress is not None:
                progress(done, None)

    def file_at(self, commit: str, path: str) -> bytes | None:
        """The content of a file, None when the commit has no such file."""
        return git_objects.read_file(self._process, _checked_id(commit), path)

    def folders(self, commits: Iterable[str], path: str) -> Mapping[str, Mapping[str, str]]:
        """Commit -> the plain files right in its folder, name -> blob id."""
        return git_objects.read_folders(self._process, map(_checked_id, commits), path)

    def blobs(self, ids: Iterable[str], *, largest: int) -> Mapping[str, bytes]:
        """Blob -> its content; of what is larger than `largest` bytes, something that is larger too."""
        return git_objects.read_blobs(self._process, map(_checked_id, ids), largest=largest)

    def touching(self, paths: Iterable[str], tips: Iterable[str], *, known: Iterable[str] = ()) -> frozenset[str]:
        """The commits reachable from `tips`, and not from `known`, that change anything at one of `paths`."""
        return git_paths.touching(self._process, list(paths), _revisions(tips, known))

    def patch_ids(self, commits: Iterable[str]) -> Mapping[str, str]:
        """Commit -> what names its patch; merges and commits that change nothing are absent."""
        return git_patches.patch_ids(self._process, list(dict.fromkeys(map(_checked_id, commits))))

    def messages(self, ids: Sequence[str]) -> list[str]:
        """The whole messages of these commits, each named once, in the same order."""
        feed = "".join(f"{_checked_id(one)}\n" for one in ids).encode()
        pieces = self._process.stream(*git_log.ARGUMENTS, "--no-walk=unsorted", feed=feed)
        return [message for batch in git_log.batches(pieces) for message in batch.messages] if ids else []

    def present(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these commits that are still here."""
        found = self._peel([_checked_id(one) for one in ids]) if ids else {}
        return frozenset(one for one, commit in found.items() if one == commit)

    def kept(self, name: str) -> bytes | None:
        """What was kept under a name, None when there is nothing."""
        return self._beside().read(name)

    def keep(self, name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        """Keep bytes under a name, where that can be."""
        self._beside().write(name, pieces)

    def _beside(self) -> IndexFiles:
        if self._files is None:
            self.check_whole()
        assert self._files is not None  # noqa: S101 -- the check has made it
        return self._files

    # --- keeping a mirror --------------------------------------------------------------------------------------------

    def fetch(self, *, progress: Progress | None = None) -> Fetched:
        """Bring a mirror up to date; a repository read in place answers "nothing changed"."""
        if self._address is None:
            return Fetched(changed=False)
        if progress is not None:
            progress(0, None)
        with alone(self._process.folder):
            return self._fetched(progress)

    def _fetched(self, progress: Progress | None) -> Fetched:
        theirs, main = self._remote_refs()
        ours = self._own_refs()
        moved = {
            name: theirs.get(name) for name, was in ours.items() if name.startswith(TAGS) and theirs.get(name) != was
        }
        wanted = [name for name, one in theirs.items() if ours.get(name) != one and name not in moved]
        gone = [name for name in ours if name not in theirs and not name.startswith(TAGS)]
        if gone:
            # Before fetching: a branch `a` stands in the way of a new branch `a/b`.
            self._process.ask("update-ref", "--stdin", "-z", feed=_bytes(f"delete {name}\0\0" for name in gone))
        if wanted:
            self._fetch(sorted(wanted))
        if main is not None and main in theirs:
            self._process.ask("symbolic-ref", "HEAD", main)
        if progress is not None:
            progress(1, 1)
        alarms = (
            TagAlarm(name=showable(name.removeprefix(TAGS)), was=ours[name], now=now)
            for name, now in sorted(moved.items())
        )
        return Fetched(changed=bool(wanted or gone), alarms=tuple(alarms))

    def accept(self, alarm: TagAlarm) -> None:
        """Forget the old meaning of a tag, as a person decided; the next fetch reads what the remote has."""
        with alone(self._process.folder):
            kept = self._own_refs()
            # The alarm's name is fit to be shown; what git calls it may be no text at all.
            names = [name for name, held in kept.items() if showable(name) == TAGS + alarm.name and held == alarm.was]
            feed = _bytes(f"delete {name}\0{alarm.was}\0" for name in names)
            self._process.ask("update-ref", "--stdin", "-z", feed=feed)

    def _own_refs(self) -> dict[str, str]:
        lines = self._process.ask_lines("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
        return {name: one for one, _, name in (line.partition(" ") for line in lines)}

    def _remote_refs(self) -> tuple[dict[str, str], str | None]:
        """The remote's branches and tags, and what its HEAD names."""
        found: dict[str, str] = {}
        main: str | None = None
        patterns = ("HEAD", "refs/heads/*", "refs/tags/*")
        for line in self._remote("ls-remote", "--symref", "--end-of-options", self._where(), *patterns).lines:
            one, _, name = line.partition("\t")
            if one.startswith("ref: "):
                main = one.removeprefix("ref: ")
            elif name.startswith(("refs/heads/", TAGS)) and not name.endswith("^{}"):
                found[name] = one
        return found, main

    def _fetch(self, names: Sequence[str]) -> None:
        """Fetch exactly these refs; branches may go anywhere, tags are only ever added."""
        self._remote(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--stdin",
            "--end-of-options",
            self._where(),
            feed=_bytes(f"{'' if name.startswith(TAGS) else '+'}{name}:{name}\n" for name in names),
            long=True,
        )
        if len(names) > _MANY_REFS:
            # Each would be a file of its own, to be opened whenever refs are listed.
            self._process.ask("pack-refs", "--all")
        self.check_whole()

    def _where(self) -> str:
        if self._address is None:
            raise RefusedAddressError(
                "This repository is only read; it has no remote to publish to.",
                advice="Add it as a product first.",
                field="repository",
            )
        return self._address

    def _remote(self, *arguments: str, feed: bytes = b"", long: bool = False) -> Answer:
        answer = self._process.run(*arguments, feed=feed, remote=True, long=long)
        if answer.status and git_format.adopted(self._process, answer.errors):
            answer = self._process.run(*arguments, feed=feed, remote=True, long=long)
        if answer.status:
            raise remote_error(self._where(), answer.errors)
        return answer

    # --- publishing tags ---------------------------------------------------------------------------------------------

    def tip(self, branch: str) -> str:
        """The newest commit of a branch as of the last fetch."""
        if branch and branch.isprintable():
            for place in ("refs/heads/", "refs/remotes/origin/"):
                answer = self._process.run("show-ref", "--verify", "--hash", place + branch)
                if not answer.status:
                    return answer.text.strip()
        heads = sorted(name.removeprefix("refs/heads/") for name in self._own_refs() if name.startswith("refs/heads/"))
        raise BranchNotFoundError(
            Phrase(mark("The repository has no branch {branch}."), branch=f"{branch[:200]!a}"),
            advice=Phrase(mark("It has: {branches}."), branches=", ".join(heads[-8:]) or "–"),
            field="branch",
        )

    def remote_tag(self, name: str) -> str | None:
        """The object id the remote's tag has right now."""
        return git_tags.remote_tag(self._process, self._where(), name)

    def make_tag(self, name: str, *, commit: str, message: str, tagged_at: datetime) -> str:
        """Make an annotated tag object and keep it; the same again returns the same id."""
        return git_tags.make_tag(
            self._process, name, commit=_checked_id(commit), message=message, tagger=self._tagger, tagged_at=tagged_at
        )

    def push_tag(self, name: str, *, object_id: str) -> None:
        """Push, expecting no tag of that name there, and confirm by reading it back."""
        git_tags.push_tag(self._process, self._where(), name, object_id=_checked_id(object_id))

    # --- committing files --------------------------------------------------------------------------------------------

    def commit_files(self, files: Mapping[str, bytes | None], *, onto: str, message: str, at: datetime) -> str | None:
        """Make a commit on `onto` with these files; None when nothing changes."""
        return git_branch.commit_files(
            self._process, files, onto=_checked_id(onto), message=message, at=at, who=self._tagger
        )

    def push_branch(self, branch: str, *, commit: str, expected: str) -> None:
        """Push a commit made on `expected`, if the remote's branch is still there."""
        git_branch.push_branch(
            self._process, self._where(), branch, commit=_checked_id(commit), expected=_checked_id(expected)
        )


def _instant(seconds: str) -> datetime | None:
    if not seconds.lstrip("-").isdigit():
        return None
    return datetime.fromtimestamp(min(max(int(seconds), 0), 253_402_300_799), UTC)


def _fingerprint(rows: Iterable[Sequence[str]], main: str | None) -> str:
    """One name for the state of all refs: equal if and only if nothing moved."""
    text = "\n".join(sorted(f"{row[0]} {row[1]}" for row in rows)) + f"\n{main}"
    return hashlib.sha256(text.encode()).hexdigest()


def _revisions(tips: Iterable[str], known: Iterable[str]) -> bytes:
    wanted = dict.fromkeys(map(_checked_id, tips))
    excluded = dict.fromkeys(f"^{_checked_id(one)}" for one in known)
    return "".join(f"{one}\n" for one in (*wanted, *excluded)).encode() if wanted else b""


def _checked_id(one: str) -> str:
    """A full id, which nothing can mistake for an option or a name."""
    if _ID.fullmatch(one) is None:
        raise GitFailedError(f"{one[:80]!a} is no full object id.", permanent=True)
    return one


def _bytes(lines: Iterable[str]) -> bytes:
    """What git reads from its input; names go back to it exactly as they came."""
    return "".join(lines).encode("utf-8", "surrogateescape")
