"""Which git there is. Everything about repositories lives in `git`."""

from __future__ import annotations

import re
import subprocess

from releaser.sources.source import GitFailedError

OLDEST = (2, 30)


def git_version(*, answers_in_s: float = 5.0) -> str:
    """One line about the git that is installed. Raises `GitFailedError` when there is none, or one too old."""
    wanted = ".".join(map(str, OLDEST))
    try:
        done = subprocess.run(["git", "--version"], check=False, capture_output=True, text=True, timeout=answers_in_s)  # noqa: S607 -- found on PATH
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailedError(
            "git cannot be run.", permanent=True, advice=f"Install git {wanted} or newer, and have it on PATH."
        ) from error
    found = re.search(r"(\d+)\.(\d+)", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise GitFailedError(
            f"'{done.stdout.strip()[:80]}' is too old.", permanent=True, advice=f"Install git {wanted} or newer."
        )
    return done.stdout.strip()
