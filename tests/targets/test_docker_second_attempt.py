"""An attempt breaks off anywhere, forward or on its way back, and nobody cleans up; then comes another one, perhaps of another shape.

Whatever the two are – one container in each way of a cutover, replicas, a front that is kept, another name – in the end the target is
wholly what the second one wanted, or, where that goes back, wholly what was recorded before both. Sampled, with a seed that is printed
(KILL_SEED repeats one); many more with HYPOTHESIS_PROFILE=thorough.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, HealthSpec, Order, PortBinding, of_kind
from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import OutsideError, RefusedError
from releaser.targets.front import Front, FrontUnreachableError, Server
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import FakeEngine
from tests.fakes.front import FakeFront
from tests.targets.docker_world import World

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SAMPLES = 1500 if THOROUGH else 20
MOST_CHANGES = 24
BESIDE = FrontSpec(kind=FrontKind.HAPROXY, group="app", port=8080, address="unix:///front", drain_s=0.01)
KEPT = FrontSpec(kind=FrontKind.HAPROXY, port=8080, image="registry.test/haproxy:1", drain_s=0.01)
PORT: Mapping[str, Any] = {"ports": (PortBinding(container_port=8080, host_port=8080),)}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "stop-first": PORT,
    "no port": {},
    "other name": {**PORT, "name": "other"},
    "start-first": {"order": Order.START_FIRST},
    "network-swap": {**PORT, "cutover": Cutover.NETWORK_SWAP},
    "one behind": {"front": BESIDE},
    "two behind": {"front": BESIDE, "replicas": 2},
    "three behind": {"front": BESIDE, "replicas": 3, "parallel": 2},
    "kept front": {**PORT, "cutover": Cutover.FRONT, "front": KEPT},
    "kept front, two": {**PORT, "cutover": Cutover.FRONT, "front": KEPT, "replicas": 2},
}


def shaped(shape: str) -> ContainerSpec:
    health = HealthSpec(http="http://{ip}:8080/healthz", deadline_s=30)
    given = {"name": "shop", "networks": ("front",), "aliases": ("svc",), "stop_grace_s": 1, "health": health}
    return ContainerSpec(**{**given, **SHAPES[shape]})


@dataclass(slots=True)
class Scenario:
    """An engine with a front beside it; the one that is kept is there while its container runs, and forgets with it."""

    world: World
    engine: FakeEngine
    beside: FakeFront = field(default_factory=FakeFront)
    kept: FakeFront = field(default_factory=FakeFront)
    run_of_kept: str = ""
    bases: dict[str, tuple[bytes, Mapping[str, Server], Mapping[str, Server], str]] = field(default_factory=dict)

    def opened(self, front: FrontSpec) -> Front:
        if not front.address.startswith("tcp:"):
            return self.beside
        running = [c for c in self.engine.containers.values() if c.name.endswith("-front") and c.status == "running"]
        if not running:
            raise FrontUnreachableError("Nobody answers.", permanent=False)
        run = f"{running[0].id} {running[0].started_at}"
        if run != self.run_of_kept:
            self.run_of_kept = run
            self.kept.restart()
        return self.kept

    def controller(self) -> Controller:
        self.world.close()
        return self.world.controller(deadline_s=10.0, pause_s=0.002)

    def installed(self, shape: str) -> Desired:
        """Installed once, and then as it was."""
        desired = self.world.desired("1.0", shaped(shape))
        self.heal()
        if shape not in self.bases:
            self.engine.containers.clear()
            self.beside.restart()
            self.controller().update(self.of(desired, None, rollout=1))
            self.bases[shape] = (
                self.engine.state(),
                dict(self.beside.group),
                dict(self.kept.group),
                self.run_of_kept,
            )
        state, beside, kept, self.run_of_kept = self.bases[shape]
        self.engine.go_on(state)
        self.beside.group, self.kept.group = dict(beside), dict(kept)
        return desired

    def of(self, desired: Desired, previous: Desired | None, *, rollout: int) -> Assignment:
        return replace(self.world.assignment(desired, previous, rollout=rollout), target="target-shop")

    def heal(self) -> None:
        self.engine.hears = None
        self.beside.fails_at = self.kept.fails_at = 0

    def break_off(self, *, changes: int | None, front: int) -> None:
        """After so many changes of the engine, or at that change of a front."""
        self.engine.hears = changes
        for one in (self.beside, self.kept):
            one.calls.clear()
            one.fails_at, one.fails_after = front, front % 2 == 0

    def forward(self, assignment: Assignment, *, commit: bool) -> None:
        controller = self.controller()
        for step in controller.plan(assignment):
            if step.phase is Phase.COMMIT and not commit:
                return
            controller.carry_out(step, assignment, wanted=assignment.desired)
        controller.gate(assignment, assignment.desired)

    def is_whole(self, assignment: Assignment, wanted: Desired) -> None:
        spec = of_kind(wanted.spec, ContainerSpec)
        slots = [f"{spec.name}-{n}" for n in range(1, spec.replicas + 1)] if spec.front else [spec.name]
        own_front = [f"{spec.name}-front"] if spec.front is not None and spec.front.image else []
        there = {c.name: c for c in self.engine.containers.values()}
        assert sorted(there) == sorted([*slots, *own_front])
        for name in slots:
            one = there[name]
            found = (one.status, one.image.version, one.restart, set(one.endpoints))
            assert found == ("running", wanted.version, spec.restart, set(spec.networks)), name
            assert "svc" in one.endpoints["front"]["Aliases"], f"{name} is not found under the service's name"
        if spec.front is not None:
            group = (self.kept if own_front else self.beside).group
            assert set(group) == {f"{name}-{there[name].id[:12]}" for name in slots}
        observed = self.world.driver().observe(assignment)
        assert observed.runs(wanted)
        assert observed.others == ()


@pytest.fixture
def scenario(fake_world: World, fake_engine: FakeEngine) -> Scenario:
    fake_engine.push("registry.test/haproxy", "1")
    for image in fake_engine.images.values():
        image.on_host = True
    made = Scenario(fake_world, fake_engine)
    fake_world.opener = made.opened
    return made


def one_sample(scenario: Scenario, dice: random.Random) -> str:
    """What was tried, in words; empty where a plan was refused."""
    before, first, second = (dice.choice(list(SHAPES)) for _ in range(3))
    breaks_back, goes_back = dice.random() < 0.5, dice.random() < 0.6
    at = (
        {"changes": None, "front": dice.randint(1, 8)}
        if dice.random() < 0.2
        else {"changes": dice.randint(0, 24), "front": 0}
    )
    again = dice.choice([None, *range(1, 20)])
    version = dice.choice(["1.0", "1.1", "1.2"])
    told = f"{before}; {first} breaks off {'back ' if breaks_back else ''}at {at}; {second} {version}"
    told += f" goes back after {again or 'all'} changes" if goes_back else ""
    try:
        attempted(scenario, before, first, at, breaks_back=breaks_back)
        previous = scenario.world.desired("1.0", shaped(before))
        later = scenario.of(scenario.world.desired(version, shaped(second)), previous, rollout=3)
        if not goes_back:
            scenario.forward(later, commit=True)
            scenario.is_whole(later, later.desired)
            return told
        scenario.engine.hears = again
        try:
            scenario.forward(later, commit=False)
        except (OutsideError, GateError):
            assert again is not None
        scenario.heal()
        scenario.controller().roll_back(later)
        scenario.is_whole(later, previous)
    except RefusedError:
        return ""
    except Exception as error:
        raise AssertionError(f"{told}: {error}") from error
    return told


def attempted(scenario: Scenario, before: str, shape: str, at: Mapping[str, Any], *, breaks_back: bool) -> None:
    """The first attempt, as far as it comes; never to its commit."""
    previous = scenario.installed(before)
    first = scenario.of(scenario.world.desired("1.1", shaped(shape)), previous, rollout=2)
    try:
        if breaks_back:
            scenario.forward(first, commit=False)
        scenario.break_off(**at)
        if breaks_back:
            scenario.controller().roll_back(first)
        else:
            scenario.forward(first, commit=False)
    except RefusedError:
        raise
    except (OutsideError, GateError):
        pass
    scenario.heal()


@pytest.mark.timeout(1500)
def test_attempt_breaks_off_anywhere_another_one_of_any_shape_ends_whole(scenario: Scenario) -> None:
    seed = int(os.environ.get("KILL_SEED", "0")) or secrets.randbelow(10**9)
    dice = random.Random(seed)  # noqa: S311 -- no secret
    tried = 0
    for number in range(SAMPLES):
        try:
            tried += bool(one_sample(scenario, dice))
        except AssertionError as error:
            raise AssertionError(f"KILL_SEED={seed}, sample {number}: {error}") from error
    assert tried > SAMPLES / 4, f"KILL_SEED={seed}: nearly all of them were refused"


@pytest.mark.parametrize("first", ["start-first", "network-swap"])
def test_attempt_took_the_old_one_off_its_networks_and_broke_off_a_stop_first_one_brings_it_back_to_them(
    scenario: Scenario, first: str
) -> None:
    previous = scenario.installed("stop-first")
    attempted(scenario, "stop-first", first, {"changes": None, "front": 0}, breaks_back=False)
    later = scenario.of(scenario.world.desired("1.2", shaped("stop-first")), previous, rollout=3)
    scenario.forward(later, commit=False)
    scenario.controller().roll_back(later)
    scenario.is_whole(later, previous)


def test_the_same_made_anew_goes_back_the_old_one_is_looked_at_and_not_the_new_one(scenario: Scenario) -> None:
    previous = scenario.installed("stop-first")
    again = scenario.of(previous, previous, rollout=2)
    scenario.forward(again, commit=False)
    scenario.controller().roll_back(again)
    scenario.is_whole(again, previous)


@pytest.mark.parametrize("shape", ["two behind", "kept front"])
def test_containers_behind_a_front_are_to_be_called_otherwise_it_is_refused(scenario: Scenario, shape: str) -> None:
    previous = scenario.installed(shape)
    other = scenario.world.desired("1.1", replace(shaped(shape), name="other"))
    with pytest.raises(RefusedError, match="cannot be called 'other'"):
        scenario.controller().plan(scenario.of(other, previous, rollout=2))
