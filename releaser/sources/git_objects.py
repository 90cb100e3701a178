"""Files and folders of commits, read and written as git's objects: no working copy, no index, no hooks, no filters.

Trees are read and written as bytes: names that are no UTF-8, and every mode, go through untouched. Paths are checked by who
asks (`domain.changelog.keeping.is_path`); ids are full.

What does not live here: pushing (`git_branch`), and what files mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from releaser.sources.git_process import GitProcess
from releaser.sources.source import GitFailedError, NotAFileError

_FILE = b"100644"
_FILES = {b"100644", b"100755", b"100664"}
_FOLDER = b"40000"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of a tree."""

    mode: bytes
    name: bytes
    id: str

    @property
    def order(self) -> bytes:
        """How git sorts it: a folder as if its name ended in a slash."""
        return self.name + b"/" if self.mode == _FOLDER else self.name


def read_file(process: GitProcess, commit: str, path: str) -> bytes | None:
    """The content of a file of a commit, None when it has no such file."""
    (found,) = _objects(process, [f"{commit}:{path}"])
    return found[1] if found is not None and found[0] == "blob" else None


def read_folders(process: GitProcess, commits: Iterable[str], path: str) -> dict[str, dict[str, str]]:
    """Commit -> the plain files of its folder, name -> blob id; commits without that folder are absent.

    Names that are no UTF-8 are passed over.
    """
    wanted = list(dict.fromkeys(commits))
    width = len(wanted[0]) // 2 if wanted else 20
    found: dict[str, dict[str, str]] = {}
    for commit, one in zip(wanted, _objects(process, [f"{commit}:{path}" for commit in wanted]), strict=True):
        if one is not None and one[0] == "tree":
            entries = _entries(one[1], width)
            found[commit] = {
                entry.name.decode(): entry.id for entry in entries if entry.mode in _FILES and _is_text(entry.name)
            }
    return found


def read_blobs(process: GitProcess, ids: Iterable[str], *, largest: int) -> dict[str, bytes]:
    """Blob -> its content; what is larger than `largest` bytes is cut there and one more."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    feed = "".join(f"{one}\n" for one in wanted).encode()
    lines = process.ask_lines("cat-file", "--batch-check", feed=feed)
    small = [one for one, line in zip(wanted, lines, strict=True) if int(line.split(" ")[2]) <= largest]
    read = {one: found[1] for one, found in zip(small, _objects(process, small), strict=True) if found is not None}
    return {one: read.get(one, b"x" * (largest + 1)) for one in wanted}


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _objects(process: GitProcess, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
    """Kind and content of each object, None for what is not there."""
    if not names:
        return []
    answer = process.run("cat-file", "--batch", feed="".join(f"{name}\n" for name in names).encode(), long=True)
    if answer.status:
        raise GitFailedError("`git cat-file` failed.", permanent=False, advice="Run `git fsck` in the repository.")
    found: list[tuple[str, bytes] | None] = []
    at = 0
    for _ in names:
        end = answer.output.index(b"\n", at)
        words = answer.output[at:end].split(b" ")
        at = end + 1
        if words[-1] in {b"missing", b"ambiguous"}:
            found.append(None)
            continue
        size = int(words[-1])
        found.append((words[-2].decode(), answer.output[at : at + size]))
        at += size + 1
    return found


def _entries(raw: bytes, width: int) -> list[_Entry]:
    """A tree's lines: `<mode> <name>NUL<id in bytes>`."""
    found = []
    at = 0
    while at < len(raw):
        blank, end = raw.index(b" ", at), raw.index(b"\0", at)
        found.append(_Entry(mode=raw[at:blank], name=raw[blank + 1 : end], id=raw[end + 1 : end + 1 + width].hex()))
        at = end + 1 + width
    return found


def put_files(process: GitProcess, commit: str, files: Mapping[str, bytes | None]) -> str:
    """The tree of `commit` with these files in it (None takes one out); its id. Everything else stays as it is.

    Raises `NotAFileError` where a folder, a link or a submodule stands in the way.
    """
    tree = process.ask("rev-parse", "--verify", f"{commit}^{{tree}}").strip()
    for path, content in files.items():
        blob = None if content is None else _written(process, "blob", content)
        tree = _put(process, tree, path, path.split("/"), blob) or _written(process, "tree", b"")
    return tree


def tree_of(process: GitProcess, commit: str) -> str:
    """The tree of a commit."""
    return process.ask("rev-parse", "--verify", f"{commit}^{{tree}}").strip()


def _put(process: GitProcess, tree: str | None, path: str, parts: Sequence[str], blob: str | None) -> str | None:
    """The id of the tree with the file in it; None when nothing is left in it."""
    entries = _read_tree(process, tree) if tree is not None else []
    name = parts[0].encode()
    old = next((entry for entry in entries if entry.name == name), None)
    is_last = len(parts) == 1
    if old is not None and (old.mode not in _FILES if is_last else old.mode != _FOLDER):
        raise NotAFileError(
            f"'{path}' cannot be written: {parts[0]} is no {'file' if is_last else 'folder'} there.",
            advice="Name another path for the changelog.",
            field="changelog",
        )
    inner = blob if is_last else _put(process, old.id if old else None, path, parts[1:], blob)
    kept = [entry for entry in entries if entry.name != name]
    if inner is not None:
        mode = old.mode if old is not None else _FILE if is_last else _FOLDER
        kept.append(_Entry(mode=mode, name=name, id=inner))
    if not kept:
        return None
    ordered = sorted(kept, key=lambda entry: entry.order)
    raw = b"".join(entry.mode + b" " + entry.name + b"\0" + bytes.fromhex(entry.id) for entry in ordered)
    return _written(process, "tree", raw)


def _read_tree(process: GitProcess, tree: str) -> list[_Entry]:
    (found,) = _objects(process, [tree])
    if found is None or found[0] != "tree":
        raise GitFailedError(f"{tree} is no tree.", permanent=True, advice="Run `git fsck` in the repository.")
    return _entries(found[1], len(tree) // 2)


def _written(process: GitProcess, kind: str, content: bytes) -> str:
    return process.ask("hash-object", "-t", kind, "-w", "--stdin", feed=content).strip()


def write_commit(process: GitProcess, *, tree: str, parent: str, message: str, who: Sequence[str], seconds: int) -> str:
    """A commit of `tree` on `parent`; the same facts give the same bytes and so the same id."""
    name, mail = who
    text = message.replace("\0", "").rstrip() + "\n"
    signed = f"{name} <{mail}> {seconds} +0000"
    return _written(
        process, "commit", f"tree {tree}\nparent {parent}\nauthor {signed}\ncommitter {signed}\n\n{text}".encode()
    )
