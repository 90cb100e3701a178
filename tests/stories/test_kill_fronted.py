"""A controller that is killed while it updates replicas behind a real HAProxy under load: whoever comes after it finishes, and nobody noticed.

Random moments by a seed that is printed (`KILL_SEED=…` has it again); now and then a newer rollout comes instead of the one that was cut short.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from releaser.clock import SystemClock
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Sample, publish
from releaser.demo.registry import Registry
from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, HealthSpec
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.client import Engine
from releaser.targets.docker.driver import DockerDriver
from tests import sampled
from tests.fakes.controller import Controller
from tests.fakes.load import Load
from tests.targets.fronts import front_world

KILLS = 25 if sampled.IS_THOROUGH else 4
REPLICAS = 3
LONGEST_S = 1.5


@dataclass(frozen=True, slots=True)
class Bench:
    """A front, and what is wanted behind it."""

    front: front_world.World
    address: str
    repository: str
    digests: dict[str, str]
    spec: ContainerSpec

    def desired(self, version: str) -> Desired:
        return Desired(version=version, image=self.repository, digest=self.digests[version], spec=self.spec)

    def assignment(self, version: str, previous: Desired | None, *, rollout: int, generation: int) -> Assignment:
        return Assignment(
            target="killed",
            host="host",
            address=self.address,
            rollout=rollout,
            attempt=1,
            generation=generation,
            desired=self.desired(version),
            previous=previous,
        )

    def containers(self) -> dict[str, str]:
        """Name -> version of all there are, running or not."""
        engine = Engine(self.address, control_timeout_s=10.0, pull_timeout_s=10.0)
        found = [engine.container(str(one["Id"])) for one in engine.containers(name="^/?killed")]
        engine.close()
        return {
            str(raw["Name"])[1:]: f"{raw['Config']['Labels']['releaser.version']} {raw['State']['Status']}"
            for raw in found
            if raw is not None
        }


def update(assignment: Assignment) -> None:
    """A controller's life, from the first step on: it knows of no journal."""
    driver = DockerDriver(clock=SystemClock(), control_timeout_s=10.0, pull_timeout_s=10.0)
    Controller(driver, pause_s=0.01).update(assignment)
    driver.close()


@pytest.fixture
def bench(engine: PrivateEngine, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, image = tmp_path_factory.mktemp("k"), f"{registry.address}/kill-fronted"
    digests = publish(engine.address, [Sample(version="1.0"), Sample(version="1.1")], repository=image)
    socket = f"unix://{folder / 'admin.sock'}"
    spec = ContainerSpec(
        name="killed",
        replicas=REPLICAS,
        front=FrontSpec(kind=FrontKind.HAPROXY, group="app", port=8080, address=socket, drain_s=2.0),
        stop_grace_s=2,
        health=HealthSpec(http="http://{ip}:8080/healthz", deadline_s=10),
    )
    with ExitStack() as held:
        front = held.enter_context(front_world.haproxy(folder))
        held.callback(_clear, engine.address)
        yield Bench(front, engine.address, image, digests, spec)


def _clear(address: str) -> None:
    engine = Engine(address, control_timeout_s=10.0, pull_timeout_s=10.0)
    for one in engine.containers(name="^/?killed"):
        engine.remove(str(one["Id"]), volumes=True)
    engine.close()


def killed_after(assignment: Assignment, seconds: float) -> bool:
    """Whether the controller was still at it."""
    process = multiprocessing.get_context("spawn").Process(target=update, args=(assignment,))
    process.start()
    process.join(seconds)
    alive = process.is_alive()
    if alive and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return alive


def test_controller_killed_again_and_again_all_converges_and_no_request_fails(bench: Bench) -> None:
    chance = sampled.chance()
    update(bench.assignment("1.0", None, rollout=1, generation=1))
    installed, rollout, generation = bench.desired("1.0"), 1, 1
    loads: dict[str, dict[str, Any]] = {}
    with (
        Load(bench.front.port, rate=100, keep_alive=True, connections=4) as kept,
        Load(bench.front.port, rate=60, keep_alive=False, connections=4) as single,
    ):
        for _ in range(KILLS):
            rollout, generation = rollout + 1, generation + 1
            version = "1.1" if installed.version == "1.0" else "1.0"
            work = bench.assignment(version, installed, rollout=rollout, generation=generation)
            killed_after(work, 0.5 + chance.uniform(0.0, LONGEST_S))
            if chance.random() < 0.3:
                rollout += 1
                work = replace(work, rollout=rollout)
            generation += 1
            update(replace(work, generation=generation))
            installed = work.desired
            names = {f"killed-{number}" for number in range(1, REPLICAS + 1)}
            assert bench.containers() == dict.fromkeys(names, f"{version} running")
            assert {name[:-13] for name in bench.front.front.servers()} == names
            assert len(bench.front.front.servers()) == REPLICAS
    loads = {"kept": kept.facts[""], "single": single.facts[""]}
    assert {name: facts["how"] for name, facts in loads.items()} == {"kept": {}, "single": {}}
