"""Committing files to a branch of the remote: made of objects in our mirror, pushed expecting the branch where we saw it.

What does not live here: what is written into the files (`flows.commit_changelog`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from releaser.sources.git_objects import put_files, tree_of, write_commit
from releaser.sources.git_process import GitProcess
from releaser.sources.git_remote import UNREACHED, reason, remote_error
from releaser.sources.source import BranchMovedError, BranchNotFoundError, PushRefusedError


def commit_files(
    process: GitProcess,
    files: Mapping[str, bytes | None],
    *,
    onto: str,
    message: str,
    at: datetime,
    who: Sequence[str],
) -> str | None:
    """A commit on `onto` with these files; None when they stand there so already. Nothing is pushed."""
    tree = put_files(process, onto, files)
    if tree == tree_of(process, onto):
        return None
    return write_commit(process, tree=tree, parent=onto, message=message, who=who, seconds=int(at.timestamp()))


def push_branch(process: GitProcess, address: str, branch: str, *, commit: str, expected: str) -> None:
    """Push `commit`, whose parent is `expected`, if the remote's branch is still there. Done already counts as done.

    Raises `BranchMovedError`, `PushRefusedError`, `RemoteUnreachableError`.
    """
    ref = f"refs/heads/{branch}"
    if not branch.isprintable() or process.run("check-ref-format", ref).status:
        raise BranchNotFoundError(f"git knows no branch named {branch[:80]!a}.", field="branch")
    answer = process.run(
        "push",
        "--quiet",
        "--no-verify",
        "--no-follow-tags",
        "--recurse-submodules=no",
        f"--force-with-lease={ref}:{expected}",
        "--end-of-options",
        address,
        f"{commit}:{ref}",
        remote=True,
    )
    if not answer.status:
        return
    # Whatever the push said: what the remote has now is what counts.
    there = _remote_branch(process, address, ref)
    if there == commit:
        return
    if there != expected:
        raise BranchMovedError(
            f"Branch '{branch}' moved while the changelog was written: it was {expected[:12]}, it is "
            f"{there[:12] if there else 'gone'}.",
            advice="Run the same again.",
            field="branch",
        )
    raise PushRefusedError(
        f"The remote refused a commit on branch '{branch}': {reason(answer.errors)}.",
        permanent=True,
        advice="Let the releaser's account push there, or name another branch; then run the same again.",
        field="branch",
    )


def _remote_branch(process: GitProcess, address: str, ref: str) -> str | None:
    answer = process.run("ls-remote", "--end-of-options", address, ref, remote=True)
    if answer.status or UNREACHED.search(answer.errors):
        raise remote_error(address, answer.errors)
    rows = (line.partition("\t") for line in answer.lines)
    return next((one for one, _, found in rows if found == ref), None)
