"""A bad image on its way to four replicas behind HAProxy, by the whole service: how soon it is stopped, and who noticed."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from releaser.assembly import assembled
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Behaviour, Sample, publish
from releaser.demo.registry import Registry
from releaser.flows.ports import Facts, Ports
from releaser.targets.docker.client import Engine
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.benchmarks.measure import ROUNDS
from tests.fakes import fronted_world
from tests.fakes.git_world import GitWorld
from tests.fakes.load import Load
from tests.targets.fronts import front_world

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

RATE = float(os.environ.get("BENCH_RATE", "500"))
DEADLINE_S = 2.0
GOOD = "1.0"
BAD = {"exits at once": Behaviour.EXITS, "never becomes healthy": Behaviour.SICK}
SPEC = """\
name: measured
replicas: 4
front: {{kind: haproxy, address: "{address}", group: app, port: 8080, drain_s: 1.5}}
stop_grace_s: 2
health: {{http: "http://{{ip}}:8080/healthz", deadline_s: {deadline_s:g}}}
"""
LIMITS = {"exits at once": 1.0, "never becomes healthy": DEADLINE_S + 1.0}


def _versions() -> dict[str, tuple[str, Behaviour]]:
    """Version -> what it is called, how it behaves; a version that was gone back from is not rolled out again."""
    numbered = enumerate((what, how) for _ in range(ROUNDS) for what, how in BAD.items())
    return {f"1.{number + 1}": one for number, one in numbered}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ports, int]]:
    """The service with its first version in service, and the port of the front."""
    folder = tmp_path_factory.mktemp("b")
    repository = GitWorld(folder / "shop.git")
    repository.commit("Begin")
    (folder / "front").mkdir()
    with ExitStack() as held:
        engine = held.enter_context(PrivateEngine(folder / "engine"))
        registry = held.enter_context(Registry(folder / "registry"))
        front = held.enter_context(front_world.haproxy(folder / "front"))
        made = held.enter_context(assembled(fronted_world.settings(folder / "home")))
        image = f"{registry.address}/measured"
        samples = [Sample(version=one, behaviour=how) for one, (_, how) in _versions().items()]
        digests = publish(engine.address, [Sample(version=GOOD), *samples], repository=image)
        spec = SPEC.format(address=f"unix://{folder / 'front' / 'admin.sock'}", deadline_s=DEADLINE_S)
        fronted_world.declare(made, spec, image=image, engine=engine.address, repository=repository.folder)
        fronted_world.publish_releases(made, digests, image=image)
        held.callback(_clear, engine.address)
        assert fronted_world.deploy(made, GOOD)["state"] == "succeeded"
        yield made, front.port


def _clear(address: str) -> None:
    engine = Engine(address, control_timeout_s=10.0, pull_timeout_s=10.0)
    for one in engine.containers(name="^/?measured"):
        engine.remove(str(one["Id"]), volumes=True)
    engine.close()


def test_bad_images(ports: tuple[Ports, int], tell: Tell) -> None:
    section = Section(
        key="rollout-bad",
        title=f"Rollout: a bad image, 4 replicas behind HAProxy, {RATE:g} requests a second",
        about="By the whole service with its database, one replica at a time. Stopped: from the start of the first new container "
        f"until the way back begins; whole again: until all is as it was. Deadline of health: {DEADLINE_S:g} s.",
        columns=("", "stopped", "whole again", "requests", "failed"),
    )
    stopped: dict[str, list[float]] = {what: [] for what in BAD}
    whole: dict[str, list[float]] = {what: [] for what in BAD}
    asked, failed = dict.fromkeys(BAD, 0), dict.fromkeys(BAD, 0)
    served, port = ports
    for version, (what, _) in _versions().items():
        with Load(port, rate=RATE, connections=16, keep_alive=True) as load:
            facts = fronted_world.deploy(served, version)
        assert facts["state"] == "rolled_back", facts["targets"]
        started, back, ended = _moments(facts)
        stopped[what].append((back - started).total_seconds())
        whole[what].append((ended - started).total_seconds())
        asked[what] += load.facts[""]["asked"]
        failed[what] += load.facts[""]["failed"]
    for what in BAD:
        median = statistics.median(stopped[what])
        cells = (seconds(median), seconds(statistics.median(whole[what])), f"{asked[what]:,}", str(failed[what]))
        section.row(what, *cells)
        section.data[what] = {"stopped_s": stopped[what], "whole_s": whole[what]}
        section.bars.append(Bar(what=f"{what}: stopped", value=median, most=LIMITS[what], unit="s"))
    section.bars.append(Bar(what="failed requests", value=sum(failed.values()), most=0, unit="requests"))
    tell(section)


def _moments(facts: Facts) -> tuple[datetime, datetime, datetime]:
    """When the first new one was started, when the way back began, and when it ended."""
    steps = facts["targets"][0]["steps"]
    started = next(step for step in steps if step["name"].startswith("start-new"))
    back = next(step for step in steps if step["name"].startswith("restore-old"))
    return started["done_at"], back["intent_at"], steps[-1]["done_at"]
