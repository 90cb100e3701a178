"""A real sshd on loopback that lets this user in by a key of its own: hosts for what is done over ssh."""

from __future__ import annotations

import getpass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from releaser.targets.hosts.shell import SshAccess
from tests.fakes.remotes import SshRemote


class SshHost(SshRemote):
    """This machine as another one, reached over ssh. `stop` and `go_on` freeze and thaw it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(cast("Any", SimpleNamespace(folder=folder)), folder)

    def _command(self) -> list[str]:
        """With a home of its own, so that what the user's shell reads at its start neither slows nor changes anything."""
        words = super()._command()
        with (self.folder / "sshd.conf").open("a") as file:
            file.write(f"SetEnv HOME={self.folder}\n")
        return words

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def access(self, *, key: str = "user", known: str = "known") -> SshAccess:
        """`key` and `known` are files of the folder."""
        return SshAccess(key=self.folder / key, known_hosts=self.folder / known)
