"""Four replicas behind HAProxy while they are asked: ours beside other ways; and for how long a fixed port is away in each way."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, HealthSpec, PortBinding
from tests.benchmarks import rollout_peers
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.benchmarks.measure import ROUNDS
from tests.benchmarks.rollout_world import HAPROXY, PORT, Begun, Bench, bench

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

RATE = float(os.environ.get("BENCH_RATE", "500"))
PEERS = os.environ.get("BENCH_PEERS", "1") != "0"
PEER_ROUNDS = max(1, ROUNDS // 4)
"""Theirs take long and are far away from any bar."""
REPLICAS = 4
MANY = 20
BARE = "bare: create, start, stop, remove"
ALONE = "releaser, one at a time"
TOGETHER = "releaser, all at once"
ROLLOUT = "docker-rollout"
Way = Callable[[Bench], Begun]


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
    calm_gaps: list[float] = field(default_factory=list)
    before_p99: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)
    why_not: str = ""

    def run(self, world: Bench, way: Way, *, rate: float, keep_alive: bool, **load: Any) -> None:  # noqa: ANN401 -- passed on
        """One more run, from nothing to nothing."""
        world.clear()
        begun = way(world)
        took, facts = world.under_load(begun, rate=rate, keep_alive=keep_alive, **load)
        if begun.own is not None:
            self.own_ms.append(begun.own() * 1000)
        self.add(took, facts)

    def add(self, took: float, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """One more run."""
        self.took.append(took)
        for phase in ("before", "during", "after"):
            self.asked += facts[phase]["asked"]
            self.failed += facts[phase]["failed"]
        # The first answer after a gap may come when the work is done already.
        self.gaps.append(max(facts["during"]["gap_ms"], facts["after"]["gap_ms"]))
        self.calm_gaps.append(facts["before"]["gap_ms"])
        self.before_p99.append(facts["before"]["p99_ms"])
        self.p99.append(max(facts["during"]["p99_ms"], facts["after"]["p99_ms"]))

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
            "calm_gap_ms": [round(one, 1) for one in self.calm_gaps],
            "p99_ms": [self.before_p99, self.p99],
            "own_ms": [round(one, 1) for one in self.own_ms],
            "why_not": self.why_not,
        }


ABOUT = f"""From the first step to the last, images on the host. Each way replaces {REPLICAS} of the same small server on the same engine.

- `bare` is what the engine itself needs, by its API: it waits for nothing and serves nobody, while four others are asked.
- `releaser`: its driver, without a database; its own probe, HAProxy on the host told by the runtime API, drained.
- Requests are made by a process that the others do not hold up, as if it was on another machine.
- The peers by their own command lines (`docker`, `docker-compose`), whose starts are part of their figures, as is whatever they wait for by themselves:
  the engine checks health every second, and docker-rollout looks every second; its drained way runs its hook for {rollout_peers.HOOK_WAITS_S:g} s; swarm watches each task for 5 s by default. They do not tell
  the proxy, which is HAProxy in a container that asks the engine's names and checks each server every second. Their runs are watched for 3 s
  more, ours for half a second: what fails then counts.

p99 is that of requests, before, and during and after the update. Requests are those of all runs; more runs are made of ours."""


def test_replicas_behind_haproxy(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-replicas",
        title=f"Rollout: {REPLICAS} replicas behind HAProxy, {RATE:g} requests a second",
        about=ABOUT,
        columns=("", "keep-alive", "total", "beside bare", "requests", "failed", "p99 before", "p99 during"),
    )
    found: dict[tuple[str, bool], Measured] = {}
    for number in range(ROUNDS):
        ways = _ways() | (_peers() if PEERS and number < PEER_ROUNDS else {})
        for keep_alive in (True, False):
            for name, way in ways.items():
                measured = found.setdefault((name, keep_alive), Measured())
                try:
                    measured.run(world, way, rate=RATE, keep_alive=keep_alive)
                except AssertionError as error:
                    if name in _ways():
                        raise
                    measured.why_not = str(error)
    world.clear()
    bare = _median(found, BARE)
    for (name, keep_alive), one in found.items():
        if not one.took:
            section.row(name, "on" if keep_alive else "off", f"none: {one.why_not}", *[""] * 5)
            continue
        before, during = statistics.median(one.before_p99), statistics.median(one.p99)
        cells = (f"{one.asked:,}", str(one.failed), f"{before:.1f} ms", f"{during:.1f} ms")
        section.row(name, "on" if keep_alive else "off", seconds(one.total), f"{one.total / bare:.2f} ×", *cells)
        section.data[f"{name}, keep-alive {keep_alive}"] = one.facts()
    _bars(section, found)
    tell(section)


def _median(found: Mapping[tuple[str, bool], Measured], named: str) -> float:
    """Of all runs of one way, in seconds."""
    return statistics.median(took for (name, _), one in found.items() if name == named for took in one.took)


def _bars(section: Section, found: Mapping[tuple[str, bool], Measured]) -> None:
    ours = [one for (name, _), one in found.items() if name.startswith("releaser")]
    alone, asked = _median(found, ALONE), sum(one.asked for one in ours)
    own = [ms / REPLICAS for (name, _), one in found.items() if name == ALONE for ms in one.own_ms]
    beyond = max(statistics.median(one.p99) - statistics.median(one.before_p99) for one in ours)
    section.bars += [
        Bar(what=f"failed requests, of {asked:,}", value=sum(one.failed for one in ours), most=0, unit="requests"),
        Bar(what="one at a time, beside the bare calls", value=alone / _median(found, BARE), most=1.15, unit="×"),
        Bar(what="own cost of a replica, without drain", value=statistics.median(own), most=60, unit="ms"),
        Bar(what="p99 during the update beyond before", value=beyond, most=100, unit="ms"),
    ]
    if any(name == ROLLOUT and one.took for (name, _), one in found.items()):
        theirs = _median(found, ROLLOUT)
        together = _median(found, TOGETHER)
        section.bars += [
            Bar(what="all at once, beside docker-rollout, which does so", value=together / theirs, most=0.4, unit="×"),
            Bar(what="one at a time, beside docker-rollout", value=alone / theirs, most=0.4, unit="×"),
        ]


def _ways() -> dict[str, Way]:
    """Name -> what installs the first version and tells the update to the second."""

    def ours(parallel: int) -> Way:
        return lambda world: _update(world, world.spec(replicas=REPLICAS, parallel=parallel))

    return {
        BARE: lambda world: rollout_peers.bare(world, REPLICAS),
        ALONE: ours(1),
        "releaser, two at a time": ours(2),
        TOGETHER: ours(REPLICAS),
    }


def _peers() -> dict[str, Way]:
    """The same of others."""

    def peer(way: Callable[[Bench, int], Begun]) -> Way:
        return lambda world: way(world, REPLICAS)

    return {
        ROLLOUT: peer(rollout_peers.docker_rollout(drained=False)),
        "docker-rollout, drained by its hook": peer(rollout_peers.docker_rollout(drained=True)),
        "docker-compose up, recreate": peer(rollout_peers.compose_recreate),
        "swarm, start-first, one at a time": peer(rollout_peers.swarm_start_first(parallel=1)),
        "swarm, start-first, all at once": peer(rollout_peers.swarm_start_first(parallel=0)),
    }


def _update(world: Bench, spec: ContainerSpec) -> Begun:
    """The first version is installed; what is given back updates to the second."""
    first = world.desired("1.0", spec)
    world.controller().update(world.assignment(first, None, rollout=1))
    controller = world.controller()
    update = world.assignment(world.desired("1.1", spec), first, rollout=2)
    ran: list[float] = []

    def run() -> None:
        ran.append(time.perf_counter())
        controller.update(update)
        ran.append(time.perf_counter())

    return Begun(run, own=lambda: controller.own_s(*ran))


def test_twenty_replicas(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-twenty",
        title=f"Rollout: {MANY} replicas behind HAProxy, four at a time",
        about="With four threads, under 200 requests a second.",
        columns=("", "total", "own, a replica", "requests", "failed"),
    )
    measured = Measured()
    for _ in range(max(1, ROUNDS // 2)):
        way: Way = lambda world: _update(world, world.spec(replicas=MANY, parallel=4))  # noqa: E731 -- one of the ways
        measured.run(world, way, rate=200, keep_alive=True)
    world.clear()
    own = f"{statistics.median(measured.own_ms) / MANY:.0f} ms"
    section.row("releaser", seconds(measured.total), own, f"{measured.asked:,}", str(measured.failed))
    section.bars.append(Bar(what="20 replicas", value=measured.total, most=10, unit="s"))
    section.bars.append(Bar(what="failed requests", value=measured.failed, most=0, unit="requests"))
    section.data["releaser"] = measured.facts()
    tell(section)


def test_fixed_port(world: Bench, tell: Tell) -> None:
    section = Section(
        key="rollout-fixed-port",
        title="Rollout: a single container with a fixed port",
        about="Asked all the time by four clients, which the others do not hold up, that open a connection for every request, 400 times a second; the gap is the longest time "
        "without an answer, during the update and, for as long, before it.",
        columns=("", "gap", "before", "requests", "failed"),
    )
    found = {name: Measured() for name in _cutovers(0)}
    for _ in range(ROUNDS):
        for name, measured in found.items():
            port = free_port()
            way = _cutovers(port)[name]
            measured.run(world, _at(way, port), rate=400, keep_alive=False, connections=4, calm_s=3.0)
    world.clear()
    limits = {"stop, remove, run": 0.0, "stop-first": 1200.0, "network-swap": 600.0, "front": 20.0}
    for name, one in found.items():
        gap = statistics.median(one.gaps)
        calm = statistics.median(one.calm_gaps)
        section.row(name, f"{gap:.0f} ms", f"{calm:.0f} ms", f"{one.asked:,}", str(one.failed))
        section.data[name] = one.facts()
        if limits[name]:
            section.bars.append(Bar(what=f"gap of {name}", value=gap, most=limits[name], unit="ms"))
    section.bars.append(Bar(what="failed with a front", value=found["front"].failed, most=0, unit="requests"))
    tell(section)


def _at(way: Way, port: int) -> Way:
    return lambda world: replace(way(world), port=port)


def _cutovers(port: int) -> dict[str, Way]:
    ports = (PortBinding(container_port=PORT, host_port=port),)
    kept = FrontSpec(kind=FrontKind.HAPROXY, port=PORT, image=HAPROXY, drain_s=5.0)
    by_port = HealthSpec(http=f"http://127.0.0.1:{port}/healthz", timeout_s=1.0)

    def declared(**changes: Any) -> Way:  # noqa: ANN401 -- passed on
        return lambda world: _update(world, world.spec(ports=ports, **{"front": None, **changes}))

    return {
        "stop, remove, run": lambda world: _by_hand(world, port),
        "stop-first": declared(health=by_port),
        "network-swap": declared(cutover=Cutover.NETWORK_SWAP),
        "front": declared(cutover=Cutover.FRONT, front=kept),
    }


def _by_hand(world: Bench, port: int) -> Begun:
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

    return Begun(update)
