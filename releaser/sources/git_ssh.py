"""How git reaches a remote over ssh, where this service has a key or known hosts of its own.

The command is made here, of words that are quoted: no setting's value can become an option or another command. Without a setting
nothing is said, and ssh's own configuration and the service's `GIT_SSH_COMMAND` hold.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

_NOBODY_IS_ASKED = ("BatchMode=yes", "ServerAliveInterval=15", "ServerAliveCountMax=4")


def ssh_surroundings(*, key: Path | None, known_hosts: Path | None) -> Mapping[str, str]:
    """What to add to git's environment; nothing when neither is given."""
    if key is None and known_hosts is None:
        return {}
    options = list(_NOBODY_IS_ASKED)
    words = ["ssh"]
    if key is not None:
        options.append("IdentitiesOnly=yes")
        words += ["-i", str(key.absolute())]
    if known_hosts is not None:
        options += [f"UserKnownHostsFile={_quoted(known_hosts.absolute())}", "StrictHostKeyChecking=yes"]
    words += [part for option in options for part in ("-o", option)]
    return {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}


def _quoted(path: Path) -> str:
    """A path as a value in ssh's own syntax, which splits at blanks."""
    return f'"{path}"'
