"""What a host's shell or ssh says when something goes wrong, told as our errors. What was not answered at all is in `shell`."""

from __future__ import annotations

import re
from typing import Final

from releaser.errors import ReleaserError
from releaser.targets.target import (
    DiskFullError,
    EngineRefusedError,
    EngineTimeoutError,
    EngineUnreachableError,
)

FENCED: Final = 91
BUSY: Final = 92
NOT_DONE: Final = 93
_NOT_FOUND: Final = 127

_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded|wrote only \d+ of \d+ bytes", re.IGNORECASE)
_DENIED = re.compile(r"permission denied|operation not permitted|read-only file system|must be root", re.IGNORECASE)
_STRANGER = re.compile(
    r"host key verification failed|remote host identification has changed|host key is known", re.IGNORECASE
)
_NO_KEY = re.compile(r"permission denied \(|no such identity|too many authentication failures", re.IGNORECASE)


def from_ssh(said: str, *, address: str) -> ReleaserError:
    """The error for a connection that did not come about, or broke off."""
    line = sentence(one_line(said) or "without a word")
    if _STRANGER.search(said):
        return EngineRefusedError(
            f"The key of the host at {address} is not the known one: {line}",
            permanent=True,
            advice="Compare its fingerprint with the host's own, then put it into the known hosts.",
            address=address,
        )
    if _NO_KEY.search(said):
        return EngineRefusedError(
            f"The host at {address} does not let us in: {line}",
            permanent=True,
            advice="Put the public key of this service into the authorized_keys of that user.",
            address=address,
        )
    return EngineUnreachableError(
        f"The host at {address} cannot be reached: {line}",
        permanent=False,
        advice="Check that it runs and that ssh reaches it from here.",
        address=address,
    )


def from_script(code: int, said: str, *, what: str, address: str) -> ReleaserError:
    """The error for a script that ended badly."""
    line = sentence(one_line(said) or f"it ended with {code}, without a word")
    if _DISK_FULL.search(said):
        return DiskFullError(
            f"There is no room left on the host at {address}: {line}",
            permanent=True,
            advice="Free space there, then try again.",
            address=address,
        )
    if code == BUSY:
        return EngineTimeoutError(
            f"Something else is at work on the files at {address}, and did not end in time.",
            permanent=False,
            advice="An earlier step may still be carried out there; it is tried again.",
            address=address,
        )
    if _DENIED.search(said):
        return EngineRefusedError(
            f"The host at {address} does not let us {what}: {line}",
            permanent=True,
            advice="Give the user that is logged in there the right to do that.",
            address=address,
        )
    if code == _NOT_FOUND:
        return EngineRefusedError(
            f"The host at {address} lacks a program to {what}: {line}",
            permanent=True,
            advice="Install it there; `releaser doctor` tells what is needed.",
            address=address,
        )
    return EngineRefusedError(f"The host at {address} could not {what}: {line}", permanent=False, address=address)


def sentence(text: str) -> str:
    """What somebody else said, with an end to it."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def one_line(text: str, *, limit: int = 500) -> str:
    """What people are shown of an output: its last words, without what moves cursors."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]", "", text)
    joined = " | ".join(line.strip() for line in plain.splitlines() if line.strip())
    return joined if len(joined) <= limit else f"…{joined[-limit:]}"
