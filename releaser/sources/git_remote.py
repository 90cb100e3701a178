"""Remotes from this side: which addresses are read, what a remote's words mean, and how a tag object is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from releaser.errors import ReleaserError
from releaser.sources.git_process import redacted
from releaser.sources.source import (
    IncompleteRepositoryError,
    NotARepositoryError,
    RefusedAddressError,
    RemoteUnreachableError,
    TagTakenError,
)

_SCP_LIKE = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//).+", re.ASCII)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)


def kind_of(address: str, *, protocols: Sequence[str]) -> str:
    """The protocol an address is read by. Raises `RefusedAddressError` for all but `protocols`."""
    readable = ", ".join(protocols)
    if not address or address.startswith("-") or "::" in address or not address.isprintable():
        raise RefusedAddressError(
            f"{redacted(address)[:200]!a} is no address of a repository.",
            advice=f"Give a path, or a URL of one of these kinds: {readable}.",
            field="repository",
        )
    scheme = _SCHEME.match(address)
    elsewhere = _SCP_LIKE.fullmatch(address) is not None and not Path(address).exists()
    kind = scheme[1].lower() if scheme else "ssh" if elsewhere else "file"
    if kind not in protocols:
        raise RefusedAddressError(
            f"Repositories are not read by '{kind}'.", advice=f"Use one of: {readable}.", field="repository"
        )
    return kind


def local_path(address: str) -> Path:
    """The path of a local address, absolute."""
    return Path(address.removeprefix("file://")).absolute()


def not_a_repository(address: str, why: str) -> NotARepositoryError:
    """What to say where no repository is."""
    return NotARepositoryError(
        f"{redacted(address)[:200]} is not a git repository: {redacted(why)[:200]}.",
        advice="Check the path or URL of the repository.",
        field="repository",
    )


def tag_object(name: str, *, commit: str, message: str, tagger: Sequence[str], tagged_at: datetime) -> bytes:
    """An annotated tag as git stores it: the same facts give the same bytes and so the same id."""
    who, mail = tagger
    text = message.replace("\0", "").rstrip() + "\n"
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {who} <{mail}> {int(tagged_at.timestamp())} +0000\n\n"
    return (head + text).encode()


def taken(name: str, other: str, who: str = "") -> TagTakenError:
    """What to say where another tag of that name stands; `who` tells who made it, as far as that is known."""
    told = f": {who}" if who else ""
    return TagTakenError(
        f"There is already another tag '{name}' ({other[:12]}), and it is not ours{told}.",
        advice="Find out why; a number that is taken is never given again.",
        tag=name,
        object_id=other,
        who=who,
    )


UNREACHED = re.compile(
    r"could not read from remote|could not resolve|connection|unable to (?:access|connect|look up)|timed out|hung up|"
    r"early eof|authentication failed|permission denied \(|terminal prompts disabled|not appear to be a git|"
    r"host key verification failed|unexpected disconnect|broken pipe",
    re.IGNORECASE,
)
_LOCKED_OUT = re.compile(
    r"authentication failed|permission denied|terminal prompts disabled|returned error: 40[13]|host key verification failed|"
    r"access denied or repository not exported|service not enabled",
    re.IGNORECASE,
)


def remote_error(address: str, errors: str) -> ReleaserError:
    """What git said about a remote, as the error it means."""
    where = redacted(address)
    why = reason(errors)
    low = errors.lower()
    if "dubious ownership" in low:
        return RemoteUnreachableError(
            f"git does not trust {where}, because it belongs to another user.",
            permanent=True,
            advice=f"Run `git config --global --add safe.directory {where}` as the user of this service.",
        )
    if "not allowed" in low and "transport" in low:
        return RefusedAddressError(f"Repositories are not read from {where}: {why}.", field="repository")
    if "shallow" in low:
        return IncompleteRepositoryError(
            f"{where} is a shallow clone: its older history is missing.",
            permanent=True,
            advice="Run `git fetch --unshallow --tags` in it.",
            field="repository",
        )
    if "mismatched algorithms" in low:
        return RemoteUnreachableError(
            f"{where} names its objects otherwise than when it was read first ({why}): it is another repository now.",
            permanent=True,
            advice="Add it as a product of its own, or put the old repository back.",
        )
    if "does not appear to be a git repository" in low or ("not found" in low and "repository" in low):
        return not_a_repository(where, why)
    locked_out = _LOCKED_OUT.search(errors) is not None
    return RemoteUnreachableError(
        f"{where} could not be read: {why}.",
        permanent=locked_out,
        advice=_advice(low) if locked_out else "Check that it answers, then run the same again.",
    )


def _advice(errors: str) -> str:
    """What to do where a remote lets us not in."""
    if "host key verification failed" in errors:
        return "Add the remote's host key to RELEASER_SSH_KNOWN_HOSTS (or to known_hosts of this service's user)."
    return "Give this service's user access to it."


_SAYS_LITTLE = re.compile(
    r"could not read from remote repository|make sure you have the correct access|and the repository exists\.",
    re.IGNORECASE,
)


def reason(errors: str) -> str:
    """The line of git's or the remote's words that says most."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    # What git says of every fault behind ssh: ssh itself said more, right before.
    special = [line for line in lines if not _SAYS_LITTLE.search(line)]
    telling = [line for line in special if line.startswith(("fatal:", "error:", "remote:", "!"))]
    return (telling or special or lines or ["it gave no reason"])[0].removeprefix("fatal: ")[:300].rstrip(".")
