"""Several containers behind a front, on the fake engine and a fake front: slot by slot, from any point, to one version and nobody lost.

A request is lost when the front hands it to a container that does not run. So after every change the fakes look at each other:
everybody that gets requests has to run, and there has to be somebody.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, HealthSpec, PortBinding
from releaser.domain.target import Assignment, Desired, Phase, Stop, planned_stop
from releaser.errors import OutsideError, RefusedError
from releaser.targets.front import FrontUnreachableError, Server
from releaser.targets.target import FencedError
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, FakeEngine, Fault, When
from tests.fakes.front import FakeFront
from tests.targets.docker_world import World

FRONT = FrontSpec(kind=FrontKind.HAPROXY, group="app", port=8080, address="unix:///front")
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SAMPLES = 400 if THOROUGH else 24


def spec(replicas: int = 3, **changes: object) -> ContainerSpec:
    health = HealthSpec(http="http://{ip}:8080/healthz", deadline_s=30)
    given = {"front": FRONT, "replicas": replicas, "networks": ("front",), "aliases": ("shop",), **changes}
    return ContainerSpec(name="shop-web", health=health, **given)  # type: ignore[arg-type]


class Watched:
    """The engine and the front, and what happened to requests between them."""

    def __init__(self, engine: FakeEngine, front: FakeFront) -> None:
        self.engine, self.front = engine, front
        self.lost: list[str] = []
        front.on_change = self.look

    def serving(self) -> dict[str, str]:
        """Version by address of what gets requests and runs."""
        up: dict[str, str] = {}
        for one in self.engine.containers.values():
            if one.status == "running":
                up |= {f"{address}:8080": one.image.version for address in self.engine._addresses(one)}
        return {address: up.get(address, "") for address in (self.front.history or [frozenset()])[-1]}

    def look(self) -> None:
        serving = self.serving()
        if not all(serving.values()):
            self.lost.append(f"{serving} of {sorted(c.name for c in self.engine.containers.values())}")
        if not serving:
            self.lost.append("nobody is in the front")


@pytest.fixture
def watched(fake_world: World, fake_engine: FakeEngine) -> Watched:
    front = FakeFront()
    fake_world.opener = front.opened
    return Watched(fake_engine, front)


def installed(world: World, watched: Watched, wanted: ContainerSpec) -> Desired:
    desired = world.desired("1.0", wanted)
    world.controller().update(world.assignment(desired))
    watched.lost.clear()
    return desired


def names(engine: FakeEngine) -> list[str]:
    return sorted(c.name for c in engine.containers.values() if c.status == "running")


def assert_whole(world: World, watched: Watched, assignment: Assignment, wanted: Desired) -> None:
    """All slots of one version, all in the front, nothing else anywhere."""
    slots = [f"shop-web-{n}" for n in range(1, wanted.spec.replicas + 1)]  # type: ignore[union-attr]
    assert names(watched.engine) == slots
    assert len(watched.engine.containers) == len(slots), "something is left over"
    assert {c.image.version for c in watched.engine.containers.values()} == {wanted.version}
    assert {name[:-13] for name in watched.front.group} == set(slots)
    assert len(watched.front.group) == len(slots), "the front knows somebody who is gone"
    assert set(watched.serving().values()) == {wanted.version}
    assert world.driver().observe(assignment).runs(wanted)
    assert world.driver().observe(assignment).others == ()


def test_install_puts_every_replica_in_front(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(3))
    assert_whole(fake_world, watched, fake_world.assignment(desired), desired)


def test_plan_of_replicas_stops_nothing_and_carries_slots(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(3, parallel=2))
    steps = fake_world.controller().plan(fake_world.update_of(desired, "1.1"))
    assert [step.name for step in steps] == [
        *("pull", "front-check", "create#1-3"),
        *("start-new#1-2", "front-put#1-2", "front-drain#1-2", "stop-old#1-2"),
        *("start-new#3", "front-put#3", "front-drain#3", "stop-old#3", "remove-old#1-3"),
    ]
    assert planned_stop(steps)[0] is Stop.NONE


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("ports", {"ports": (PortBinding(container_port=8080, host_port=81),)}),
        ("networks", {"networks": ("other", "front")}),
        ("front.port", {"front": FrontSpec(kind=FrontKind.HAPROXY, port=8081, image="haproxy:2.8")}),
        ("", {"networks": ("front", "other"), "replicas": 3, "aliases": ()}),
    ],
)
def test_update_that_the_front_of_its_own_could_not_serve_is_refused(
    fake_world: World, field: str, change: dict[str, Any]
) -> None:
    own = FrontSpec(kind=FrontKind.HAPROXY, port=8080, image="haproxy:2.8")
    fixed = (PortBinding(container_port=8080, host_port=80),)
    installed = fake_world.desired("1.0", spec(1, cutover=Cutover.FRONT, front=own, ports=fixed))
    update = fake_world.update_of(installed, "1.1", **change)
    if not field:
        assert planned_stop(fake_world.controller().plan(update))[0] is Stop.NONE
        return
    with pytest.raises(RefusedError, match=f"with other '{field}'") as refused:
        fake_world.controller().plan(update)
    assert (refused.value.rule, refused.value.field) == ("kept-front-stays", field)


@pytest.mark.parametrize("parallel", [1, 2, 3])
def test_update_no_request_is_lost_and_never_fewer_serve(fake_world: World, watched: Watched, parallel: int) -> None:
    desired = installed(fake_world, watched, spec(3, parallel=parallel))
    update = fake_world.update_of(desired, "1.1")
    before = len(watched.front.history)
    fake_world.controller().update(update)
    assert watched.lost == []
    assert min(len(one) for one in watched.front.history[before:]) >= 3
    assert_whole(fake_world, watched, update, update.desired)


def test_older_controller_is_fenced_off_by_every_step_and_the_front_is_as_the_younger_one_left_it(
    fake_world: World, watched: Watched
) -> None:
    desired = installed(fake_world, watched, spec(2))
    older = fake_world.update_of(desired, "1.1")
    steps = fake_world.controller().plan(older)
    fake_world.controller().update(replace(older, rollout=older.rollout + 1, generation=older.generation + 1))
    group = dict(watched.front.group)
    driver = fake_world.driver()
    back = driver.plan_back(desired=older.desired, previous=older.previous)
    for step in (*(one for one in steps if one.name not in {"pull", "front-check"}), *back):
        with pytest.raises(FencedError):
            driver.apply(step, older)
    assert dict(watched.front.group) == group
    assert watched.lost == []


@pytest.mark.parametrize("version", ["sick", "exits"])
def test_bad_version_goes_back_and_nobody_noticed(fake_world: World, watched: Watched, version: str) -> None:
    desired = installed(fake_world, watched, spec(3))
    update = fake_world.update_of(desired, version)
    controller = fake_world.controller(deadline_s=0.1)
    with pytest.raises(GateError):
        controller.update(update)
    controller.roll_back(update)
    assert watched.lost == []
    assert_whole(fake_world, watched, update, desired)


def test_old_ones_are_there_until_the_commit_and_all_come_back(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(3))
    update = fake_world.update_of(desired, "1.1")
    controller = fake_world.controller()
    for step in controller.plan(update):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)
    assert len(watched.engine.containers) == 6
    controller.roll_back(update)
    assert watched.lost == []
    assert_whole(fake_world, watched, update, desired)


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2), (1, 3), (3, 1)])
def test_another_number_of_replicas_comes_with_the_update_and_goes_back(
    fake_world: World, watched: Watched, before: int, after: int
) -> None:
    desired = installed(fake_world, watched, spec(before, parallel=1))
    update = fake_world.update_of(desired, "1.1", replicas=after)
    controller = fake_world.controller()
    for step in controller.plan(update):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)
    controller.roll_back(update)
    assert_whole(fake_world, watched, update, desired)
    again = replace(update, attempt=2, generation=3)
    fake_world.controller().update(again)
    assert watched.lost == []
    assert_whole(fake_world, watched, again, again.desired)


@pytest.mark.parametrize("broke_off", ["start-new#3", "front-put#3", "stop-old#3"])
def test_attempt_that_broke_off_in_a_new_slot_leaves_nothing_to_the_next_one(
    fake_world: World, watched: Watched, broke_off: str
) -> None:
    desired = installed(fake_world, watched, spec(2, parallel=1))
    update = fake_world.update_of(desired, "1.1", replicas=3)
    controller = fake_world.controller()
    for step in controller.plan(update):
        controller.carry_out(step, update, wanted=update.desired)
        if step.name == broke_off:
            break
    again = replace(update, attempt=2, generation=3)
    fake_world.controller().update(again)
    assert watched.lost == []
    assert_whole(fake_world, watched, again, again.desired)


def test_single_container_is_replaced_by_replicas_and_comes_back(fake_world: World, watched: Watched) -> None:
    single = spec(1, front=None)
    desired = fake_world.desired("1.0", single)
    fake_world.controller().update(fake_world.assignment(desired))
    update = fake_world.update_of(desired, "1.1", front=FRONT, replicas=2)
    controller = fake_world.controller()
    for step in controller.plan(update):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)
    controller.roll_back(update)
    assert names(watched.engine) == ["shop-web"]
    assert watched.front.group == {}
    again = replace(update, attempt=2, generation=3)
    fake_world.controller().update(again)
    assert_whole(fake_world, watched, again, again.desired)
    back = fake_world.update_of(again.desired, "1.0", front=None, replicas=1)
    back = replace(back, rollout=3, generation=4)
    fake_world.controller().update(back)
    assert names(watched.engine) == ["shop-web"]
    assert len(watched.engine.containers) == 1
    assert watched.front.group == {}


def test_front_unreachable_at_the_beginning_nothing_is_touched(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(2))
    watched.front.gone = True
    calls = len(watched.engine.calls)
    with pytest.raises(FrontUnreachableError):
        fake_world.controller().update(fake_world.update_of(desired, "1.1"))
    assert set(watched.engine.calls[calls:]) <= {"list", "inspect", "image", "pull", "ping", "version", "info"}


def test_front_started_again_in_between_is_told_of_everybody(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(3))
    update = fake_world.update_of(desired, "1.1")
    controller = fake_world.controller()
    for step in controller.plan(update):
        if step.name == "front-put#2":
            watched.front.restart()
        controller.carry_out(step, update, wanted=update.desired)
    controller.gate(update, update.desired)
    assert_whole(fake_world, watched, update, update.desired)


def test_front_that_forgot_everybody_after_the_cutover_is_not_healthy(fake_world: World, watched: Watched) -> None:
    desired = installed(fake_world, watched, spec(2))
    watched.front.restart()
    verdict = fake_world.driver().verify(fake_world.assignment(desired), wanted=desired)
    assert verdict.reason == "the front has no server of shop-web-1, shop-web-2"


def test_busy_server_is_waited_for_at_the_gate_and_cut_off_at_last(fake_world: World, watched: Watched) -> None:
    front = replace(FRONT, drain_s=0.05)
    desired = installed(fake_world, watched, spec(1, front=front))
    update = fake_world.update_of(desired, "1.1")
    controller = fake_world.controller()
    told = []
    for step in controller.plan(update):
        if step.name == "front-drain#1":
            watched.front.busy_for = 10**6
            controller.driver.apply(step, update)
            told.append(controller.driver.verify(replace(update, gate=step.name), wanted=update.desired).reason)
            told.append(controller.gate(replace(update, gate=step.name), update.desired).reason)
            watched.front.busy_for = 0
        else:
            controller.carry_out(step, update, wanted=update.desired)
    assert told == ["1 requests are still under way", "1 requests are cut off after 0.05 s"]
    assert_whole(fake_world, watched, update, update.desired)


def test_traefik_is_told_by_labels_and_given_time(fake_world: World, watched: Watched) -> None:
    front = FrontSpec(kind=FrontKind.TRAEFIK, group="shop", port=8080, drain_s=0.01)
    desired = fake_world.desired("1.0", spec(2, front=front, labels={"traefik.http.routers.shop.rule": "Host(`shop`)"}))
    fake_world.controller().update(fake_world.assignment(desired))
    (labels,) = [c.raw["Labels"] for c in watched.engine.containers.values() if c.name == "shop-web-1"]
    assert {key: value for key, value in labels.items() if key.startswith("traefik")} == {
        "traefik.enable": "true",
        "traefik.docker.network": "front",
        "traefik.http.routers.shop.rule": "Host(`shop`)",
        "traefik.http.services.shop.loadbalancer.server.port": "8080",
        "traefik.http.services.shop.loadbalancer.healthcheck.path": "/healthz",
        "traefik.http.services.shop.loadbalancer.healthcheck.interval": "1s",
    }
    update = fake_world.update_of(desired, "1.1")
    steps = [step.name for step in fake_world.controller().plan(update)]
    assert steps[2:5] == ["start-new#1", "front-drain#1", "stop-old#1"]
    fake_world.controller().update(update)
    assert names(watched.engine) == ["shop-web-1", "shop-web-2"]
    assert watched.front.calls == []


def persist(controller: Controller, watched: Watched, assignment: Assignment, *, back: bool) -> None:
    """What a rollout does: after a passing error begin the same step again, after a no of the gate go back."""
    driver = controller.driver
    desired, previous = assignment.desired, assignment.previous
    steps = driver.plan_back(desired=desired, previous=previous) if back else controller.plan(assignment)
    wanted = previous if back else desired
    for step in steps:
        for _ in range(4):
            try:
                controller.carry_out(step, assignment, wanted=wanted)
            except OutsideError as error:
                watched.engine.revive()
                if error.permanent:
                    raise
            else:
                break
        else:
            raise FrontUnreachableError("never", permanent=True)
    controller.gate(assignment, wanted)


@dataclass(frozen=True, slots=True)
class Base:
    """What is installed at the beginning of a sample."""

    desired: Desired
    engine: bytes
    group: Mapping[str, Server]


def test_anything_goes_wrong_anywhere_target_ends_whole(fake_world: World, watched: Watched) -> None:
    """Sampled: engine or front × how × before or after × which call × killed or not × good, sick or dying × numbers of replicas."""
    seed = int(os.environ.get("KILL_SEED", "0")) or secrets.randbelow(10**9)
    dice = random.Random(seed)  # noqa: S311 -- no secret
    bases: dict[tuple[int, int], Base] = {}
    for number in range(SAMPLES):
        before, after = dice.choice([(3, 3), (3, 3), (2, 3), (3, 2)])
        parallel = dice.choice([1, 2])
        base = begin(fake_world, watched, bases, before, parallel)
        version = dice.choice(["1.1", "1.1", "sick", "exits"])
        update = fake_world.update_of(base.desired, version, replicas=after)
        effect = break_something(dice, watched.engine, watched.front)
        killed = dice.random() < 0.4
        told = (
            f"KILL_SEED={seed}, sample {number}: {before}->{after} by {parallel}, {version}, {effect}, killed {killed}"
        )
        try:
            attempt, wanted = run(fake_world, watched, update, killed=killed, back=dice.random() < 0.3)
            watched.front.fails_at = 0
            assert_whole(fake_world, watched, attempt, wanted)
            assert watched.lost == [] or "kill" in effect
            assert watched.front.cut == []
        except Exception as error:
            raise AssertionError(f"{told}: {error}") from error


def begin(world: World, watched: Watched, bases: dict[tuple[int, int], Base], replicas: int, parallel: int) -> Base:
    """Installed once, then as it was."""
    engine, front = watched.engine, watched.front
    world.close()
    engine.faults.clear()
    front.fails_at = 0
    front.cut.clear()
    if (replicas, parallel) not in bases:
        engine.containers.clear()
        front.restart()
        desired = installed(world, watched, spec(replicas, parallel=parallel))
        bases[replicas, parallel] = Base(desired, engine.state(), dict(front.group))
    base = bases[replicas, parallel]
    engine.go_on(base.engine)
    engine.history.clear()
    front.group = dict(base.group)
    front.history[:] = [frozenset(server.address for server in front.group.values())]
    watched.lost.clear()
    return base


def break_something(dice: random.Random, engine: FakeEngine, front: FakeFront) -> str:
    after = dice.random() < 0.5
    if dice.random() < 0.4:
        front.calls.clear()
        front.fails_at, front.fails_after = dice.randint(1, 14), after
        return f"front call {front.fails_at} after {after}"
    front.fails_at = 0
    effect = dice.choice([Effect.REFUSE, Effect.DROP, Effect.DROP, Effect.KILL])
    nth = dice.randint(1, 40)
    engine.fail(Fault(kind="*", effect=effect, when=When.AFTER if after else When.BEFORE, nth=nth))
    return f"{effect.value} of engine call {nth} after {after}"


def run(world: World, watched: Watched, update: Assignment, *, killed: bool, back: bool) -> tuple[Assignment, Desired]:
    """`killed`: at the fault the controller dies, and another one with a younger lock goes on, or goes `back`."""
    controller = world.controller(deadline_s=0.15)
    assert update.previous is not None
    try:
        if killed:
            controller.update(update)
            return update, update.desired
        persist(controller, watched, update, back=False)
    except GateError:
        go_back(world, watched, update)
        return update, update.previous
    except OutsideError:
        watched.engine.revive()
        if killed and not back and update.desired.version == "1.1":
            second = replace(update, attempt=2, generation=3)
            persist(world.controller(), watched, second, back=False)
            return second, update.desired
        go_back(world, watched, update)
        return update, update.previous
    return update, update.desired


def go_back(world: World, watched: Watched, update: Assignment) -> None:
    try:
        persist(world.controller(), watched, update, back=True)
    except GateError:
        persist(world.controller(), watched, update, back=True)
