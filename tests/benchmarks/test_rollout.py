"""Four replicas behind HAProxy while they are asked: ours beside other ways; and for how long a fixed port is away in each way."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, HealthSpec, PortBinding
from tests.benchmarks import rollout_peers
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.benchmarks.measure import ROUNDS
from tests.benchmarks.rollout_world import PORT, Bench, bench
from tests.targets.haproxy_image import load_haproxy

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

RATE = float(os.environ.get("BENCH_RATE", "500"))
REPLICAS = 4
MANY = 20
BARE = "bare: create, start, stop, remove"
HAPROXY = "front.test/haproxy:own"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("b")) as made:
        yield made


@dataclass(slots=True)
class Measured:
    """Of one way: how long each run took, and what happened to requests."""

    took: list[float] = field(default_factory=list)
    asked: int = 0
    failed: int = 0
    gaps: list[float] = field(default_factory=list)
    before_p99: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def add(self, took: float, facts: dict[str, dict[str, Any]]) -> None:
        """One more run."""
        self.took.append(took)
        for phase in ("before", "during", "after"):
            self.asked += facts[phase]["asked"]
            self.failed += facts[phase]["failed"]
        # The first answer after a gap may come when the work is done already.
        self.gaps.append(max(facts["during"]["gap_ms"], facts["after"]["gap_ms"]))
        self.before_p99.append(facts["before"]["p99_ms"])
        self.p99.append(facts["during"]["p99_ms"])

    @property
    def total(self) -> float:
        """The median."""
        return statistics.median(self.took)

    def facts(self) -> dict[str, Any]:
        """To be kept."""
        return {
            "took_s": [round(one, 3) for one in self.took],
            "asked": self.asked,
            "failed": self.failed,
            "gap_ms": [round(one, 1) for one in self.gaps],
            "p99_ms": [self.before_p99, self.p99],
        }


def test_replicas_behind_haproxy(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-replicas",
        title=f"Rollout: {REPLICAS} replicas behind HAProxy, {RATE:g} requests a second",
        about="From the first step to the last, images on the host. Every way replaces the same small server on the same engine; the "
        "peers' ways are their steps by the same API, written down in `rollout_peers.py`, without what their command lines cost. `bare` is "
        "what the engine itself needs: it waits for nothing and serves nobody, while four others are asked. Of `releaser` the driver is "
        "measured, without database. p99 of requests before and during the update.",
        columns=("", "keep-alive", "total", "requests", "failed", "p99 before", "p99 during"),
    )
    found: dict[tuple[str, bool], Measured] = {}
    for _ in range(ROUNDS):
        for keep_alive in (True, False):
            for name, way in _ways().items():
                world.clear()
                begun = way(world)
                took, facts = world.under_load(begun, rate=RATE, keep_alive=keep_alive)
                found.setdefault((name, keep_alive), Measured()).add(took, facts)
    world.clear()
    for (name, keep_alive), one in found.items():
        before, during = statistics.median(one.before_p99), statistics.median(one.p99)
        cells = (seconds(one.total), f"{one.asked:,}", str(one.failed), f"{before:.1f} ms", f"{during:.1f} ms")
        section.row(name, "on" if keep_alive else "off", *cells)
        section.data[f"{name}, keep-alive {keep_alive}"] = one.facts()
    _bars(section, found)
    tell(section)


def _bars(section: Section, found: dict[tuple[str, bool], Measured]) -> None:
    ours = [one for (name, _), one in found.items() if name.startswith("releaser")]
    alone = [one for (name, _), one in found.items() if name == "releaser, one at a time"]
    theirs = [one.total for (name, _), one in found.items() if name.startswith("docker-rollout")]
    best = statistics.median(one.total for one in alone)
    bare = statistics.median(one.total for (name, _), one in found.items() if name == BARE)
    asked = sum(one.asked for one in ours)
    section.bars += [
        Bar(what=f"failed requests, of {asked:,}", value=sum(one.failed for one in ours), most=0, unit="requests"),
        Bar(what="one at a time, beside the bare calls", value=best / bare, most=1.15, unit="×"),
        Bar(
            what="one at a time, beside docker-rollout's way",
            value=best / statistics.median(theirs),
            most=0.4,
            unit="×",
        ),
        Bar(
            what="p99 during the update beyond before",
            value=max(statistics.median(one.p99) - statistics.median(one.before_p99) for one in ours),
            most=100,
            unit="ms",
        ),
    ]


def _bare(world: Bench) -> Callable[[], None]:
    rollout_peers.install(world, REPLICAS)
    old = rollout_peers.unserved(world, REPLICAS)
    return lambda: void(rollout_peers.bare(world, old))


def _ways() -> dict[str, Callable[[Bench], Callable[[], None]]]:
    """Name -> what installs the first version and gives back the update to the second."""

    def peer(way: rollout_peers.Way) -> Callable[[Bench], Callable[[], None]]:
        def begin(world: Bench) -> Callable[[], None]:
            old = rollout_peers.install(world, REPLICAS)
            return lambda: void(way(world, old))

        return begin

    def ours(parallel: int) -> Callable[[Bench], Callable[[], None]]:
        return lambda world: _update(world, world.spec(replicas=REPLICAS, parallel=parallel))

    return {
        BARE: _bare,
        "releaser, one at a time": ours(1),
        "releaser, two at a time": ours(2),
        "releaser, all at once": ours(REPLICAS),
        "docker-rollout's way": peer(rollout_peers.docker_rollout),
        "compose recreate's way": peer(rollout_peers.compose_recreate),
    }


def void(_: object) -> None:
    """Nobody asks for it."""


def _update(world: Bench, spec: ContainerSpec) -> Callable[[], None]:
    """The first version is installed; what is given back updates to the second."""
    controller = world.controller()
    first = world.desired("1.0", spec)
    controller.update(world.assignment(first, None, rollout=1))
    update = world.assignment(world.desired("1.1", spec), first, rollout=2)
    return lambda: controller.update(update)


def test_twenty_replicas(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-twenty",
        title=f"Rollout: {MANY} replicas behind HAProxy, four at a time",
        about="With four threads, under 200 requests a second.",
        columns=("", "total", "requests", "failed"),
    )
    measured = Measured()
    for _ in range(max(1, ROUNDS // 2)):
        world.clear()
        begun = _update(world, world.spec(replicas=MANY, parallel=4))
        measured.add(*world.under_load(begun, rate=200, keep_alive=True))
    world.clear()
    section.row("releaser", seconds(measured.total), f"{measured.asked:,}", str(measured.failed))
    section.bars.append(Bar(what="20 replicas", value=measured.total, most=10, unit="s"))
    section.bars.append(Bar(what="failed requests", value=measured.failed, most=0, unit="requests"))
    section.data["releaser"] = measured.facts()
    tell(section)


def test_fixed_port(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-fixed-port",
        title="Rollout: a single container with a fixed port",
        about="Asked all the time by a client that opens a connection for every request; the gap is the longest time without an answer.",
        columns=("", "gap", "requests", "failed"),
    )
    load_haproxy(world.address, HAPROXY)
    found = {name: Measured() for name in _cutovers(world, 0)}
    for _ in range(ROUNDS):
        for name, measured in found.items():
            world.clear()
            port = free_port()
            begun = _cutovers(world, port)[name](world)
            measured.add(*world.under_load(begun, rate=400, keep_alive=False, port=port, connections=4, calm_s=0.5))
    world.clear()
    limits = {"stop, remove, run": 0.0, "stop-first": 1200.0, "network-swap": 600.0, "front": 20.0}
    for name, one in found.items():
        gap = statistics.median(one.gaps)
        section.row(name, f"{gap:.0f} ms", f"{one.asked:,}", str(one.failed))
        section.data[name] = one.facts()
        if limits[name]:
            section.bars.append(Bar(what=f"gap of {name}", value=gap, most=limits[name], unit="ms"))
    section.bars.append(Bar(what="failed with a front", value=found["front"].failed, most=0, unit="requests"))
    tell(section)


def _cutovers(world: Bench, port: int) -> dict[str, Callable[[Bench], Callable[[], None]]]:
    ports = (PortBinding(container_port=PORT, host_port=port),)
    kept = FrontSpec(kind=FrontKind.HAPROXY, port=PORT, image=HAPROXY, drain_s=5.0)
    by_port = HealthSpec(http=f"http://127.0.0.1:{port}/healthz", timeout_s=1.0)

    def declared(**changes: Any) -> Callable[[Bench], Callable[[], None]]:  # noqa: ANN401 -- passed on
        return lambda world: _update(world, world.spec(ports=ports, **{"front": None, **changes}))

    return {
        "stop, remove, run": lambda world: _by_hand(world, port),
        "stop-first": declared(health=by_port),
        "network-swap": declared(cutover=Cutover.NETWORK_SWAP),
        "front": declared(cutover=Cutover.FRONT, front=kept),
    }


def _by_hand(world: Bench, port: int) -> Callable[[], None]:
    engine = world.engine()
    host = {"PortBindings": {f"{PORT}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}}
    first = world.create(engine, "measured", "1.0", **host)
    engine.start(first)
    world.await_ready(world.address_of(engine, first))

    def update() -> None:
        engine.stop(first, grace_s=2)
        engine.remove(first, volumes=True)
        second = world.create(engine, "measured", "1.1", **host)
        engine.start(second)
        world.await_ready(world.address_of(engine, second))
        engine.close()

    return update
