"""The same containers behind each real front, on a real engine: in, out, more of them, fewer, and back; a front that is gone and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, HealthSpec
from releaser.domain.target import Assignment, Desired, Phase
from releaser.targets.front import FrontUnreachableError
from tests.fakes.controller import Controller
from tests.targets.docker_world import PORT, World
from tests.targets.fronts import front_world

Starter = Callable[[Path], AbstractContextManager[front_world.World]]


@pytest.fixture(params=[FrontKind.HAPROXY, FrontKind.CADDY])
def fronted(
    request: pytest.FixtureRequest, real_world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, front_world.World, ContainerSpec]]:
    folder = tmp_path_factory.mktemp("r")
    haproxy = request.param is FrontKind.HAPROXY
    start: Starter = front_world.haproxy if haproxy else front_world.caddy
    socket = folder / ("admin.sock" if haproxy else "caddy.sock")
    front = FrontSpec(
        kind=request.param,
        group="app",
        port=PORT,
        address=f"unix://{socket}",
        file=str(folder / "app.cfg") if haproxy else "",
        drain_s=1.0 if haproxy else 0.1,
    )
    health = HealthSpec(http=f"http://{{ip}}:{PORT}/healthz", timeout_s=1.0)
    with start(folder) as running:
        name = "contract-fronted"
        yield real_world, running, ContainerSpec(name=name, replicas=2, front=front, stop_grace_s=2, health=health)


def versions(front: front_world.World) -> set[tuple[int, str]]:
    return {(status, text.strip()) for status, text in (asked(front) for _ in range(8))}


def asked(front: front_world.World) -> tuple[int, str]:
    status, page = front.get()
    return status, page.partition("<strong>")[2].partition("<")[0]


def until_commit(controller: Controller, update: Assignment) -> None:
    for step in controller.plan(update):
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, update, wanted=update.desired)


def names(world: World) -> set[str]:
    engine = world.engine()
    found = [engine.container(str(one["Id"])) for one in engine.containers(name="^/?contract-fronted")]
    engine.close()
    return {str(raw["Name"])[1:] for raw in found if raw is not None}


def test_replicas_come_and_go_behind_a_real_front(
    fronted: tuple[World, front_world.World, ContainerSpec],
) -> None:
    world, front, spec = fronted
    first: Desired = world.desired("1.0", spec)
    controller = world.controller()
    controller.update(world.assignment(first))
    assert versions(front) == {(200, "1.0")}

    update = world.update_of(first, "1.1", replicas=3)
    until_commit(controller, update)
    assert versions(front) == {(200, "1.1")}
    assert len(front.front.servers()) == 3
    controller.roll_back(update)
    assert versions(front) == {(200, "1.0")}
    assert names(world) == {"contract-fronted-1", "contract-fronted-2"}

    fewer = replace(world.update_of(first, "1.1", replicas=1), attempt=2, generation=3)
    controller.update(fewer)
    assert versions(front) == {(200, "1.1")}
    assert names(world) == {"contract-fronted-1"}
    assert len(front.front.servers()) == 1
    front.restart()
    assert versions(front) == {(200, "1.1")}, "a front that starts again knows its servers"


def test_front_that_is_gone_is_named_and_nothing_is_begun(
    fronted: tuple[World, front_world.World, ContainerSpec],
) -> None:
    world, _, spec = fronted
    assert spec.front is not None
    elsewhere = replace(spec, front=replace(spec.front, address="unix:///nowhere/front.sock"))
    with pytest.raises(FrontUnreachableError, match=r"/nowhere/front\.sock does not answer"):
        world.controller().update(world.assignment(world.desired("1.0", elsewhere)))
    assert names(world) == set()
