"""The files driver over ssh, with a real sshd on loopback: one life of a target, and everything that can be wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.target import Health
from releaser.errors import InvalidError
from releaser.targets.hosts.shell import Shell, Shells
from releaser.targets.target import EngineRefusedError, EngineTimeoutError, EngineUnreachableError
from tests.fakes.controller import GateError
from tests.fakes.sshd import SshHost
from tests.targets.files_world import FilesWorld


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    made = SshHost(tmp_path_factory.mktemp("sshd"))
    yield made
    made.close()


def shell(host: SshHost, *, key: str = "user", known: str = "known", address: str = "") -> Shell:
    access = host.access(key=key, known=known)
    return Shell(address or host.address, access=access, sockets=None, connect_timeout_s=5)


def test_installed_updated_and_rolled_back_over_one_connection(host: SshHost, tmp_path: Path) -> None:
    shells = Shells(access=host.access(), connect_timeout_s=5)
    world = FilesWorld(folder=tmp_path, address=host.address, access=host.access(), shells=shells)
    said = world.driver().check(world.address)
    assert said.startswith("Linux")
    spec = world.spec()
    installed = world.installed("1.0", spec)
    update = world.assignment(
        world.desired("1.1", world.configured(spec, 'it\'s "two" $HOME `x`\n; rm -rf *')), installed, rollout=2
    )
    world.controller().update(update)
    assert world.running(spec) == ("1.1", 'it\'s "two" $HOME `x`\n; rm -rf *'), "every word arrives as it was written"
    bad = replace(world.assignment(world.desired("exits", spec), update.desired, rollout=3))
    with pytest.raises(GateError) as caught:
        world.controller().update(bad)
    assert caught.value.verdict.health is Health.EXITED
    world.controller().roll_back(bad)
    assert world.driver().observe(bad).runs(update.desired)
    assert world.left_over(spec) == []
    shells.close()


def test_host_with_another_key_than_known_is_refused_for_good(host: SshHost) -> None:
    (host.folder / "wrong").write_text(
        (host.folder / "known").read_text().split()[0] + " " + (host.folder / "stranger.pub").read_text()
    )
    with pytest.raises(EngineRefusedError, match="is not the known one") as caught:
        shell(host, known="wrong").run(["true"], timeout_s=20)
    assert caught.value.permanent
    (host.folder / "nobody").write_text("")
    with pytest.raises(EngineRefusedError, match="is not the known one"):
        shell(host, known="nobody").run(["true"], timeout_s=20)


def test_key_that_is_not_let_in_is_told_and_nobody_is_asked_for_a_password(host: SshHost) -> None:
    with pytest.raises(EngineRefusedError, match="does not let us in") as caught:
        shell(host, key="stranger").run(["true"], timeout_s=20)
    assert "authorized_keys" in caught.value.advice


def test_frozen_host_times_out_and_is_reached_again_after_the_thaw(host: SshHost) -> None:
    one = shell(host)
    host.stop()
    try:
        with pytest.raises((EngineTimeoutError, EngineUnreachableError)) as caught:
            one.run(["true"], timeout_s=0.3)
        assert not caught.value.permanent
    finally:
        host.go_on()
    assert one.run(["echo there"], timeout_s=20).out == "there\n"


def test_connection_that_breaks_off_in_a_script_is_told_as_such(host: SshHost) -> None:
    # The server's process of this connection is the parent of the script's.
    with pytest.raises(EngineUnreachableError) as caught:
        shell(host).run(["read -r _ _ _ parent _ </proc/$PPID/stat", "kill -9 $PPID", "sleep 5"], timeout_s=20)
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://a b",
        "ssh://host/path",
        "ssh://u@-h",
        "ssh://host:1:2",
        "local://x",
        "ssh://h;x",
    ],
)
def test_address_that_could_be_an_option_is_no_address(address: str, host: SshHost) -> None:
    with pytest.raises(InvalidError, match="is not an address"):
        shell(host, address=address)
