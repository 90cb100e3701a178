"""How a repository names its objects: by SHA-1, or by SHA-256 as the remote does. A mirror takes over what its remote has."""

from __future__ import annotations

import re

from releaser.sources.git_process import GitProcess

_MISMATCH = re.compile(r"mismatched algorithms: client (?:sha1|sha256); server (sha1|sha256)\b")


def adopted(process: GitProcess, errors: str) -> bool:
    """Whether git complained that the remote names objects otherwise, and our mirror, being empty, does so too from now on."""
    found = _MISMATCH.search(errors)
    if found is None or process.ask_lines("for-each-ref", "--count=1", "--format=%(refname)"):
        return False
    if found[1] == "sha1":
        process.run("config", "--unset", "extensions.objectformat")
    else:
        process.ask("config", "core.repositoryformatversion", "1")
        process.ask("config", "extensions.objectformat", found[1])
    return True
