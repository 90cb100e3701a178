"""The compose driver over ssh, with a real sshd on loopback: one life of a target on a host that is another machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.target import Health
from releaser.targets.hosts.shell import Shells
from tests.fakes.controller import GateError
from tests.fakes.docker_on_host import DockerOnHost
from tests.fakes.sshd import SshHost
from tests.targets.compose_world import ComposeWorld


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    made = SshHost(tmp_path / "sshd")
    yield made
    made.close()


def test_installed_updated_and_rolled_back_over_one_connection(
    host: SshHost, compose_world: ComposeWorld, compose_host: DockerOnHost
) -> None:
    shells = Shells(access=host.access(), connect_timeout_s=5)
    world = replace(compose_world, address=host.address, access=host.access(), shells=shells)
    docker = str(compose_host.folder / "bin" / "docker")
    spec = world.spec(docker=(docker,))
    hostile = 'it\'s "two" $HOME `x`\n; rm -rf *'
    # The fake's compose puts nothing in place of anything: what it reads is what it says.
    world.write(Path(spec.folder), {"environment": ["MODE=" + hostile, f"LONG={'x' * 140_000}"]})
    installed = world.installed("1.0", spec)
    assert world.containers(spec)[0]["Config"]["Env"][0] == "MODE=" + hostile, "every word arrives as it was written"
    update = world.update_of(installed, "1.1")
    world.controller().update(update)
    assert world.driver().observe(update).runs(update.desired)
    bad = replace(world.update_of(update.desired, "exits"), rollout=3, generation=3)
    with pytest.raises(GateError) as caught:
        world.controller().update(bad)
    assert caught.value.verdict.health is Health.EXITED
    assert "no configuration" in str(caught.value), "its last words are told"
    world.controller().roll_back(bad)
    assert world.driver().observe(bad).runs(update.desired)
    assert (len(world.containers(spec)), world.left_over(spec)) == (1, [])
    kept = Path(spec.folder) / ".releaser" / "web" / "base.yaml"
    assert kept.stat().st_mode & 0o077 == 0, "what the project holds is for its owner's eyes"
    shells.close()
