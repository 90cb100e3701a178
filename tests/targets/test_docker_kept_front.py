"""A fixed port that a small HAProxy of our own holds: on a real engine, asked all the time."""

from __future__ import annotations

import csv
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from releaser.demo.ports import free_port
from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, HealthSpec, PortBinding
from releaser.domain.target import Assignment, Phase, Stop, planned_stop
from releaser.errors import RefusedError
from releaser.targets.docker.kept_front import FrontDiffersError
from tests.fakes.load import Load
from tests.targets.docker_world import PORT, World
from tests.targets.haproxy_image import load_haproxy

IMAGE = "front.test/haproxy:own"
NETWORK = "contract-kept"


@pytest.fixture
def world(real_world: World) -> Iterator[World]:
    load_haproxy(real_world.address, IMAGE)
    engine = real_world.engine()
    engine.create_network(NETWORK, internal=False)
    yield real_world
    for one in engine.containers(name="^/?kept"):
        engine.remove(str(one["Id"]), volumes=True)
    engine._call("DELETE", f"/networks/{NETWORK}")
    engine.close()


def kept(port: int, **changes: Any) -> ContainerSpec:  # noqa: ANN401  # passed on
    given: dict[str, Any] = {
        "cutover": Cutover.FRONT,
        "front": FrontSpec(kind=FrontKind.HAPROXY, port=PORT, image=IMAGE, drain_s=2.0),
        **changes,
    }
    return ContainerSpec(
        name="kept",
        networks=(NETWORK,),
        ports=(PortBinding(container_port=PORT, host_port=port),),
        stop_grace_s=2,
        health=HealthSpec(http=f"http://{{ip}}:{PORT}/healthz", timeout_s=1.0),
        **given,
    )


def there(world: World) -> dict[str, str]:
    engine = world.engine()
    found = [engine.container(str(one["Id"])) for one in engine.containers(name="^/?kept")]
    engine.close()
    return {str(raw["Name"])[1:]: str(raw["State"]["Status"]) for raw in found if raw is not None}


def ids(world: World) -> str:
    return str(world.raw("kept-front")["Id"])


def test_kept_front_owns_the_port_and_updates_behind_it_drop_nothing(world: World) -> None:
    port = free_port()
    desired = world.desired("1.0", kept(port))
    world.controller().update(world.assignment(desired))
    assert there(world) == {"kept-front": "running", "kept-1": "running"}
    front = ids(world)
    with Load(port, rate=200, connections=4, keep_alive=False) as load:
        load.enter("update")
        update = world.update_of(desired, "1.1")
        controller = world.controller()
        assert planned_stop(controller.plan(update))[0] is Stop.NONE
        controller.update(update)
        third = replace(world.assignment(world.desired("exits", kept(port)), update.desired), rollout=3, generation=3)
        with pytest.raises(Exception, match="exited"):
            controller.update(third)
        controller.roll_back(third)
        load.enter("over")
    facts = load.facts["update"]
    assert facts["failed"] == 0, facts["how"]
    assert set(facts["answers"]) == {"1.0", "1.1"}
    assert there(world) == {"kept-front": "running", "kept-1": "running"}
    assert ids(world) == front
    engine = world.engine()
    engine.stop("kept-front", grace_s=1)
    engine.start("kept-front")
    engine.close()
    world.controller().gate(replace(update, gate="start-new#1"), update.desired)
    assert asked_again(world, port) == 200, "started again, it finds the containers by their names"


def test_front_starts_again_after_instances_were_added_all_of_them_get_requests(world: World) -> None:
    port = free_port()
    desired = world.desired("1.0", kept(port))
    world.controller().update(world.assignment(desired))
    front = ids(world)
    world.controller().update(world.update_of(desired, "1.0", replicas=3))
    assert ids(world) == front, "an update leaves the front alone"
    engine = world.engine()
    engine.stop("kept-front", grace_s=1)
    engine.start("kept-front")
    engine.close()
    asked: dict[str, int] = {}
    for _ in range(2000):
        asked_again(world, port)
        asked = requests_by_server(world)
        if len(asked) == 3:
            break
    assert set(asked) == {"found-1", "found-2", "found-3"}, "who was added, or is not the first, gets nothing"


def requests_by_server(world: World) -> dict[str, int]:
    """How often each was asked, as the front counts."""
    networks = world.raw("kept-front")["NetworkSettings"]["Networks"]
    with socket.create_connection((networks[NETWORK]["IPAddress"], 9999), timeout=20) as opened:
        opened.sendall(b"show stat\n")
        told = b"".join(iter(lambda: opened.recv(65536), b"")).decode().removeprefix("# ")
    rows = [row for row in csv.DictReader(told.splitlines()) if row["pxname"] == "app" and row["svname"] != "BACKEND"]
    return {row["svname"]: int(row["stot"]) for row in rows if int(row["stot"])}


def asked_again(world: World, port: int) -> int:
    for _ in range(200):
        try:
            if (status := world.probe(f"http://127.0.0.1:{port}/healthz", timeout_s=2.0)) == 200:
                return status
        except OSError:
            continue
    return 0


def test_single_container_gets_its_front_once_with_a_stop_that_is_told_and_can_go_back(world: World) -> None:
    port = free_port()
    desired = world.desired("1.0", kept(port, cutover=Cutover.STOP_FIRST, front=None))
    world.controller().update(world.assignment(desired))
    wanted = kept(port)
    update: Assignment = world.update_of(desired, "1.1", cutover=wanted.cutover, front=wanted.front)
    controller = world.controller()
    steps = controller.plan(update)
    assert planned_stop(steps)[0] is Stop.FULL
    assert "after this, nothing stops" in next(step.why for step in steps if step.why)
    for step in steps:
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)
    assert world.probe(f"http://127.0.0.1:{port}/version", timeout_s=2.0) == 200
    controller.roll_back(update)
    assert there(world) == {"kept": "running"}
    again = replace(update, attempt=2, generation=3)
    controller.update(again)
    assert there(world) == {"kept-front": "running", "kept-1": "running"}
    leaving = replace(world.update_of(again.desired, "1.0", cutover=Cutover.STOP_FIRST, front=None), generation=4)
    with pytest.raises(RefusedError, match="cannot be left"):
        controller.plan(leaving)


def test_front_that_is_there_owns_another_port_nothing_is_touched_and_its_way_out_is_told(world: World) -> None:
    port, other = free_port(), free_port()
    installed = world.desired("1.0", kept(port))
    world.controller().update(world.assignment(installed))
    elsewhere = replace(installed, spec=kept(other))
    update = replace(world.assignment(world.desired("1.1", kept(other)), elsewhere), rollout=2, generation=2)
    controller = world.controller()
    with pytest.raises(FrontDiffersError, match=rf"owns port \S*:{port}, not \S*:{other},") as caught:
        controller.update(update)
    assert "docker rm -f kept-front" in caught.value.advice
    assert world.probe(f"http://127.0.0.1:{port}/version", timeout_s=2.0) == 200
    engine = world.engine()
    engine.remove("kept-front", volumes=True)
    engine.close()
    again = replace(update, attempt=2, generation=3)
    controller.update(again)
    start = next(step for step in controller.plan(again) if step.name == "front-start")
    assert world.driver().apply(start, again) == f"kept-front serves port {other}"
    assert world.probe(f"http://127.0.0.1:{other}/version", timeout_s=2.0) == 200
