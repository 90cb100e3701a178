"""Real git repositories written file by file, without a process: hundreds of them in the time git would make one.

Nothing is checked on the way, so objects can be such as git itself would never write.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def object_id(kind: str, body: bytes, *, form: str = "sha1") -> str:
    """The id that git gives to an object; `form` is sha1 or sha256."""
    return hashlib.new(form, b"%s %d\0" % (kind.encode(), len(body)) + body, usedforsecurity=False).hexdigest()


class ObjectWorld:
    """A bare repository; every commit has the empty tree."""

    def __init__(self, folder: Path, *, form: str = "sha1") -> None:
        self.folder = folder
        self.form = form
        for part in ("objects", "refs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        version, extension = (0, "") if form == "sha1" else (1, f"[extensions]\n\tobjectformat = {form}\n")
        (folder / "config").write_text(f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extension}")
        self.tree = self.write("tree", b"")

    def write(self, kind: str, body: bytes) -> str:
        """Keep an object; answers its id."""
        made = object_id(kind, body, form=self.form)
        place = self.folder / "objects" / made[:2]
        place.mkdir(exist_ok=True)
        (place / made[2:]).write_bytes(zlib.compress(b"%s %d\0" % (kind.encode(), len(body)) + body, 1))
        return made

    def commit(self, message: bytes, *parents: str, author: str, committer: str, encoding: str = "") -> str:
        """Keep a commit; `author` and `committer` are whole: name, mail, seconds and zone."""
        return self.write("commit", commit_body(self.tree, message, parents, author, committer, encoding))

    def refs(self, ids: Mapping[str, str]) -> None:
        """Name objects: full ref name -> id. Replaces every name there was; names are written as they are."""
        lines = [f"{one} ".encode() + name.encode("utf-8", "surrogateescape") for name, one in sorted(ids.items())]
        (self.folder / "packed-refs").write_bytes(b"".join(line + b"\n" for line in lines))


def commit_body(
    tree: str, message: bytes, parents: Sequence[str], author: str, committer: str, encoding: str = ""
) -> bytes:
    """A commit as git keeps it."""
    lines = [f"tree {tree}", *(f"parent {one}" for one in parents), f"author {author}", f"committer {committer}"]
    lines += [f"encoding {encoding}"] if encoding else []
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n\n" + message


def tag_body(target: str, kind: str, name: str, *, tagger: str = "Ann <ann@example.org> 1700000000 +0000") -> bytes:
    """An annotated tag as git keeps it."""
    return f"object {target}\ntype {kind}\ntag {name}\ntagger {tagger}\n\n{name}\n".encode()
