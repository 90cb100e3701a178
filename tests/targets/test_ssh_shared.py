"""Scripts of several targets over one connection to their host: one that takes too long, and a connection that hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from releaser.targets.hosts import shell as hosts_shell
from releaser.targets.hosts.shell import Shells
from releaser.targets.target import EngineTimeoutError
from tests.fakes.sshd import SshHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    made = SshHost(tmp_path)
    yield made
    made.close()


@pytest.fixture
def shells(host: SshHost) -> Iterator[Shells]:
    made = Shells(access=host.access(), connect_timeout_s=5)
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["the host is well", "the connection hangs"])
def test_script_that_takes_too_long_leaves_those_of_other_targets_at_that_host_to_their_end(
    host: SshHost, shells: Shells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(hosts_shell, "_SOON_S", 20 if kind == "the host is well" else 1)
    shell = shells.at(host.address)
    # The server's process of this connection is the parent of every script's.
    server = int(shell.run(["echo $PPID"], timeout_s=20).out)
    begun, go = tmp_path / "begun", tmp_path / "go"
    os.mkfifo(begun)
    os.mkfifo(go)
    opening = os.open(go, os.O_RDWR)  # so that it can be written whoever reads
    with ThreadPoolExecutor(max_workers=1) as others:
        other = others.submit(shell.run, [f"echo >{begun}", f"read -r _ <{go} || :", "echo done"], timeout_s=60)
        begun.read_bytes()
        try:
            if kind == "the connection hangs":
                os.kill(server, signal.SIGSTOP)
            with pytest.raises(EngineTimeoutError):
                shell.run(["sleep 30"], timeout_s=0.5)
            assert shell.run(["echo there"], timeout_s=20).out == "there\n", "the next one is not held up"
        finally:
            os.kill(server, signal.SIGCONT)
            os.write(opening, b"go\n")
        assert other.result().out == "done\n"
    os.close(opening)
    assert (int(shell.run(["echo $PPID"], timeout_s=20).out) == server) is (kind == "the host is well")
