"""How a git process begins: by GitPython in a service, by the standard library where an answer is given in place.

Loading GitPython takes longer than reading a small history, so what is asked once must not pay for it. Both begin the same
command in the same surroundings and a session of its own; what comes of it is `git_process`'s.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from releaser.errors import OutsideError

Starter = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[subprocess.Popen[bytes]]]
"""Begins a command in a folder with surroundings added to ours; the process is the caller's to end.

Raises `OutsideError` when the program is not there.
"""


@contextmanager
def started_plainly(
    command: Sequence[str], folder: Path, surroundings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Begin it with what Python brings along."""
    try:
        process = subprocess.Popen(  # noqa: S603 -- a list made in `git_process`, where values are minded
            command,
            # In a linked working tree `.git` is a file.
            cwd=folder if folder.is_dir() else folder.parent,
            # git's words are read: they shall be English.
            env={**os.environ, "LANGUAGE": "C", "LC_ALL": "C", **surroundings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _not_installed() from error
    yield process


@contextmanager
def started_by_library(
    command: Sequence[str], folder: Path, surroundings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Begin it by GitPython."""
    import git  # noqa: PLC0415 -- start-up, see above

    try:
        # Keep what `execute` answers: once it is collected, it kills git.
        holder = git.Git(str(folder)).execute(
            list(command),
            istream=subprocess.PIPE,
            as_process=True,
            env=dict(surroundings),
            start_new_session=True,
        )
    except git.exc.GitCommandNotFound as error:
        raise _not_installed() from error
    process = holder.proc
    if process is None:
        raise AssertionError(command)
    try:
        yield process
    finally:
        # GitPython would otherwise signal a process id that is no longer ours.
        holder.proc = None


def _not_installed() -> OutsideError:
    return OutsideError("The program 'git' is not installed.", permanent=True, advice="Install git 2.31 or newer.")
