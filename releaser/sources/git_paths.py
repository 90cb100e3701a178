"""Which commits touch a path: for products that share a repository. Paths are taken by the letter, never as patterns."""

from __future__ import annotations

from collections.abc import Sequence

from releaser.sources.git_process import GitProcess


def touching(process: GitProcess, paths: Sequence[str], revisions: bytes) -> frozenset[str]:
    """The commits of `revisions` (as `rev-list --stdin` reads them) that change anything at one of `paths`.

    Also what was undone on a side branch happened. A merge counts by what it brings to its first parent: that the other
    side lacks what happened here meanwhile is no change of the merge's.
    """
    wanted = [path for path in paths if path and "\n" not in path]
    if not revisions or not wanted:
        return frozenset()
    feed = revisions + "".join(["--\n", *(f"{path}\n" for path in wanted)]).encode()
    found = process.ask_lines("--literal-pathspecs", "rev-list", "--full-history", "--stdin", feed=feed, long=True)
    feed = "".join(f"{one}\n" for one in found).encode()
    rows = process.ask_lines("rev-list", "--no-walk=unsorted", "--min-parents=2", "--parents", "--stdin", feed=feed)
    merges = {row.split(" ")[0]: row.split(" ")[1] for row in rows} if found else {}
    return frozenset(found) - merges.keys() | _bringing(process, merges, wanted)


def _bringing(process: GitProcess, merges: dict[str, str], paths: Sequence[str]) -> set[str]:
    """Of merges (with their first parents) those that bring something at one of `paths`."""
    if not merges:
        return set()
    feed = "".join(f"{merge} {first}\n" for merge, first in merges.items()).encode()
    # Not recursive: that something differs is enough to know.
    command = ("diff-tree", "--stdin", "--no-renames", "--name-only", "--end-of-options", "--", *paths)
    lines = process.ask_lines("--literal-pathspecs", *command, feed=feed, long=True)
    return merges.keys() & set(lines)
