"""Publishing a tag: made as an object in our mirror, pushed once, expecting no tag of that name, and read back.

Tags made here are kept under `refs/releaser/tags/` and enter `refs/tags/` only with a fetch, after the remote has them. What
somebody else tagged is looked at under `refs/releaser/theirs/`, to say who it was.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from releaser.errors import InvalidError, OutsideError
from releaser.sources.git_locks import PUSHING, alone, one_by_one
from releaser.sources.git_process import GitProcess
from releaser.sources.git_remote import UNREACHED, reason, remote_error, tag_object, taken
from releaser.sources.source import PushRefusedError

TAGS = "refs/tags/"
_MADE = "refs/releaser/tags/"
_THEIRS = "refs/releaser/theirs/"
_LOOKS = 5
_LOOK_EVERY_S = 0.3
_BUSY = re.compile(
    r"cannot lock ref|unable to create .*\.lock|failed to update ref|reference already exists", re.IGNORECASE
)
_SIGNED = re.compile(r"(?:tagger|author) (?P<who>.*?) (?P<at>-?[0-9]+) [+-][0-9]+")


class InvalidTagNameError(InvalidError):
    """git accepts no tag of that name."""


def tag_ref(process: GitProcess, name: str) -> str:
    """The full name of a tag's ref. Raises `InvalidTagNameError`."""
    ref = TAGS + name
    if not name.isprintable() or process.run("check-ref-format", ref).status:
        raise InvalidTagNameError(
            f"git accepts no tag named {name[:80]!a}.", advice="Change the product's tag format.", field="tag"
        )
    return ref


def remote_tag(process: GitProcess, address: str, name: str) -> str | None:
    """The object id the remote's tag has right now, None when it has none. Raises `RemoteUnreachableError`."""
    ref = tag_ref(process, name)
    answer = process.run("ls-remote", "--end-of-options", address, ref, remote=True)
    if answer.status:
        raise remote_error(address, answer.errors)
    rows = (line.partition("\t") for line in answer.lines)
    return next((one for one, _, found in rows if found == ref), None)


def make_tag(
    process: GitProcess, name: str, *, commit: str, message: str, tagger: Sequence[str], tagged_at: datetime
) -> str:
    """Make an annotated tag object and keep it; the same again, by any number of processes, is the same id.

    Raises `TagTakenError` when a tag of that name exists here that leads elsewhere.
    """
    ref = tag_ref(process, name)
    body = tag_object(name, commit=commit, message=message, tagger=tagger, tagged_at=tagged_at)
    with alone(process.folder):
        made = _resolved(process, _MADE + name)
        if made is not None:
            if _resolved(process, f"{_MADE}{name}^{{commit}}") == commit:
                return made
            raise taken(name, made, who(process, made))
        object_id = process.ask("hash-object", "-t", "tag", "-w", "--stdin", feed=body).strip()
        standing = _resolved(process, ref)
        if standing is not None and standing != object_id:
            raise taken(name, standing, who(process, standing))
        # The empty old value: fails if somebody made one in between.
        process.ask("update-ref", _MADE + name, object_id, "")
    return object_id


def push_tag(process: GitProcess, address: str, name: str, *, object_id: str) -> None:
    """Push, expecting no tag of that name there, and confirm by reading it back. Done already counts as done.

    Raises `TagTakenError`, `PushRefusedError`, `RemoteUnreachableError`.
    """
    ref = tag_ref(process, name)
    with one_by_one(process.folder, PUSHING):
        if _is_there(process, address, name, object_id):
            return
        answer = process.run(
            "push",
            "--quiet",
            "--no-verify",
            "--no-follow-tags",
            "--recurse-submodules=no",
            f"--force-with-lease={ref}:",
            "--end-of-options",
            address,
            f"{object_id}:{ref}",
            remote=True,
        )
        # Whatever the push said: what the remote has now is what counts.
        if _is_there(process, address, name, object_id):
            return
        if _BUSY.search(answer.errors) and _comes(process, address, name, object_id):
            return
    if UNREACHED.search(answer.errors):
        raise remote_error(address, answer.errors)
    raise PushRefusedError(
        f"The remote refused tag '{name}': {reason(answer.errors)}.",
        permanent=True,
        advice="Let the releaser's account create tags there, then run the same command again.",
    )


def _comes(process: GitProcess, address: str, name: str, object_id: str) -> bool:
    """Whether the tag comes from another process that pushes the same one right now and holds the remote's lock."""
    pause = threading.Event()
    for _ in range(_LOOKS):
        pause.wait(_LOOK_EVERY_S)
        if _is_there(process, address, name, object_id):
            return True
    return False


def _is_there(process: GitProcess, address: str, name: str, object_id: str) -> bool:
    there = remote_tag(process, address, name)
    if there is not None and there != object_id:
        raise taken(name, there, _theirs(process, address, name, there))
    return there is not None


def _theirs(process: GitProcess, address: str, name: str, object_id: str) -> str:
    """Who made the remote's tag, as far as that can be told: the object is fetched to look at it."""
    try:
        process.run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--end-of-options",
            address,
            f"+{TAGS}{name}:{_THEIRS}{name}",
            remote=True,
        )
        return who(process, object_id)
    except OutsideError:
        return ""


def who(process: GitProcess, object_id: str) -> str:
    """Who made a tag, when, and of which commit; of a lightweight tag whose commit it is on. Empty when it is not here."""
    answer = process.run("cat-file", "-p", object_id)
    if answer.status:
        return ""
    head = answer.text.partition("\n\n")[0]
    signed = _SIGNED.search(head)
    if signed is None:
        return ""
    day = datetime.fromtimestamp(min(max(int(signed["at"]), 0), 253_402_300_799), UTC).strftime("%Y-%m-%d %H:%M UTC")
    by = "".join(letter for letter in signed["who"] if letter.isprintable())[:200]
    target = re.search(r"^object ([0-9a-f]{40,64})$", head, re.MULTILINE)
    if head.startswith("object ") and target is not None:
        return f"{by} made it on {day} of commit {target[1][:10]}"
    return f"a lightweight tag on commit {object_id[:10]}, which {by} wrote on {day}"


def _resolved(process: GitProcess, name: str) -> str | None:
    """The object a full ref name stands for; callers pass checked names behind a `refs/...` prefix."""
    answer = process.run("rev-parse", "--verify", "--quiet", name)
    return answer.text.strip() if not answer.status else None
