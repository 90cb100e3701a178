"""A single container with a fixed port, handed over in each way there is, on the fake engine and on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import ContainerSpec, Cutover, HealthSpec, Order, PortBinding, of_kind
from releaser.domain.target import Assignment, Desired, Phase, Stop, planned_stop
from releaser.errors import OutsideError
from releaser.targets.docker.cutover import WARM
from releaser.targets.docker.steps import plan
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, FakeEngine, Fault, When
from tests.sampled import some
from tests.targets.docker_world import PORT, World

SWAP: dict[str, Any] = {
    "cutover": Cutover.NETWORK_SWAP,
    "health": HealthSpec(http=f"http://{{ip}}:{PORT}/healthz", timeout_s=1.0),
}
MOST_CALLS = 40


@pytest.fixture
def tidy(world: World) -> Iterator[World]:
    yield world
    if world.is_real:
        engine = world.engine()
        if engine.network(WARM) is not None:
            engine._call("DELETE", f"/networks/{WARM}")
        engine.close()


def a_spec(**changes: object) -> ContainerSpec:
    port = PortBinding(container_port=80, host_port=8080)
    return ContainerSpec(**{"name": "shop", "ports": (port,), **changes})  # type: ignore[arg-type]


def a_desired(spec: ContainerSpec, version: str = "1.1") -> Desired:
    return Desired(version=version, image="registry.test/shop", digest="sha256:" + "1" * 64, spec=spec)


@pytest.mark.parametrize(
    ("changes", "step", "stop", "why"),
    [
        (
            {},
            "hand-over",
            (Stop.FULL, timedelta(seconds=11)),
            "forced: only one container can hold the fixed host port 8080",
        ),
        ({"cutover": Cutover.NETWORK_SWAP}, "swap-in", (Stop.FULL, timedelta(milliseconds=500)), "takes a moment"),
        (
            {"networks": ("host",), "ports": ()},
            "stop-old",
            (Stop.FULL, timedelta(seconds=11.1)),
            "forced: both would share",
        ),
        ({"ports": ()}, "stop-old", (Stop.FULL, timedelta(seconds=11.1)), "is declared"),
        ({"ports": (), "order": Order.START_FIRST}, "", (Stop.NONE, timedelta(0)), ""),
    ],
)
def test_plan_predicts_the_stop_of_each_way_and_says_why(
    changes: dict[str, object], step: str, stop: tuple[Stop, timedelta], why: str
) -> None:
    spec = a_spec(**changes)
    steps = plan(desired=a_desired(spec), previous=a_desired(spec, "1.0"), observed=None)
    assert planned_stop(steps) == stop
    told = {one.name: one.why for one in steps if one.why}
    assert list(told) == ([step] if step else [])
    assert why in told.get(step, "")


def test_plan_port_that_the_old_one_does_not_hold_is_not_overlapped() -> None:
    """Nothing would keep the new one from running beside the old one, on the same volumes."""
    before = a_spec(ports=(PortBinding(container_port=80, host_port=8081),))
    steps = plan(desired=a_desired(a_spec()), previous=a_desired(before, "1.0"), observed=None)
    assert [one.name for one in steps if one.stops is Stop.FULL] == [
        "stop-old",
        "rename-old",
        "rename-new",
        "start-new",
    ]


def asked(world: World, installed: Desired) -> int:
    spec = of_kind(installed.spec, ContainerSpec)
    return world.probe(f"http://127.0.0.1:{spec.ports[0].host_port}/healthz", timeout_s=2.0)


def forward(world: World, update: Assignment) -> Controller:
    controller = world.controller()
    for step in controller.plan(update):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)
    return controller


def test_overlap_new_one_has_the_port_and_goes_back(tidy: World) -> None:
    installed = tidy.installed("1.0", tidy.spec(port=free_port()))
    update = tidy.update_of(installed, "1.1")
    controller = forward(tidy, update)
    assert asked(tidy, installed) == 200
    controller.roll_back(update)
    assert tidy.there(installed.spec.name) == {installed.spec.name: "running"}
    assert tidy.driver().observe(update).runs(installed)
    again = replace(update, attempt=2, generation=3)
    tidy.controller().update(again)
    assert tidy.driver().observe(again).runs(update.desired)
    assert tidy.there(installed.spec.name) == {installed.spec.name: "running"}


@pytest.mark.parametrize("network", ["", "own"])
def test_swap_new_one_is_warm_then_has_port_and_networks_and_goes_back(tidy: World, network: str) -> None:
    more: dict[str, Any] = {}
    if network:
        name = "contract-swap" if tidy.is_real else "front"
        more = {"networks": (name,), "aliases": ("shop",)}
        engine = tidy.engine()
        engine.create_network(name, internal=False)
        engine.close()
    installed = tidy.installed("1.0", tidy.spec(port=free_port(), **SWAP, **more))
    name = installed.spec.name
    before = set(tidy.raw(name)["NetworkSettings"]["Networks"])
    update = tidy.update_of(installed, "1.1")
    controller = forward(tidy, update)
    assert asked(tidy, installed) == 200
    assert set(tidy.raw(name)["NetworkSettings"]["Networks"]) == before
    assert tidy.raw(name)["HostConfig"].get("NetworkMode") != WARM
    controller.roll_back(update)
    assert tidy.there(name) == {name: "running"}
    assert asked(tidy, installed) == 200
    again = replace(update, attempt=2, generation=3)
    tidy.controller().update(again)
    assert tidy.driver().observe(again).runs(update.desired)
    assert tidy.there(name) == {name: "running"}
    if tidy.is_real:
        engine = tidy.engine()
        engine.stop(name, grace_s=1)
        engine.start(name)
        engine.close()
        assert controller.gate(again, again.desired).health.value == "healthy"
        assert asked(tidy, installed) == 200


def test_swap_bad_version_never_has_the_port(tidy: World) -> None:
    installed = tidy.installed("1.0", tidy.spec(port=free_port(), **SWAP))
    update = tidy.update_of(installed, "exits")
    started = tidy.raw(installed.spec.name)["State"]["StartedAt"]
    controller = tidy.controller(deadline_s=1.0)
    with pytest.raises(GateError):
        controller.update(update)
    controller.roll_back(update)
    assert tidy.there(installed.spec.name) == {installed.spec.name: "running"}
    assert tidy.driver().observe(update).runs(installed)
    assert asked(tidy, installed) == 200
    if not tidy.is_real:
        assert tidy.raw(installed.spec.name)["State"]["StartedAt"] == started


@pytest.mark.parametrize("effect", [Effect.REFUSE, Effect.DROP, Effect.KILL])
@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("back", [False, True])
def test_swap_any_call_goes_wrong_once_target_ends_whole(
    fake_world: World, fake_engine: FakeEngine, effect: Effect, when: When, *, back: bool
) -> None:
    spec = replace(fake_world.spec(port=8080, **SWAP), name="shop-web", networks=("front",), aliases=("shop",))
    installed = fake_world.desired("1.0", spec)
    fake_world.controller().update(fake_world.assignment(installed))
    kept = fake_engine.state()
    for nth in some(MOST_CALLS - 1, effect, when, back):
        fake_engine.faults.clear()
        fake_engine.go_on(kept)
        update = fake_world.update_of(installed, "1.1")
        controller = forward(fake_world, update) if back else fake_world.controller()
        fake_engine.fail(Fault(kind="*", effect=effect, when=when, nth=nth))
        if back:
            go_back(fake_world, fake_engine, update)
            outcome = installed
        else:
            try:
                persist(controller, fake_engine, update, back=False)
                outcome = update.desired
            except (GateError, OutsideError):
                go_back(fake_world, fake_engine, update)
                outcome = installed
        (only,) = fake_engine.containers.values()
        assert (only.name, only.status, only.restart) == ("shop-web", "running", "always")
        assert only.image.version == outcome.version
        assert set(only.endpoints) == {"front"}
        assert set(only.endpoints["front"]["Aliases"]) >= {"shop"}
        if fake_engine.faults:
            break
    assert 7 < nth < MOST_CALLS - 3, "it was tried up to the last call"


def go_back(world: World, engine: FakeEngine, update: Assignment) -> None:
    try:
        persist(world.controller(), engine, update, back=True)
    except GateError:
        persist(world.controller(), engine, update, back=True)


def persist(controller: Controller, engine: FakeEngine, update: Assignment, *, back: bool) -> None:
    desired, previous = update.desired, update.previous
    driver = controller.driver
    steps = driver.plan_back(desired=desired, previous=previous) if back else controller.plan(update)
    controller.persist(steps, update, back=back, mend=engine.revive)
