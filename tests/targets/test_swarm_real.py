"""The swarm driver on real swarm mode: three engines of the test bed, four tasks behind the proxy, requests all the time.

The test bed's kernel may have no IP_VS; `dnsrr` and the proxy work with and without it. How long updates took is printed (`-s`).
With HYPOTHESIS_PROFILE=thorough the controller is killed 25 times at random moments (KILL_SEED repeats a run), a leader is lost, and
a node is cut off and waited for.
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releaser.demo.engine import talk
from releaser.demo.images import Behaviour, Healthcheck, Sample, publish
from releaser.domain.operation import Operation, OperationKind
from releaser.domain.spec import EndpointMode, HealthSpec, Order, SwarmPort, SwarmProxy, SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired, Health, Stop, planned_stop
from releaser.errors import OutsideError
from releaser.targets.probe import http_probe
from releaser.targets.swarm.client import Manager
from releaser.targets.swarm.payload import BEFORE
from tests.fakes.controller import Controller, GateError
from tests.fakes.load import Load
from tests.targets.haproxy_image import load_haproxy
from tests.targets.swarm_world import SwarmWorld
from tests.testbed.bed import Bed
from tests.testbed.host import Host

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
ROOT = Path(__file__).resolve().parents[2]
PORT = 8080
KILLS_AFTER = ("claim-service", "update-service")


class RealSwarm:
    """Three managers, the images in the registry, and the service that the tests update one after the other."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.hosts = bed.hosts(3)
        first = self.hosts[0]
        repository = f"{bed.registry.address}/swarm"
        samples = [Sample(version=version, healthcheck=Healthcheck.OWN) for version in ("1.2", "1.3")]
        samples.append(Sample(version="exits", behaviour=Behaviour.EXITS))
        samples.append(Sample(version="sick", behaviour=Behaviour.SICK, healthcheck=Healthcheck.OWN))
        digests = publish(first.address, samples, repository=repository)
        self.proxy = f"{bed.registry.address}/haproxy@{_pushed_haproxy(first, f'{bed.registry.address}/haproxy')}"
        bed.swarm(*self.hosts)
        with talk(first.address) as client:
            client.create_network("back", driver="overlay", attachable=True)
        self.world = SwarmWorld(
            address=first.tcp, repository=repository, digests=digests, probe=http_probe, network="back"
        )
        self.manager = Manager(first.tcp, control_timeout_s=10, pull_timeout_s=10)
        self.rollout = 0
        self.running: Desired | None = None

    def spec(self, **more: Any) -> SwarmSpec:  # noqa: ANN401  # passed on
        """Four tasks, start-first, one at a time, behind the proxy."""
        settings: dict[str, Any] = {
            "name": "shop",
            "replicas": 4,
            "order": Order.START_FIRST,
            "endpoint_mode": EndpointMode.DNSRR,
            "ports": (SwarmPort(published=PORT, target=PORT),),
            "proxy": SwarmProxy(image=self.proxy),
            "monitor_s": 1.0,
            "health": HealthSpec(http=f"http://{{host}}:{PORT}/healthz", timeout_s=2.0, deadline_s=120.0),
            "managers": tuple(host.tcp for host in self.hosts[1:]),
        }
        return self.world.spec(**{**settings, **more})

    def update(self, version: str, **more: Any) -> Assignment:  # noqa: ANN401  # passed on
        """The next rollout, from what runs."""
        self.rollout += 1
        desired = self.world.desired(version, self.spec(**more))
        return self.world.assignment(desired, self.running, rollout=self.rollout)

    def carry_out(self, assignment: Assignment) -> float:
        """Carry it out; the seconds it took."""
        began = time.monotonic()
        self.world.controller(deadline_s=90, pause_s=0.1).update(assignment)
        self.running = assignment.desired
        return time.monotonic() - began

    def at_least(self, version: str) -> Desired:
        """Something that runs, of this version where nothing does yet."""
        if self.running is None:
            self.carry_out(self.update(version))
        assert self.running is not None
        return self.running

    def other(self) -> str:
        """The good version that does not run."""
        assert self.running is not None
        return "1.3" if self.running.version == "1.2" else "1.2"

    def left_over(self, wanted: Desired) -> list[str]:
        """What is there besides what is wanted."""
        raw = self.manager.service("shop")
        assert raw is not None
        running = [one for one in self.manager.tasks(str(raw["ID"])) if one["Status"]["State"] == "running"]
        images = [str(one["Spec"]["ContainerSpec"]["Image"]) for one in running]
        names = sorted(str(service["Spec"]["Name"]) for service in self.manager.services())
        return [
            *(label for label in raw["Spec"]["Labels"] if label == BEFORE),
            *(image for image in images if image != wanted.reference),
            *(name for name in names if name not in {"shop", "shop-proxy"}),
        ]

    def whole(self, wanted: Desired) -> None:
        """Nothing else is there, once what was told to end has ended (its grace is 3 s)."""
        until(lambda: self.left_over(wanted) == [], within_s=15)

    def close(self) -> None:
        self.world.close()
        self.manager.close()
        self.bed.unswarm(*self.hosts)


def _pushed_haproxy(host: Host, repository: str) -> str:
    """The digest of the proxy's image in the registry."""
    load_haproxy(host.address, f"{repository}:test")
    with talk(host.address) as client:
        for line in client.push(
            repository, "test", stream=True, decode=True, auth_config={"username": "", "password": ""}
        ):
            assert "error" not in line, line
            if digest := (line.get("aux") or {}).get("Digest"):
                return str(digest)
    raise AssertionError("the registry told no digest")


@pytest.fixture(scope="module")
def swarm(testbed: Bed) -> Iterator[RealSwarm]:
    made = RealSwarm(testbed)
    yield made
    made.close()


def until(happens: Callable[[], bool], *, within_s: float) -> None:
    """Wait for it."""
    ends = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < ends, f"nothing of it within {within_s} s"
        time.sleep(0.3)


def told(what: str) -> None:
    sys.stdout.write(what + "\n")


@pytest.mark.parametrize("parallel", [1, 0], ids=["one at a time", "all four"])
def test_four_tasks_updated_under_load_no_request_fails(swarm: RealSwarm, parallel: int) -> None:
    swarm.at_least("1.2")
    assignment = swarm.update(swarm.other(), parallel=parallel)
    with Load(PORT, rate=100, connections=4, host=swarm.hosts[1].ip) as load:
        took = swarm.carry_out(assignment)
        time.sleep(0.5)  # what still arrives at tasks that are gone would fail now
    facts = load.facts[""]
    told(f"4 tasks, {parallel or 'all'} at a time: {took:.1f} s, {facts['failed']} of {facts['asked']} failed")
    assert facts["failed"] == 0, facts["how"]
    assert len(facts["answers"]) == 2, "the old and the new version answered"
    assert swarm.world.driver().observe(assignment).runs(assignment.desired)
    swarm.whole(assignment.desired)


@pytest.mark.parametrize(
    "operation",
    [
        Operation(kind=OperationKind.ADD_INSTANCE, module="web", count=1),
        Operation(kind=OperationKind.RESIZE, module="web", memory_mb=64, cpus=0.5),
    ],
    ids=["add-instance", "resize"],
)
def test_scaled_under_load_nothing_stops_and_the_proxy_is_left_alone(swarm: RealSwarm, operation: Operation) -> None:
    before = swarm.at_least("1.2")
    proxy = swarm.manager.service("shop-proxy")
    spec = of_kind(operation.changed(before.spec), SwarmSpec)
    changed = {name: getattr(spec, name) for name in ("replicas", "memory_mb", "cpus")}
    assignment = swarm.update(before.version, **{**changed, "parallel": 0})
    assert planned_stop(swarm.world.controller().plan(assignment))[0] is Stop.NONE
    with Load(PORT, rate=60, connections=4, host=swarm.hosts[1].ip) as load:
        took = swarm.carry_out(assignment)
        time.sleep(0.5)
    facts = load.facts[""]
    told(f"{operation}: {took:.1f} s, {facts['failed']} of {facts['asked']} failed")
    assert facts["failed"] == 0, facts["how"]
    assert swarm.world.driver().observe(assignment).runs(assignment.desired)
    now = swarm.manager.service("shop-proxy")
    assert proxy is not None
    assert now is not None
    assert now["Version"] == proxy["Version"]
    swarm.whole(assignment.desired)


@pytest.mark.parametrize("version", ["exits", "sick"] if IS_THOROUGH else ["exits"])
def test_bad_image_swarm_pauses_and_the_old_digest_is_back_without_a_failed_request(
    swarm: RealSwarm, version: str
) -> None:
    before = swarm.at_least("1.2")
    assignment = swarm.update(version)
    with Load(PORT, rate=100, connections=4, host=swarm.hosts[2].ip) as load:
        began = time.monotonic()
        with pytest.raises(GateError) as caught:
            swarm.carry_out(assignment)
        verdict_after = time.monotonic() - began
        swarm.world.controller(deadline_s=60, pause_s=0.1).roll_back(assignment)
        took = time.monotonic() - began
        time.sleep(0.5)
    assert "the swarm paused" in caught.value.verdict.reason
    if version == "exits":
        assert caught.value.verdict.health is Health.EXITED
        assert "no configuration" in caught.value.verdict.reason, "its last words are told, from whatever node"
    facts = load.facts[""]
    told(f"{version}: verdict {verdict_after:.1f} s, back {took:.1f} s, {facts['failed']} of {facts['asked']} failed")
    assert facts["failed"] == 0, facts["how"]
    assert swarm.world.driver().observe(assignment).runs(before)
    swarm.whole(before)


def moments() -> list[tuple[str, float]]:
    """After which step, and how many seconds later, the controller is killed."""
    if not IS_THOROUGH:
        return [(step, 0.6 * number) for number, step in enumerate(KILLS_AFTER)]
    seed = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    told(f"KILL_SEED={seed}")
    choice = random.Random(seed)  # noqa: S311 -- no secret
    return [(choice.choice(KILLS_AFTER), choice.uniform(0, 5)) for _ in range(25)]


@pytest.mark.timeout(1500 if IS_THOROUGH else 120)
def test_controller_killed_in_mid_update_the_next_one_goes_on_and_nothing_is_left_over(swarm: RealSwarm) -> None:
    swarm.at_least("1.2")
    with Load(PORT, rate=60, connections=4, host=swarm.hosts[0].ip) as load:
        for step, later_s in moments():
            assignment = swarm.update(swarm.other(), parallel=0)
            _killed(assignment, after=step, later_s=later_s)
            again = replace(assignment, generation=assignment.generation + 1)
            swarm.rollout += 1
            swarm.carry_out(again)
            assert swarm.world.driver().observe(again).runs(again.desired)
            swarm.whole(again.desired)
        time.sleep(0.5)
    facts = load.facts[""]
    told(f"killed {len(moments())} times: {facts['failed']} of {facts['asked']} failed")
    assert facts["failed"] == 0, facts["how"]


def _killed(assignment: Assignment, *, after: str, later_s: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.targets.swarm_child"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(pickle.dumps(assignment))
    child.stdin.close()
    for line in child.stdout:
        if line.decode().strip() in {after, "done"}:
            break
    time.sleep(later_s)
    child.kill()
    child.stdout.close()
    child.wait()


def test_doctor_tells_of_the_swarm_and_which_way_works(swarm: RealSwarm) -> None:
    said = swarm.world.driver().check(swarm.hosts[0].tcp)
    assert "swarm of 3 nodes, 3 managers" in said
    assert "IP_VS" in said


def test_service_made_by_hand_is_taken_over_updated_and_keeps_what_is_not_declared(swarm: RealSwarm) -> None:
    world = swarm.world
    image = f"{world.repository}:1.2@{world.digests['1.2']}"
    made = {
        "Name": "byhand",
        "Labels": {"team": "blue"},
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Env": ["MODE=live"], "Hosts": ["192.0.2.1 db"], "Init": True},
            "Networks": [{"Target": "back", "Aliases": ["shop-by-hand"]}],
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {"Order": "start-first", "Parallelism": 1, "Monitor": 500_000_000, "FailureAction": "rollback"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }
    swarm.manager.create_service(made, image=image, credentials={})
    try:
        (found,) = world.driver().adoptable(world.address, names=("byhand",), project="")
        assert isinstance(found.spec, SwarmSpec)
        spec = replace(found.spec, health=HealthSpec(stay_up_for_s=0))
        before = Desired(version="1.2", image=found.image, digest=found.digest or "", spec=spec)
        assignment = replace(world.assignment(world.desired("1.3", spec), before), rollout=900, generation=900)
        world.controller(deadline_s=60, pause_s=0.1).update(assignment)
        assert world.driver().observe(assignment).runs(assignment.desired)
        raw = swarm.manager.service("byhand")
        assert raw is not None
        task = raw["Spec"]["TaskTemplate"]
        assert (task["ContainerSpec"]["Hosts"], task["ContainerSpec"]["Init"]) == (["192.0.2.1 db"], True)
        assert task["Networks"][0]["Aliases"] == ["shop-by-hand"]
        assert raw["Spec"]["UpdateConfig"]["FailureAction"] == "pause"
    finally:
        swarm.manager.remove_service("byhand")


@pytest.mark.skipif(not IS_THOROUGH, reason="a swarm takes some 20 s to notice; HYPOTHESIS_PROFILE=thorough")
def test_node_cut_off_is_named_and_its_tasks_do_not_count(swarm: RealSwarm) -> None:
    """Last of all: it takes the swarm some 30 s to be whole again."""
    running = swarm.at_least("1.2")
    assignment = swarm.world.assignment(running, running, rollout=swarm.rollout)
    lost = swarm.hosts[2]
    driver = swarm.world.driver()
    began = time.monotonic()
    lost.cut()
    try:
        until(lambda: "does not answer" in driver.observe(assignment).detail, within_s=40)
        noticed = time.monotonic() - began
        until(lambda: driver.verify(assignment, wanted=running).health is Health.HEALTHY, within_s=60)
        elsewhere = time.monotonic() - began
        verdict = driver.verify(assignment, wanted=running)
        assert "h3 does not answer" in verdict.reason
        assert "may run there still" in verdict.reason
        assert "h3 (" not in verdict.reason.partition(";")[0], "no task there counts"
    finally:
        lost.mend()
    told(f"node cut off: noticed {noticed:.1f} s, whole elsewhere {elsewhere:.1f} s")
    until(lambda: "does not answer" not in driver.observe(assignment).detail, within_s=60)
    until(lambda: swarm.left_over(running) == [], within_s=60)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not IS_THOROUGH, reason="a lost leader takes some 20 s; HYPOTHESIS_PROFILE=thorough")
def test_leader_lost_in_mid_update_another_manager_is_asked(swarm: RealSwarm) -> None:
    swarm.at_least("1.2")
    assignment = swarm.update(swarm.other())
    controller = swarm.world.controller(deadline_s=120, pause_s=0.2)
    steps = controller.plan(assignment)
    for step in steps[:3]:
        swarm.world.driver().apply(step, assignment)
    swarm.hosts[0].kill()
    try:
        until(lambda: _carried_on(controller, assignment), within_s=90)
        assert swarm.world.driver().observe(assignment).runs(assignment.desired)
    finally:
        swarm.hosts[0].start()
    swarm.running = assignment.desired


def _carried_on(controller: Controller, assignment: Assignment) -> bool:
    """Whether it is at its end; a passing fault, such as an election, is tried again as a worker would."""
    try:
        controller.update(assignment)
    except OutsideError as error:
        if error.permanent:
            raise
        return False
    return True
