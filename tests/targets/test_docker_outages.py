"""An engine or a registry that hangs, vanishes or lies: every call ends in time, with an error that says what it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.demo.engine import PrivateEngine
from releaser.domain.target import Health
from releaser.errors import InvalidError, OutsideError
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.target import (
    DiskFullError,
    EngineRefusedError,
    EngineTimeoutError,
    EngineUnreachableError,
    ImageNotFoundError,
    RegistryUnreachableError,
)
from tests.fakes.engine import Effect, FakeEngine, Fault, When
from tests.targets.docker_world import World


def test_engine_hangs_call_ends_in_time_and_what_was_asked_is_found_later(
    fake_world: World, fake_engine: FakeEngine
) -> None:
    installed = fake_world.installed("1.0", fake_world.spec())
    assignment = fake_world.update_of(installed, "1.1")
    driver = fake_world.driver(control_timeout_s=0.3)
    pull, create, *rest = driver.plan(desired=assignment.desired, previous=installed)
    driver.apply(pull, assignment)
    fake_engine.fail(Fault(kind="create", effect=Effect.HANG, when=When.AFTER))
    began = time.monotonic()
    with pytest.raises(EngineTimeoutError) as caught:
        driver.apply(create, assignment)
    assert time.monotonic() - began < 5, "it is waited for much longer than was allowed"
    assert not caught.value.permanent
    fake_engine.release()
    assert "is there already" in driver.apply(create, assignment)
    for step in rest:
        driver.apply(step, assignment)
    assert driver.observe(assignment).runs(assignment.desired)


def test_pull_hangs_other_calls_still_work_and_the_pull_ends_in_time(
    fake_world: World, fake_engine: FakeEngine
) -> None:
    assignment = fake_world.assignment(fake_world.desired("1.0", fake_world.spec()))
    driver = fake_world.driver(pull_timeout_s=0.4)
    pull = driver.plan(desired=assignment.desired, previous=None)[0]
    fake_engine.fail(Fault(kind="pull", effect=Effect.HANG))
    raised: list[BaseException] = []

    def pulling() -> None:
        try:
            driver.apply(pull, assignment)
        except OutsideError as error:
            raised.append(error)

    thread = threading.Thread(target=pulling)
    thread.start()
    assert driver.observe(assignment).serving is None
    thread.join(timeout=20)
    assert [type(error) for error in raised] == [EngineTimeoutError]


def test_engine_dies_it_is_unreachable_until_it_is_back(fake_world: World, fake_engine: FakeEngine) -> None:
    installed = fake_world.installed("1.0", fake_world.spec(restart="always"))
    assignment = fake_world.update_of(installed, "1.1")
    driver = fake_world.driver()
    driver.observe(assignment)
    fake_engine.kill()
    with pytest.raises(EngineUnreachableError) as caught:
        driver.observe(assignment)
    assert not caught.value.permanent
    fake_engine.revive()
    assert driver.observe(assignment).runs(installed)


def test_registry_down_error_is_worth_a_repeat(fake_world: World, fake_engine: FakeEngine) -> None:
    fake_engine.registry_down = True
    assignment = fake_world.assignment(fake_world.desired("1.0", fake_world.spec()))
    with pytest.raises(RegistryUnreachableError) as caught:
        fake_world.controller().update(assignment)
    assert not caught.value.permanent


def test_disk_full_says_so(fake_world: World, fake_engine: FakeEngine) -> None:
    message = "write /var/lib/docker/tmp/GetImageBlob1: no space left on device"
    fake_engine.fail(Fault(kind="pull", effect=Effect.REFUSE, message=message))
    assignment = fake_world.assignment(fake_world.desired("1.0", fake_world.spec()))
    with pytest.raises(DiskFullError):
        fake_world.controller().update(assignment)


def test_image_withdrawn_but_on_the_host_is_used(fake_world: World, fake_engine: FakeEngine) -> None:
    fake_world.installed("1.0", fake_world.spec())
    fake_engine.registry_down = True
    fake_world.installed("1.0", fake_world.spec())


def test_stale_tag_of_that_name_on_the_host_does_not_stand_in(fake_world: World, fake_engine: FakeEngine) -> None:
    """The host has another image of the repository; what is wanted is a digest that the registry does not have."""
    installed = fake_world.installed("1.0", fake_world.spec())
    assignment = fake_world.update_of(installed, "absent")
    step = fake_world.driver().plan(desired=assignment.desired, previous=installed)[0]
    with pytest.raises(ImageNotFoundError):
        fake_world.driver().apply(step, assignment)


def test_runtime_refuses_to_start_error_is_permanent(fake_world: World, fake_engine: FakeEngine) -> None:
    message = 'OCI runtime create failed: exec: "/nothing": stat /nothing: no such file or directory: unknown'
    fake_engine.fail(Fault(kind="start", effect=Effect.REFUSE, message=message))
    assignment = fake_world.assignment(fake_world.desired("1.0", fake_world.spec()))
    with pytest.raises(EngineRefusedError) as caught:
        fake_world.controller().update(assignment)
    assert caught.value.permanent


@pytest.mark.parametrize(
    "told",
    [
        "cannot update a stopped container: unknown",
        "runc did not terminate successfully: exit status 1: container not running : unknown",
    ],
)
def test_container_ends_while_its_restart_is_switched_off_the_update_goes_on(
    fake_world: World, fake_engine: FakeEngine, told: str
) -> None:
    installed = fake_world.installed("1.0", fake_world.spec())
    for _ in range(2):  # the engine takes a moment to notice
        fake_engine.fail(Fault(kind="update", effect=Effect.REFUSE, message=f"Cannot update container 1: {told}"))
    assignment = fake_world.update_of(installed, "1.1")
    fake_world.controller().update(assignment)
    assert fake_engine.faults == []
    assert fake_world.driver().observe(assignment).runs(assignment.desired)


def test_somebody_pauses_the_new_one_verdict_is_unhealthy(fake_world: World, fake_engine: FakeEngine) -> None:
    spec = fake_world.spec()
    installed = fake_world.installed("1.0", spec)
    container = fake_engine.named(spec.name)
    assert container is not None
    container.status = "paused"
    verdict = fake_world.driver().verify(fake_world.assignment(installed), wanted=installed)
    assert (verdict.health, "paused" in verdict.reason) == (Health.UNHEALTHY, True)


def test_other_image_under_our_labels_verdict_is_unhealthy(fake_world: World, fake_engine: FakeEngine) -> None:
    spec = fake_world.spec()
    installed = fake_world.installed("1.0", spec)
    container = fake_engine.named(spec.name)
    assert container is not None
    container.raw["Image"] = f"{fake_world.repository}@{fake_world.digests['1.1']}"
    verdict = fake_world.driver().verify(fake_world.assignment(installed), wanted=installed)
    assert verdict.health is Health.UNHEALTHY
    assert fake_world.digests["1.1"] in verdict.reason


def test_configuration_other_than_wanted_verdict_is_unhealthy(fake_world: World) -> None:
    spec = fake_world.spec()
    installed = fake_world.installed("1.0", spec)
    other = replace(installed, spec=replace(spec, environment={"MODE": "other"}))
    verdict = fake_world.driver().verify(fake_world.assignment(other), wanted=other)
    assert (verdict.health, "configuration" in verdict.reason) == (Health.UNHEALTHY, True)


@pytest.mark.parametrize("address", ["", "docker.sock", "http://127.0.0.1:2375", "unix:/x"])
def test_malformed_address_is_refused_with_the_right_form(fake_world: World, address: str) -> None:
    with pytest.raises(InvalidError, match="unix:///path"):
        fake_world.driver().check(address)


@pytest.fixture
def own_engine(docker_programs: None, tmp_path: Path) -> Iterator[PrivateEngine]:
    """A real engine that a test may break."""
    with PrivateEngine(tmp_path / "engine") as engine:
        yield engine


def _is_unreachable(driver: DockerDriver, address: str) -> bool:
    try:
        driver.check(address)
    except EngineUnreachableError:
        return True
    return False


def test_real_daemon_frozen_and_killed_calls_end_in_time_and_work_afterwards(
    own_engine: PrivateEngine, fake_world: World
) -> None:
    driver = fake_world.driver(control_timeout_s=0.5)
    assert driver.check(own_engine.address).startswith("Docker")
    own_engine.freeze()
    began = time.monotonic()
    with pytest.raises(EngineTimeoutError):
        driver.check(own_engine.address)
    assert time.monotonic() - began < 5, "it is waited for much longer than was allowed"
    own_engine.thaw()
    assert driver.check(own_engine.address)
    own_engine.kill_daemon()
    # A call that is quicker than the signal is answered still.
    assert any(_is_unreachable(driver, own_engine.address) for _ in range(500))
    own_engine.wait_ready()
    assert driver.check(own_engine.address)
