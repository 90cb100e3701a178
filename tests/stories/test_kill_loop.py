"""The service is killed at random moments, again and again, while it rolls out to replicas behind a real HAProxy under load.

Whoever is started after it goes on by the journal alone. After every rollout exactly the wanted replicas run and are in front, nothing is
left over, every step of the journal is done, and no request failed. The seed is printed (`KILL_SEED=…` has it again).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from releaser.assembly import assembled
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Sample, publish
from releaser.demo.ports import free_port
from releaser.demo.registry import Registry
from releaser.domain.plan import RolloutOptions
from releaser.flows.start_rollout import start_rollout
from releaser.targets.docker.client import Engine
from tests import sampled
from tests.fakes import fronted_world
from tests.fakes.git_world import GitWorld
from tests.fakes.load import Load
from tests.stories.test_kill_service import Service, ended
from tests.targets.fronts import front_world

pytestmark = pytest.mark.timeout(900)

KILLS = 25 if sampled.IS_THOROUGH else 3
LONGEST_S = 2.0
SPEC = """\
name: looped
replicas: 3
front: {{kind: haproxy, address: "{address}", group: app, port: 8080, file: {file}, drain_s: 1.5}}
stop_grace_s: 2
health: {{http: "http://{{ip}}:8080/healthz", deadline_s: 30}}
"""
SLOTS = frozenset(f"looped-{number}" for number in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Loop:
    """The service, its front, and what is on the engine."""

    service: Service
    front: front_world.World
    address: str

    def begin(self, version: str) -> int:
        """Start a rollout beside the service."""
        with assembled(fronted_world.settings(self.service.home)) as ports:
            fronted_world.plan(ports, version)
            options = RolloutOptions(starts_at=datetime.now(UTC))
            found: int = start_rollout(
                ports, product="shop", version=version, selector="all", by="rita", options=options
            )["id"]
            return found

    def containers(self) -> dict[str, str]:
        """Name -> version and state of all there are."""
        engine = Engine(self.address, control_timeout_s=20.0, pull_timeout_s=20.0)
        found = [engine.container(str(one["Id"])) for one in engine.containers(name="^/?looped")]
        engine.close()
        return {
            str(raw["Name"])[1:]: f"{raw['Config']['Labels']['releaser.version']} {raw['State']['Status']}"
            for raw in found
            if raw is not None
        }


@pytest.fixture
def loop(engine: PrivateEngine, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """1.0 runs."""
    folder, image = tmp_path_factory.mktemp("l"), f"{registry.address}/looped"
    digests = publish(engine.address, [Sample(version="1.0"), Sample(version="1.1")], repository=image)
    repository = GitWorld(folder / "shop.git")
    repository.commit("Begin")
    service = Service(folder / "home", free_port())
    with ExitStack() as held:
        front = held.enter_context(front_world.haproxy(folder))
        held.callback(_clear, engine.address)
        with assembled(fronted_world.settings(service.home)) as ports:
            spec = SPEC.format(address=f"unix://{folder / 'admin.sock'}", file=folder / "app.cfg")
            fronted_world.declare(ports, spec, image=image, engine=engine.address, repository=repository.folder)
            fronted_world.publish_releases(ports, digests, image=image)
            assert fronted_world.deploy(ports, "1.0")["state"] == "succeeded"
        service.start()
        held.callback(_end, service)
        yield Loop(service, front, engine.address)


def _end(service: Service) -> None:
    if service.process is not None and service.process.poll() is None:
        service.kill()


def _clear(address: str) -> None:
    engine = Engine(address, control_timeout_s=20.0, pull_timeout_s=20.0)
    for one in engine.containers(name="^/?looped"):
        engine.remove(str(one["Id"]), volumes=True)
    engine.close()


def test_service_killed_again_and_again_under_load_all_converges_and_no_request_fails(loop: Loop) -> None:
    chance = sampled.chance()
    killed, rollouts, version = 0, 0, "1.0"
    with (
        Load(loop.front.port, rate=100, keep_alive=True, connections=4) as kept,
        Load(loop.front.port, rate=60, keep_alive=False, connections=4) as single,
    ):
        while killed < KILLS:
            version = "1.1" if version == "1.0" else "1.0"
            rollout = loop.begin(version)
            for _ in range(min(chance.randint(1, 3), KILLS - killed)):
                time.sleep(chance.uniform(0.0, LONGEST_S))  # the moment is the point: it must be any
                loop.service.kill()
                loop.service.start()
                killed += 1
            facts = ended(loop.service, rollout)
            rollouts += 1
            assert facts["state"] == "succeeded", facts
            assert loop.containers() == dict.fromkeys(SLOTS, f"{version} running")
            assert {name[:-13] for name in loop.front.front.servers()} == SLOTS
            assert len(loop.front.front.servers()) == len(SLOTS)
            journal = [step for target in facts["targets"] for step in target["steps"]]
            assert journal
            assert {step["state"] for step in journal} == {"done"}
    asked = sum(load.facts[""]["asked"] for load in (kept, single))
    print(f"{killed} kills in {rollouts} rollouts, {asked} requests", file=sys.stderr)  # noqa: T201 -- figures
    assert [load.facts[""]["how"] for load in (kept, single)] == [{}, {}]
