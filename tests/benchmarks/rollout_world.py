"""Where rollouts are measured: a private engine, a registry, HAProxy before four containers, and requests all the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releaser.clock import SystemClock
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Sample, publish
from releaser.demo.registry import Registry
from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, HealthSpec
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.client import Engine
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.front import Front
from releaser.targets.probe import http_probe
from tests.fakes.controller import Controller
from tests.fakes.load import Load
from tests.targets.fronts import front_world

PORT = 8080
NETWORK = "measured"
GRACE_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Engine, front and the images' digests."""

    address: str
    repository: str
    digests: dict[str, str]
    front: Front
    port: int
    socket: str

    def engine(self) -> Engine:
        """The engine's API."""
        return Engine(self.address, control_timeout_s=20.0, pull_timeout_s=20.0)

    def controller(self) -> Controller:
        """A controller with a driver of its own, which is asked for every 5 ms at gates."""
        driver = DockerDriver(clock=SystemClock(), control_timeout_s=20.0, pull_timeout_s=20.0)
        return Controller(driver, pause_s=0.005)

    def spec(self, **changes: Any) -> ContainerSpec:  # noqa: ANN401 -- passed on
        """Replicas behind HAProxy, or whatever else is measured."""
        health = HealthSpec(http=f"http://{{ip}}:{PORT}/healthz", timeout_s=1.0, deadline_s=10.0)
        front = FrontSpec(kind=FrontKind.HAPROXY, group="app", port=PORT, address=self.socket, drain_s=5.0)
        given = {"front": front, "networks": (NETWORK,), "stop_grace_s": GRACE_S, "health": health, **changes}
        return ContainerSpec(name="measured", **given)

    def desired(self, version: str, spec: ContainerSpec) -> Desired:
        """What shall run."""
        return Desired(version=version, image=self.repository, digest=self.digests[version], spec=spec)

    def assignment(self, desired: Desired, previous: Desired | None, *, rollout: int) -> Assignment:
        """One attempt."""
        return Assignment(
            target="measured",
            host="host",
            address=self.address,
            rollout=rollout,
            attempt=1,
            generation=rollout,
            desired=desired,
            previous=previous,
        )

    def create(self, engine: Engine, name: str, version: str, **host: Any) -> str:  # noqa: ANN401 -- passed on
        """A bare container; its id."""
        payload = {
            "Image": f"{self.repository}@{self.digests[version]}",
            "StopTimeout": GRACE_S,
            "HostConfig": {"NetworkMode": NETWORK, **host},
        }
        return engine.create(name, payload)

    def address_of(self, engine: Engine, container_id: str) -> str:
        """Its own address on the network, with the port."""
        raw = engine.container(container_id)
        assert raw is not None
        return f"{raw['NetworkSettings']['Networks'][NETWORK]['IPAddress']}:{PORT}"

    def await_ready(self, address: str) -> None:
        """Until it answers."""
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            try:
                if http_probe(f"http://{address}/healthz", timeout_s=1.0) == 200:
                    return
            except OSError:
                time.sleep(0.003)
        raise AssertionError(f"{address} does not answer")

    def clear(self) -> None:
        """Nothing is there and nobody is in the front."""
        for name in self.front.servers():
            self.front.remove(name)
        engine = self.engine()
        for one in engine.containers(name="^/?measured"):
            engine.remove(str(one["Id"]), volumes=True)
        engine.close()

    def under_load(
        self,
        work: Callable[[], None],
        *,
        rate: float,
        keep_alive: bool,
        port: int = 0,
        connections: int = 16,
        calm_s: float = 1.0,
    ) -> tuple[float, dict[str, dict[str, Any]]]:
        """How long the work took, and what happened to requests before and during it."""
        load = Load(port or self.port, rate=rate, connections=connections, keep_alive=keep_alive)
        with load:
            load.enter("before")
            time.sleep(calm_s)
            load.enter("during")
            began = time.perf_counter()
            work()
            took = time.perf_counter() - began
            load.enter("after")
            time.sleep(0.3)
        return took, load.facts


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """All of it, started and ended."""
    with ExitStack() as held:
        engine = held.enter_context(PrivateEngine(folder / "engine"))
        registry = held.enter_context(Registry(folder / "registry"))
        repository = f"{registry.address}/measured"
        samples = [Sample(version="1.0"), Sample(version="1.1")]
        digests = publish(engine.address, samples, repository=repository)
        (folder / "front").mkdir()
        front = held.enter_context(front_world.haproxy(folder / "front"))
        made = Bench(
            address=engine.address,
            repository=repository,
            digests=digests,
            front=front.front,
            port=front.port,
            socket=f"unix://{folder / 'front' / 'admin.sock'}",
        )
        client = made.engine()
        client.create_network(NETWORK, internal=False)
        for digest in digests.values():
            client.pull(repository, digest)
        client.close()
        held.callback(made.clear)
        yield made
