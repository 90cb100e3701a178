"""The files driver with a real systemd: what it says of a service is what the gate goes by."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import ConfigurationFile, FilesSpec, HealthSpec, ServiceSpec
from releaser.domain.target import Health
from releaser.targets.files.driver import FilesDriver
from releaser.targets.probe import http_probe
from tests import needs
from tests.fakes.controller import GateError
from tests.fakes.systemd import Systemd
from tests.targets.files_world import FilesWorld, archive

SERVE = """cd "${0%/bin/run}" && exec busybox httpd -f -p 127.0.0.1:PORT -h ."""


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    made = Systemd(tmp_path_factory.mktemp("manager"))
    yield made
    made.close()


class SystemdWorld(FilesWorld):
    """Releases that are real services: `bin/run` of the release is what the unit starts."""

    def driver(self, **settings: Any) -> FilesDriver:  # noqa: ANN401 -- passed on
        return super().driver(probe=http_probe, **settings)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FilesWorld]:
    needs.program("busybox", of="busybox")
    made = SystemdWorld(folder=tmp_path)
    yield made
    made.close()


def spec_of(world: FilesWorld, systemd: Systemd, **more: Any) -> FilesSpec:  # noqa: ANN401 -- passed on
    """A target with a unit and a port of its own, and its versions."""
    port = free_port()
    spec = world.spec(health=HealthSpec(http=f"http://127.0.0.1:{port}/VERSION", timeout_s=2, deadline_s=20))
    serve = SERVE.replace("PORT", str(port))
    for version in ("1.0", "1.1"):
        world.offer(version, archive(version, **{"bin/run": serve}))
    world.offer("exits", archive("exits", **{"bin/run": "echo no configuration >&2; exit 3"}))
    world.offer("deaf", archive("deaf", **{"bin/run": f"trap '' TERM; {serve.replace('exec ', '')}"}))
    systemd.unit(spec.name, Path(spec.root) / "current" / "bin" / "run")
    return replace(spec, service=ServiceSpec(systemctl=systemd.systemctl), **more)


def test_updated_under_systemd_another_process_serves_the_new_version(world: FilesWorld, systemd: Systemd) -> None:
    spec = spec_of(world, systemd)
    installed = world.installed("1.0", spec)
    before = systemd.run("show", "-p", "MainPID", "--value", spec.name)
    update = world.update_of(installed, "1.1")
    world.controller().update(update)
    observed = world.driver().observe(update)
    assert observed.runs(update.desired)
    assert observed.serving is not None
    assert "active (running" in observed.serving.state
    assert systemd.run("show", "-p", "MainPID", "--value", spec.name) not in {before, "0"}
    verdict = world.driver().verify(update, wanted=update.desired)
    assert (verdict.health, verdict.weak) == (Health.HEALTHY, False)


def test_version_that_exits_is_told_with_its_code_and_rolled_back(world: FilesWorld, systemd: Systemd) -> None:
    spec = spec_of(world, systemd)
    installed = world.installed("1.0", spec)
    update = world.update_of(installed, "exits")
    with pytest.raises(GateError) as caught:
        world.controller().update(update)
    assert caught.value.verdict.health is Health.EXITED
    # It may be seen between two of its restarts, when systemd tells nothing of the last run.
    assert "exit code 3" in caught.value.verdict.reason or "was restarted" in caught.value.verdict.reason
    world.controller().roll_back(update)
    assert world.driver().observe(update).runs(installed)
    assert world.left_over(spec) == []


def test_service_that_dies_after_its_start_was_restarted_and_is_no_longer_healthy(
    world: FilesWorld, systemd: Systemd
) -> None:
    spec = spec_of(world, systemd)
    installed = world.installed("1.0", spec)
    update = world.update_of(installed, "1.1")
    controller = world.controller()
    for step in controller.plan(update)[:-1]:
        controller.carry_out(step, update, wanted=update.desired)
    os.kill(int(systemd.run("show", "-p", "MainPID", "--value", spec.name)), signal.SIGKILL)
    ends = time.monotonic() + 10
    while (verdict := world.driver().verify(update, wanted=update.desired)).health in {Health.HEALTHY, Health.STARTING}:
        assert time.monotonic() < ends, "the restart is never told"
    assert verdict.health is Health.EXITED
    world.controller().roll_back(update)
    assert world.driver().observe(update).runs(installed)


def test_service_that_does_not_stop_is_killed_after_its_grace(world: FilesWorld, systemd: Systemd) -> None:
    spec = spec_of(world, systemd, stop_grace_s=1)
    installed = world.installed("deaf", spec)
    update = world.update_of(installed, "1.1")
    world.controller().update(update)
    assert world.driver().observe(update).runs(update.desired)


def test_unit_among_the_files_is_read_anew_and_put_back_by_a_roll_back(world: FilesWorld, systemd: Systemd) -> None:
    spec = spec_of(world, systemd)
    path = systemd.units / f"{spec.name}.service"
    unit = path.read_text()

    def with_unit(text: str) -> FilesSpec:
        return replace(spec, configuration=(ConfigurationFile(path=str(path), content=text),))

    installed = world.installed("1.0", with_unit(unit))
    update = world.assignment(world.desired("1.0", with_unit(unit + "Environment=MODE=new\n")), installed, rollout=2)
    world.controller().update(update)
    assert systemd.run("show", "-p", "Environment", "--value", spec.name) == "MODE=new"
    bad = world.assignment(
        world.desired("exits", with_unit(unit + "Environment=MODE=bad\n")), update.desired, rollout=3
    )
    with pytest.raises(GateError):
        world.controller().update(bad)
    world.controller().roll_back(bad)
    assert systemd.run("show", "-p", "Environment", "--value", spec.name) == "MODE=new"
    assert world.driver().observe(bad).runs(update.desired)


def test_unit_that_systemd_does_not_know_is_told(world: FilesWorld, systemd: Systemd) -> None:
    spec = spec_of(world, systemd)
    spec = replace(spec, service=replace(spec.service, unit="nothing-such"))
    with pytest.raises(Exception, match="nothing-such") as caught:
        world.installed("1.0", spec)
    assert "not found" in str(caught.value) or "no such unit" in str(caught.value)
