"""Where rollouts are measured: a private engine, a registry, HAProxy before four containers, and requests all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from releaser.clock import SystemClock
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Healthcheck, Sample, publish
from releaser.demo.registry import Registry
from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, HealthSpec
from releaser.domain.target import Assignment, Desired, Step
from releaser.targets.docker.client import Engine, Json
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.docker.pool import Pool
from releaser.targets.front import Front
from releaser.targets.probe import http_probe
from tests.fakes.controller import Controller
from tests.fakes.load import Load
from tests.targets.fronts import front_world
from tests.targets.haproxy_image import load_haproxy

PORT = 8080
NETWORK = "measured"
HAPROXY = "front.test/haproxy:own"
GRACE_S = 2
CALM_S = 1.5
"""For how long is asked before an update: with the time after it, so much that all runs make 50,000 requests."""


def nothing() -> None:
    """End nothing."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What is installed, and its update. Requests go to `host:port`, where port 0 is the front's; `after_s`: watched beyond it."""

    update: Callable[[], None]
    host: str = "127.0.0.1"
    port: int = 0
    after_s: float = 0.5
    end: Callable[[], None] = nothing
    own: Callable[[], float] | None = None
    """What `releaser` itself took, in seconds, once it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Engine, front and the images' digests."""

    address: str
    folder: Path
    repository: str
    digests: dict[str, str]
    front: Front
    port: int
    socket: str

    def checked(self, version: str) -> str:
        """The same image with a HEALTHCHECK of its own."""
        return f"{self.repository}-checked:{version}"

    def engine(self) -> Engine:
        """The engine's API."""
        return Engine(self.address, control_timeout_s=20.0, pull_timeout_s=20.0)

    def controller(self) -> Measured:
        """A controller with a driver of its own, which is asked for every 5 ms at gates."""
        return Measured(MeasuredDriver(), pause_s=0.005)

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
        self, begun: Begun, *, rate: float, keep_alive: bool, connections: int = 16, calm_s: float = CALM_S
    ) -> tuple[float, dict[str, dict[str, Any]]]:
        """How long the work took, and what happened to requests before, during and after it."""
        port = begun.port or self.port
        load = Load(port, rate=rate, connections=connections, keep_alive=keep_alive, host=begun.host, ahead=True)
        with load:
            load.enter("before")
            time.sleep(calm_s)
            load.enter("during")
            began = time.perf_counter()
            begun.update()
            took = time.perf_counter() - began
            load.enter("after")
            time.sleep(begun.after_s)
        begun.end()
        return took, load.facts


@dataclass(slots=True)
class Spent:
    """When the engine was busy with what any way needs of it: create, start, stop, remove."""

    busy: list[tuple[float, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 -- passed on
        """What the call gives."""
        began = time.perf_counter()
        try:
            return call()
        finally:
            with self.lock:
                self.busy.append((began, time.perf_counter()))

    def outside(self, began: float, ended: float) -> float:
        """How much of this time none of these calls was under way, in seconds."""
        free, at = 0.0, began
        for start, end in sorted(self.busy):
            if end > began and start < ended:
                free += max(0.0, start - at)
                at = max(at, end)
        return free + max(0.0, ended - at)


class MeasuredEngine(Engine):
    """Notes when those calls are under way."""

    spent: Spent

    def create(self, name: str, payload: Json) -> str:
        """See `Engine.create`."""
        return str(self.spent.timed(lambda: Engine.create(self, name, payload)))

    def start(self, container_id: str) -> None:
        """See `Engine.start`."""
        self.spent.timed(lambda: Engine.start(self, container_id))

    def stop(self, container_id: str, *, grace_s: int) -> None:
        """See `Engine.stop`."""
        self.spent.timed(lambda: Engine.stop(self, container_id, grace_s=grace_s))

    def remove(self, container_id: str, *, volumes: bool) -> None:
        """See `Engine.remove`."""
        self.spent.timed(lambda: Engine.remove(self, container_id, volumes=volumes))


class MeasuredDriver(DockerDriver):
    """The driver, and what it spent."""

    def __init__(self) -> None:
        super().__init__(clock=SystemClock())
        self.spent = Spent()
        self._engines = Pool(self._measured)

    def _measured(self, address: str) -> Engine:
        engine = MeasuredEngine(address, control_timeout_s=20.0, pull_timeout_s=20.0)
        engine.spent = self.spent
        return engine


@dataclass(frozen=True, slots=True)
class Measured(Controller):
    """A controller that knows what of its time was neither the engine's nor for draining."""

    drained: list[float] = field(default_factory=list)

    def carry_out(self, step: Step, assignment: Assignment, *, wanted: Desired | None) -> None:
        """See `Controller.carry_out`."""
        began = time.perf_counter()
        super(Measured, self).carry_out(step, assignment, wanted=wanted)
        if step.name.startswith("front-drain"):
            self.drained.append(time.perf_counter() - began)

    def own_s(self, began: float, ended: float) -> float:
        """Of this time."""
        assert isinstance(self.driver, MeasuredDriver)
        return self.driver.spent.outside(began, ended) - sum(self.drained)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """All of it, started and ended."""
    with ExitStack() as held:
        engine = held.enter_context(PrivateEngine(folder / "engine"))
        registry = held.enter_context(Registry(folder / "registry"))
        repository = f"{registry.address}/measured"
        versions = ("1.0", "1.1")
        digests = publish(engine.address, [Sample(version=one) for one in versions], repository=repository)
        checked = [Sample(version=one, healthcheck=Healthcheck.OWN) for one in versions]
        publish(engine.address, checked, repository=f"{repository}-checked")
        load_haproxy(engine.address, HAPROXY)
        (folder / "front").mkdir()
        front = held.enter_context(front_world.haproxy(folder / "front"))
        made = Bench(
            address=engine.address,
            folder=folder,
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
