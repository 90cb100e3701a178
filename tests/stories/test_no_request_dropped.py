"""Four replicas behind a real HAProxy on a real engine, asked all the time: updated, and a bad version gone back from, and nobody noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from releaser.assembly import assembled
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Behaviour, Sample, publish
from releaser.demo.registry import Registry
from releaser.flows.ports import Facts, Ports
from releaser.targets.docker.client import Engine
from tests.fakes import fronted_world
from tests.fakes.git_world import GitWorld
from tests.fakes.load import Load
from tests.targets.fronts import front_world

VERSIONS = {"1.0": Behaviour.GOOD, "1.1": Behaviour.GOOD, "1.2": Behaviour.SICK, "1.3": Behaviour.EXITS}
SPEC = """\
name: noticed
replicas: 4
parallel: 2
front: {{kind: haproxy, address: "{address}", group: app, port: 8080, file: {file}, drain_s: 1.5}}
stop_grace_s: 2
health: {{http: "http://{{ip}}:8080/healthz", deadline_s: 2}}
"""


@dataclass(frozen=True, slots=True)
class Story:
    """The service, its front, and the engine."""

    ports: Ports
    front: front_world.World
    address: str

    def containers(self) -> dict[str, str]:
        """Name -> version of everything that is there."""
        engine = Engine(self.address, control_timeout_s=5.0, pull_timeout_s=5.0)
        found = [engine.container(str(one["Id"])) for one in engine.containers(name="^/?noticed")]
        engine.close()
        return {
            str(raw["Name"])[1:]: str(raw["Config"]["Labels"]["releaser.version"])
            for raw in found
            if raw is not None and raw["State"]["Running"]
        }


@pytest.fixture
def story(engine: PrivateEngine, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder, image = tmp_path_factory.mktemp("s"), f"{registry.address}/noticed"
    samples = [Sample(version=version, behaviour=behaviour) for version, behaviour in VERSIONS.items()]
    digests = publish(engine.address, samples, repository=image)
    repository = GitWorld(folder / "shop.git")
    repository.commit("Begin")
    with ExitStack() as held:
        front = held.enter_context(front_world.haproxy(folder))
        ports = held.enter_context(assembled(fronted_world.settings(folder / "home")))
        spec = SPEC.format(address=f"unix://{folder / 'admin.sock'}", file=folder / "app.cfg")
        fronted_world.declare(ports, spec, image=image, engine=engine.address, repository=repository.folder)
        fronted_world.publish_releases(ports, digests, image=image)
        held.callback(_clear, engine.address)
        assert fronted_world.deploy(ports, "1.0")["state"] == "succeeded"
        yield Story(ports, front, engine.address)


def _clear(address: str) -> None:
    engine = Engine(address, control_timeout_s=10.0, pull_timeout_s=10.0)
    for one in engine.containers(name="^/?noticed"):
        engine.remove(str(one["Id"]), volumes=True)
    engine.close()


def steps(facts: Facts) -> list[str]:
    return [step["name"] for step in facts["targets"][0]["steps"]]


def test_replicas_are_updated_and_bad_versions_gone_back_from_with_no_request_failed(story: Story) -> None:
    slots = [f"noticed-{number}" for number in range(1, 5)]
    with (
        Load(story.front.port, rate=150, keep_alive=True) as kept,
        Load(story.front.port, rate=100, keep_alive=False) as single,
    ):
        update = fronted_world.deploy(story.ports, "1.1")
        assert update["state"] == "succeeded"
        assert story.containers() == dict.fromkeys(slots, "1.1")
        again = fronted_world.plan(story.ports, "1.1")
        assert (again["unchanged"], again["targets"][0]["drift"]) == (True, "")
        sick = fronted_world.deploy(story.ports, "1.2")
        exits = fronted_world.deploy(story.ports, "1.3")
        assert (sick["state"], exits["state"]) == ("rolled_back", "rolled_back")
        assert story.containers() == dict.fromkeys(slots, "1.1")
    story.front.restart()
    assert [(target["stop"], target["planned_stop_s"]) for target in update["plan"]["targets"]] == [("none", 0.0)]
    assert {"start-new#1-2", "front-put#1-2", "front-drain#3-4", "stop-old#3-4", "remove-old#1-4"} <= set(steps(update))
    assert "front-back#1-2" in steps(sick)
    assert "answers 404" in sick["targets"][0]["reason"]
    assert "no configuration" in exits["targets"][0]["reason"]
    assert len(story.front.front.servers()) == 4, "a front that is started again knows them from its file"
    for load in (kept, single):
        facts = load.facts[""]
        assert set(facts["answers"]) == {"1.0", "1.1"}
        assert facts["failed"] == 0, facts["how"]
        assert facts["asked"] > 300
