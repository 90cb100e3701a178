"""What commits change, as one number each: equal numbers mean equal patches, wherever they stand.

It costs a millisecond or two a commit, so it is asked for few, where there is doubt; see `domain.history.patches`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releaser.sources.git_process import GitProcess

# All answers of one call fit into a pipe that nobody reads yet.
_AT_ONCE = 500
_DIFF = (
    "diff-tree",
    "--stdin",
    "-p",
    "--root",
    "--full-index",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
)


def patch_ids(process: GitProcess, ids: Sequence[str]) -> Mapping[str, str]:
    """Commit -> patch id; merges and commits that change nothing have none. `ids` are full ids."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), _AT_ONCE):
        feed = "".join(f"{one}\n" for one in ids[start : start + _AT_ONCE]).encode()
        answer = process.piped(_DIFF, ("patch-id", "--stable"), feed=feed)
        found |= {commit: patch for patch, commit in (line.split(" ") for line in answer.lines)}
    return found
