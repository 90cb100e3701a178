"""An sshd on a host of the bed, which lets root in by one key.

In the host's folder `ssh` afterwards: the keys `user` (let in) and `stranger`, and the known hosts `known` and `changed` (another key).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from releaser.targets.hosts.shell import SshAccess
from tests import needs
from tests.testbed.host import Host
from tests.testbed.namespaces import members, run


class HostSsh:
    """How the host is reached over ssh."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.folder = host.folder / "ssh"

    @property
    def address(self) -> str:
        """`ssh://root@IP`."""
        return f"ssh://root@{self._host.ip}"

    def access(self, *, key: str = "user", known: str = "known") -> SshAccess:
        """`key` and `known` are files of the folder."""
        return SshAccess(key=self.folder / key, known_hosts=self.folder / known)

    def start(self) -> None:
        """Make keys unless they are there, and start sshd unless it runs."""
        if not self.folder.exists():
            self._make()
        if (held := self._host.holder()) is not None and next(members(held, named="sshd"), None) is None:
            sshd = needs.program("sshd", of="ssh")
            self._host.leave_running(sshd, "-D", "-e", "-f", str(self.folder / "sshd.conf"), log="sshd.log")

    def _make(self) -> None:
        self.folder.mkdir()
        for name in ("host", "user", "stranger"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        for known, key in (("known", "host"), ("changed", "stranger")):
            (self.folder / known).write_text(f"{self._host.ip} {_public(self.folder / key)}")
        (self.folder / "sshd.conf").write_text(
            f"Port 22\nListenAddress {self._host.ip}\nHostKey {self.folder / 'host'}\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder / 'authorized'}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nSetEnv HOME={self.folder}\n"
        )


def _public(key: Path) -> str:
    return key.with_suffix(".pub").read_text()
