"""The contract of the docker driver, kept on the fake engine and on a real one alike."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import HealthSpec, Order, PortBinding, Volume
from releaser.domain.target import Health, Phase, Role, Stop, planned_stop
from releaser.targets.target import (
    EngineUnreachableError,
    FencedError,
    ImageNotFoundError,
    InconsistentError,
    NameTakenError,
    NetworkNotFoundError,
    PortTakenError,
)
from tests.fakes.controller import GateError
from tests.targets.docker_world import PORT, World

ORDERS = pytest.mark.parametrize("order", list(Order))


def test_engine_there_check_names_product_and_version(world: World) -> None:
    assert world.driver().check(world.address).startswith("Docker 20.10")


def test_nobody_at_the_address_check_says_so(world: World) -> None:
    with pytest.raises(EngineUnreachableError) as caught:
        world.driver().check("unix:///tmp/there-is-no-engine-here.sock")
    assert not caught.value.permanent
    assert "/tmp/there-is-no-engine-here.sock" in str(caught.value)


def test_nothing_there_observation_is_empty(world: World) -> None:
    observed = world.driver().observe(world.assignment(world.desired("1.0", world.spec())))
    assert observed.serving is None
    assert observed.others == ()


@ORDERS
def test_first_installation_runs_what_is_wanted(world: World, order: Order) -> None:
    desired = world.desired("1.0", world.spec(order=order))
    assignment = world.assignment(desired)
    steps = world.driver().plan(desired=desired, previous=None)
    assert planned_stop(steps)[0] is Stop.NONE
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert observed.runs(desired)
    assert observed.serving is not None
    assert (observed.serving.role, observed.serving.version, observed.serving.generation) == (Role.SERVING, "1.0", 1)
    assert world.there(desired.spec.name) == {desired.spec.name: "running"}


def test_gate_passes_tells_the_address_it_really_asked(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    verdict = world.driver().verify(world.assignment(installed), wanted=installed)
    published = world.raw(installed.spec.name)["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"]
    assert verdict.health is Health.HEALTHY
    assert f"http://127.0.0.1:{published}/healthz answers 200" in verdict.reason


@ORDERS
def test_update_replaces_the_old_and_leaves_nothing_over(world: World, order: Order) -> None:
    port = free_port() if order is Order.STOP_FIRST else 0
    installed = world.installed("1.0", world.spec(port=port, order=order))
    assignment = world.update_of(installed, "1.1")
    steps = world.driver().plan(desired=assignment.desired, previous=installed)
    assert planned_stop(steps)[0] is (Stop.FULL if order is Order.STOP_FIRST else Stop.NONE)
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert observed.runs(assignment.desired)
    assert not observed.runs(installed)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def test_old_container_before_commit_is_kept_and_cannot_come_back_by_itself(world: World) -> None:
    installed = world.installed("1.0", world.spec(port=free_port()))
    assignment = world.update_of(installed, "1.1")
    controller = world.controller()
    for step in controller.plan(assignment):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, assignment, wanted=assignment.desired)
    observed = world.driver().observe(assignment)
    assert [(other.role, other.version, other.state) for other in observed.others] == [(Role.OLD, "1.0", "exited")]
    assert world.raw(observed.others[0].name)["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_engine_check_passes_gate_waits_for_it(world: World) -> None:
    desired = world.desired("1.2", world.spec(health=HealthSpec()))
    assignment = world.assignment(desired)
    controller = world.controller()
    controller.update(assignment)
    verdict = controller.gate(assignment, desired)
    assert "the engine's check passes" in verdict.reason
    assert not verdict.weak


def test_neither_check_nor_probe_gate_is_weak(world: World) -> None:
    desired = world.desired("1.0", world.spec(health=HealthSpec(stay_up_for_s=0.5)))
    assignment = world.assignment(desired)
    controller = world.controller()
    for step in controller.plan(assignment):
        controller.driver.apply(step, assignment)
    early = controller.driver.verify(assignment, wanted=desired)
    assert (early.health, early.weak) == (Health.STARTING, True)
    assert controller.gate(assignment, desired).weak


@ORDERS
@pytest.mark.parametrize("version", ["sick", "exits"])
def test_unhealthy_version_is_rolled_back_to_the_very_same_container(world: World, order: Order, version: str) -> None:
    port = free_port() if order is Order.STOP_FIRST else 0
    installed = world.installed("1.0", world.spec(port=port, order=order))
    before = world.raw(installed.spec.name)
    assignment = world.update_of(installed, version)
    with pytest.raises(GateError) as caught:
        # What ends is told as soon as the engine has seen it end; what is only sick, once there is no more time.
        world.controller(deadline_s=20.0 if version == "exits" else 0.3).update(assignment)
    if version == "exits":
        assert caught.value.verdict.health is Health.EXITED
        # A real engine may be seen between two of its restarts, when it tells no exit code of the last run.
        assert "exit code 3" in caught.value.verdict.reason or "was restarted" in caught.value.verdict.reason
        assert "no configuration" in caught.value.verdict.reason
    else:
        verdict, until = caught.value.verdict, time.monotonic() + 20
        while (
            "404" not in verdict.reason and time.monotonic() < until
        ):  # a busy machine takes its time until it listens
            verdict = world.driver().verify(assignment, wanted=assignment.desired)
        assert (verdict.health, "404" in verdict.reason) == (Health.STARTING, True), verdict.reason
    world.controller().roll_back(assignment)
    after = world.raw(installed.spec.name)
    assert after["Id"] == before["Id"]
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert world.driver().observe(assignment).runs(installed)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def test_engine_check_fails_verdict_is_final(world: World) -> None:
    health = HealthSpec(deadline_s=5)
    assignment = world.assignment(world.desired("sick-checked", world.spec(health=health)))
    with pytest.raises(GateError) as caught:
        world.controller().update(assignment)
    assert caught.value.verdict.health is Health.UNHEALTHY
    assert "check" in caught.value.verdict.reason
    assert "\x1b" not in caught.value.verdict.reason


def test_first_installation_fails_roll_back_leaves_nothing(world: World) -> None:
    assignment = world.assignment(world.desired("exits", world.spec()))
    with pytest.raises(GateError):
        world.controller().update(assignment)
    world.controller().roll_back(assignment)
    assert world.there(assignment.desired.spec.name) == {}


def test_image_missing_in_registry_fails_in_prepare_and_touches_nothing(world: World) -> None:
    installed = world.installed("1.0", world.spec(port=free_port()))
    assignment = world.update_of(installed, "absent")
    with pytest.raises(ImageNotFoundError) as caught:
        world.controller().update(assignment)
    assert caught.value.permanent
    assert assignment.desired.reference in str(caught.value)
    assert world.driver().observe(assignment).runs(installed)


def test_unknown_network_fails_in_prepare_with_the_command_that_mends_it(world: World) -> None:
    assignment = world.assignment(world.desired("1.0", world.spec(networks=("no-such-network",))))
    assert "docker network create no-such-network" in world.driver().observe(assignment).warning, "a plan tells it"
    with pytest.raises(NetworkNotFoundError, match="docker network create no-such-network"):
        world.controller().update(assignment)


def test_port_taken_by_another_target_says_which_port(world: World) -> None:
    port = free_port()
    world.installed("1.0", world.spec(port=port))
    assignment = world.assignment(world.desired("1.0", world.spec(port=port)))
    with pytest.raises(PortTakenError) as caught:
        world.controller().update(assignment)
    assert caught.value.facts["port"] == port
    assert caught.value.permanent
    world.controller().roll_back(assignment)
    assert world.there(assignment.desired.spec.name) == {}


def test_name_of_another_target_is_refused_in_prepare(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = replace(world.assignment(installed), target="another-target")
    with pytest.raises(NameTakenError, match=f"target-{installed.spec.name}"):
        world.controller().update(assignment)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def test_younger_generation_found_older_controller_is_fenced_off(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    younger = world.update_of(installed, "1.1")
    world.controller().update(younger)
    older = replace(younger, generation=1, rollout=3)
    step = world.driver().plan(desired=older.desired, previous=installed)[1]
    with pytest.raises(FencedError) as caught:
        world.driver().apply(step, older)
    assert caught.value.facts["found"] == 2
    with pytest.raises(FencedError):
        world.driver().observe(older)


def test_container_from_before_us_is_replaced_and_comes_back_as_it_was(world: World) -> None:
    spec = world.spec()
    host = {"RestartPolicy": {"Name": "always"}}
    container_id = world.by_hand(spec.name, "1.0", {"HostConfig": host, "Labels": {"made": "by hand"}})
    assignment = world.assignment(world.desired("1.1", spec))
    observed = world.driver().observe(assignment)
    assert observed.serving is not None
    assert (observed.serving.digest, observed.serving.config_hash) == (world.digests["1.0"], None)
    controller = world.controller()
    steps = [step for step in controller.plan(assignment) if step.phase is not Phase.COMMIT]
    assert planned_stop(steps)[0] is Stop.FULL
    for step in steps:
        controller.carry_out(step, assignment, wanted=assignment.desired)
    controller.roll_back(assignment)
    raw = world.raw(spec.name)
    assert raw["Id"] == container_id
    assert raw["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert raw["State"]["Status"] == "running"
    assert world.there(spec.name) == {spec.name: "running"}


def test_container_from_before_us_after_commit_is_gone(world: World) -> None:
    spec = world.spec()
    world.by_hand(spec.name, "1.0", {})
    assignment = world.assignment(world.desired("1.1", spec))
    world.controller().update(assignment)
    assert world.driver().observe(assignment).runs(assignment.desired)
    assert world.there(spec.name) == {spec.name: "running"}


def test_container_from_before_us_that_restarts_for_ever_is_replaced(world: World) -> None:
    spec = world.spec()
    world.by_hand(spec.name, "exits", {"HostConfig": {"RestartPolicy": {"Name": "always"}}})
    assignment = world.assignment(world.desired("1.1", spec))
    world.controller().update(assignment)
    assert world.driver().observe(assignment).runs(assignment.desired)
    assert world.there(spec.name) == {spec.name: "running"}


def test_container_that_would_vanish_when_stopped_is_refused_in_prepare(world: World) -> None:
    spec = world.spec()
    world.by_hand(spec.name, "1.0", {"HostConfig": {"AutoRemove": True}})
    with pytest.raises(InconsistentError, match="--rm"):
        world.controller().update(world.assignment(world.desired("1.1", spec)))
    assert world.there(spec.name) == {spec.name: "running"}


@ORDERS
def test_old_container_removed_by_hand_is_made_again_as_recorded(world: World, order: Order) -> None:
    port = free_port() if order is Order.STOP_FIRST else 0
    installed = world.installed("1.0", world.spec(port=port, order=order))
    assignment = world.update_of(installed, "sick")
    with pytest.raises(GateError):
        world.controller(deadline_s=0.2).update(assignment)
    old = next(name for name in world.there(installed.spec.name) if ".new-" not in name and _is_old(world, name))
    world.remove_by_hand(old)
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def _is_old(world: World, name: str) -> bool:
    return bool(world.raw(name)["Config"]["Labels"]["releaser.rollout"] == "1")


def test_unknown_old_container_removed_by_hand_is_for_a_person(world: World) -> None:
    spec = world.spec()
    world.by_hand(spec.name, "1.0", {})
    assignment = world.assignment(world.desired("sick", spec))
    with pytest.raises(GateError):
        world.controller(deadline_s=0.2).update(assignment)
    world.remove_by_hand(f"{spec.name}.old-1-1")
    with pytest.raises(InconsistentError, match=spec.name):
        world.controller().roll_back(assignment)


@ORDERS
def test_every_step_done_twice_by_a_new_controller_comes_out_the_same(world: World, order: Order) -> None:
    port = free_port() if order is Order.STOP_FIRST else 0
    installed = world.installed("1.0", world.spec(port=port, order=order))
    assignment = world.update_of(installed, "1.1")
    for step in world.controller().plan(assignment):
        world.driver().apply(step, assignment)
        world.controller().carry_out(step, assignment, wanted=assignment.desired)
    assert world.driver().observe(assignment).runs(assignment.desired)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


@ORDERS
def test_killed_after_any_step_roll_back_done_twice_restores_the_old(world: World, order: Order) -> None:
    port = free_port() if order is Order.STOP_FIRST else 0
    installed = world.installed("1.0", world.spec(port=port, order=order))
    before = world.raw(installed.spec.name)["Id"]
    first = world.update_of(installed, "1.1")
    steps = [step for step in world.controller().plan(first) if step.phase is not Phase.COMMIT]
    for done in range(1, len(steps) + 1):
        assignment = replace(first, rollout=1 + done, generation=1 + done)
        controller = world.controller()
        for step in steps[:done]:
            controller.driver.apply(step, assignment)
        for step in world.driver().plan_back(desired=assignment.desired, previous=installed):
            world.driver().apply(step, assignment)
            world.controller().carry_out(step, assignment, wanted=installed)
        raw = world.raw(installed.spec.name)
        assert raw["Id"] == before
        assert raw["HostConfig"]["RestartPolicy"]["Name"] == "always"
        assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def test_retry_after_an_attempt_that_was_left_alone_goes_from_the_recorded_one(world: World) -> None:
    installed = world.installed("1.0", world.spec(port=free_port()))
    first = world.update_of(installed, "exits")
    with pytest.raises(GateError):
        world.controller().update(first)
    second = replace(first, attempt=2, desired=world.desired("1.1", installed.spec))
    with pytest.raises(GateError):
        world.controller().update(replace(second, desired=first.desired))
    world.controller().roll_back(replace(second, desired=first.desired))
    third = replace(second, attempt=3)
    assert world.driver().observe(third).runs(installed)
    world.controller().update(third)
    assert world.driver().observe(third).runs(third.desired)
    assert world.there(installed.spec.name) == {installed.spec.name: "running"}


def test_target_renamed_between_releases_moves_to_its_new_name(world: World) -> None:
    installed = world.installed("1.0", world.spec(port=free_port()))
    before = world.assignment(installed)
    assignment = replace(world.update_of(installed, "1.1", name=installed.spec.name + "-renamed"), target=before.target)
    world.controller().update(assignment)
    assert world.there(installed.spec.name) == {}
    assert world.there(assignment.desired.spec.name) == {assignment.desired.spec.name: "running"}


def test_everything_declared_is_what_the_container_has(world: World) -> None:
    spec = world.spec(
        environment={"GREETING": "good day"},
        labels={"made-for": "the test", "releaser.target": "not yours to set"},
        volumes=(Volume(source="/tmp", target="/outside", read_only=True),),
        user="0",
        restart="on-failure:3",
        memory_mb=64,
        cpus=0.5,
        health=HealthSpec(command=("/bin/busybox", "true"), interval_s=0.5, timeout_s=1.5),
    )
    spec = replace(spec, ports=(*spec.ports, PortBinding(container_port=PORT + 1, host_port=free_port())))
    world.installed("1.0", spec)
    raw = world.raw(spec.name)
    config, host = raw["Config"], raw["HostConfig"]
    assert "GREETING=good day" in config["Env"]
    assert (config["User"], config["StopTimeout"]) == ("0", 3)
    assert config["Labels"]["made-for"] == "the test"
    assert config["Labels"]["releaser.target"] == f"target-{spec.name}"
    check = {key: config["Healthcheck"][key] for key in ("Test", "Interval", "Timeout")}
    assert check == {"Test": ["CMD", "/bin/busybox", "true"], "Interval": 5e8, "Timeout": 15e8}
    assert host["Binds"] == ["/tmp:/outside:ro"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert (host["Memory"], host["NanoCpus"]) == (64 * 1024 * 1024, 500_000_000)
    assert host["PortBindings"][f"{PORT + 1}/tcp"] == [
        {"HostIp": "127.0.0.1", "HostPort": str(spec.ports[1].host_port)}
    ]


def test_renamed_by_hand_behind_its_cutover_it_gets_its_name_back_and_nothing_is_left_over(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    name, update = installed.spec.name, world.update_of(installed, "1.1")
    controller = world.controller()
    steps = controller.plan(update)
    for step in steps[:-1]:
        controller.carry_out(step, update, wanted=update.desired)
    engine = world.engine()
    engine.rename(name, f"{name}.mine")
    engine.close()
    assert steps[-1].name == "remove-old"
    controller.carry_out(steps[-1], update, wanted=update.desired)
    assert world.there(name) == {name: "running"}
    assert world.driver().observe(update).runs(update.desired)
