"""Real remotes on loopback: a bare repository reached by `file://`, by `git daemon`, and by ssh. They can be made to misbehave."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from releaser.demo.ports import free_port
from releaser.sources.git import GitRepositories
from tests import needs
from tests.fakes.git_world import GitWorld

STARTS_IN_S = 20.0


class Remote:
    """A bare repository over `file://`. `repositories` reach it within `answers_in_s` seconds or give up."""

    kind = "file"

    def __init__(self, world: GitWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """How it is reached."""
        return f"file://{self.world.folder}"

    def repositories(self, *, answers_in_s: float = 30.0) -> GitRepositories:
        """Who reaches it."""
        return GitRepositories(answers_in_s=answers_in_s)

    def settings(self) -> dict[str, str]:
        """The settings that reach it."""
        return {}

    def hook(self, text: str) -> None:
        """What the remote does before it takes a push: a shell script that ends with 0 to take it."""
        file = self.world.folder / "hooks" / "pre-receive"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def unhook(self) -> None:
        """Take every push again."""
        (self.world.folder / "hooks" / "pre-receive").unlink()

    def close(self) -> None:
        """End what serves it."""


class _Served(Remote):
    """A remote behind a server process of its own."""

    def __init__(self, world: GitWorld, folder: Path) -> None:
        super().__init__(world, folder)
        self.port = free_port()
        with (folder / f"{self.kind}.log").open("ab") as log:
            self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        self._wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), timeout=1).close())

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _wait_for(self, knock: Callable[[], None]) -> None:
        ends = time.monotonic() + STARTS_IN_S
        while True:
            try:
                knock()
            except OSError:
                assert self.process.poll() is None, (self.folder / f"{self.kind}.log").read_text()
                assert time.monotonic() < ends, f"{self.kind} does not begin to listen"
                time.sleep(0.02)  # nothing tells when a process begins to listen
            else:
                return

    def stop(self) -> None:
        """Take connections and never say a word."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Wake it again."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server and everything it started."""
        for number in (signal.SIGCONT, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
        self.process.wait()


class DaemonRemote(_Served):
    """The repository over `git daemon`, which knows nobody and lets everybody push."""

    kind = "git"

    def _command(self) -> list[str]:
        return [
            "git",
            "daemon",
            "--export-all",
            "--enable=receive-pack",
            "--reuseaddr",
            "--listen=127.0.0.1",
            f"--port={self.port}",
            f"--base-path={self.world.folder.parent}",
        ]

    @property
    def address(self) -> str:
        return f"git://127.0.0.1:{self.port}/{self.world.folder.name}"

    def repositories(self, *, answers_in_s: float = 30.0) -> GitRepositories:
        return GitRepositories(protocols=("file", "git"), answers_in_s=answers_in_s)

    def settings(self) -> dict[str, str]:
        return {"RELEASER_GIT_PROTOCOLS": "file,git"}


class SshRemote(_Served):
    """The repository over an sshd of its own: its configuration, host key and one allowed key lie in `folder`."""

    kind = "ssh"

    def _command(self) -> list[str]:
        sshd = needs.program("sshd", of="ssh")
        for name in ("host", "user", "stranger"):
            key = self.folder / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        public = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {public}")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = self.folder / "sshd.conf"
        configuration.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder / 'host'}\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder / 'authorized'}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n"
            "KexAlgorithms curve25519-sha256\n"
        )
        return [sshd, "-D", "-e", "-f", str(configuration)]

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.world.folder}"

    def repositories(self, *, answers_in_s: float = 30.0, key: str = "user", known: str = "known") -> GitRepositories:
        """`key` and `known` are files of the folder."""
        return GitRepositories(
            answers_in_s=answers_in_s, ssh_key=self.folder / key, ssh_known_hosts=self.folder / known
        )

    def settings(self) -> dict[str, str]:
        return {
            "RELEASER_SSH_KEY": str(self.folder / "user"),
            "RELEASER_SSH_KNOWN_HOSTS": str(self.folder / "known"),
        }


KINDS: dict[str, type[Remote]] = {one.kind: one for one in (Remote, DaemonRemote, SshRemote)}
