"""The service is killed in the middle of rollouts on a real engine; started again, it finishes what it had begun.

Random moments by a seed that is printed (`KILL_SEED=…` has it again). Each installation runs the old or the new version,
whole; one container serves, nothing is left over, and the journal tells what happened.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from releaser.assembly import assembled, configured
from releaser.clock import SystemClock
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Behaviour, Sample, publish
from releaser.demo.ports import free_port
from releaser.demo.registry import Registry
from releaser.domain.plan import RolloutOptions
from releaser.domain.release import ReleaseState
from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding, of_kind
from releaser.domain.version import Scheme, parse
from releaser.flows.announce_notice import announce_notice
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.store import products, releases
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.plain import dump, load_spec
from releaser.store.products import Module, Product
from releaser.store.releases import Release
from tests import needs, sampled

pytestmark = pytest.mark.timeout(300)

VERSIONS = {"1.0": Behaviour.GOOD, "1.1": Behaviour.GOOD, "1.2": Behaviour.SICK}
DEADLINE_S = 60.0


@dataclass(slots=True)
class Service:
    """`releaser serve` in a process of its own, that can be killed."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    log: list[str] = field(default_factory=list)

    def start(self) -> None:
        environment = {
            **os.environ,
            "RELEASER_HOME": str(self.home),
            "RELEASER_PORT": str(self.port),
            "PYTHONFAULTHANDLER": "1",
        }
        with (self.home / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "releaser", "serve"], env=environment, stdout=log, stderr=log
            )
        ends = time.monotonic() + DEADLINE_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10):
                    return
            except OSError:
                assert self.process.poll() is None, (self.home / "service.log").read_text()
                assert time.monotonic() < ends, f"the service does not become ready; {self.stuck()}"
                time.sleep(0.05)  # nothing tells when a process begins to listen

    def stuck(self) -> str:
        """End it, and tell where each of its threads stood."""
        assert self.process is not None
        self.process.send_signal(signal.SIGABRT)
        self.process.wait()
        return (self.home / "service.log").read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> float:
        """SIGTERM; how long it took to end."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"the service does not end; {self.stuck()}") from error
        return time.monotonic() - begun

    def get(self, path: str) -> Any:  # noqa: ANN401 -- JSON
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=40) as answer:
            return json.loads(answer.read())


@pytest.fixture
def names() -> list[str]:
    return [f"kill-{n}-{os.getpid()}" for n in (1, 2, 3)]


@pytest.fixture
def service(engine: PrivateEngine, registry: Registry, names: list[str], tmp_path: Path) -> Iterator[Service]:
    """A service whose three installations run 1.0 on the real engine."""
    needs.program("busybox", of="busybox")
    samples = [Sample(version=v, behaviour=behaviour) for v, behaviour in VERSIONS.items()]
    digests = publish(engine.address, samples, repository=f"{registry.address}/killed")
    assert set(digests) == set(VERSIONS)
    seed_store(tmp_path, engine.address, f"{registry.address}/killed", names)
    made = Service(tmp_path, free_port())
    made.start()
    try:
        assert ended(made, begin(made, "1.0"))["state"] == "succeeded"
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        remove(engine.address, names)


def seed_store(home: Path, address: str, repository: str, names: list[str]) -> None:
    """The vendor's data, written as rows: what is tested here begins with the rollout."""
    with assembled(configured(home=home)) as ports, ports.database.transaction() as session:
        now = SystemClock().now()
        product = Product(name="shop", scheme=Scheme.TWO_PART, ticket_patterns=[], created_at=now)
        product.modules = [Module(name="app", image=repository + ":{version}")]
        customer = Customer(name="acme", regulation={})
        customer.contacts = [Contact(email="operations@acme.test")]
        host = Host(name="host", address=address)
        session.add_all([product, customer, host])
        session.flush()
        for version in VERSIONS:
            parsed = parse(version, scheme=Scheme.TWO_PART)
            session.add(
                Release(
                    product_id=product.id,
                    version=parsed.text,
                    version_key=parsed.key,
                    line=parsed.line,
                    kind=parsed.kind,
                    state=ReleaseState.PUBLISHED,
                    published_at=now,
                )
            )
        session.flush()
        releases.renumber(session, products.get(session, "shop"))
        for name in names:
            row = Installation(name=name, customer_id=customer.id, product_id=product.id, labels={})
            session.add(row)
            session.flush()
            session.add(
                Target(
                    installation_id=row.id, module_id=product.modules[0].id, host_id=host.id, spec=dump(spec_of(name))
                )
            )


def spec_of(name: str) -> ContainerSpec:
    port = free_port()
    return ContainerSpec(
        name=name,
        ports=(PortBinding(container_port=8080, host_port=port),),
        order=Order.STOP_FIRST,
        stop_grace_s=2,
        health=HealthSpec(http=f"http://127.0.0.1:{port}/healthz", deadline_s=45.0, timeout_s=1.0),
    )


def give_less_time(service: Service, deadline_s: float) -> None:
    """What never becomes healthy need not be waited for as long as a busy machine takes for what does."""
    with assembled(configured(home=service.home)) as ports, ports.database.transaction() as session:
        for target in session.query(Target):
            spec = of_kind(load_spec(target.spec), ContainerSpec)
            target.spec = dump(replace(spec, health=replace(spec.health, deadline_s=deadline_s)))


def begin(service: Service, version: str) -> int:
    """Plan, announce, start: through the flows, beside the running service."""
    with assembled(configured(home=service.home)) as ports:
        options = RolloutOptions(starts_at=datetime.now(UTC))
        plan = plan_rollout(
            ports, product="shop", version=version, selector="all", by="rita", options=options, save=True
        )
        for notice_id in plan["notices"]:
            announce_notice(ports, notice_id=notice_id, by="rita")
        found: int = start_rollout(ports, product="shop", version=version, selector="all", by="rita", options=options)[
            "id"
        ]
        return found


def ended(service: Service, rollout: int) -> dict[str, Any]:
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends:
        facts: dict[str, Any] = service.get(f"/v1/rollouts/{rollout}?wait=5")
        if facts["state"] in {"succeeded", "failed", "rolled_back", "aborted"}:
            return facts
    raise AssertionError(f"rollout {rollout} does not end: {service.get(f'/v1/rollouts/{rollout}')}; {service.stuck()}")


def containers(address: str, names: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Name -> (state, image) of every container whose name begins like one of `names`, left-overs included."""
    listed = json.loads(
        subprocess.run(
            ["curl", "-s", "--unix-socket", address.removeprefix("unix://"), "http://engine/containers/json?all=1"],
            check=True,
            capture_output=True,
        ).stdout
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for one in listed:
        name = one["Names"][0].lstrip("/")
        if name.startswith(tuple(names)):
            found.setdefault(name, []).append((one["State"], one["Labels"].get("releaser.version", "")))
    return found


def remove(address: str, names: list[str]) -> None:
    for name in containers(address, names):
        subprocess.run(["docker", "-H", address, "rm", "-f", name], check=True, capture_output=True)


@pytest.mark.parametrize(("version", "runs", "end"), [("1.1", "1.1", "succeeded"), ("1.2", "1.0", "rolled_back")])
def test_killed_service_finishes_the_rollout_after_its_restart(
    service: Service, engine: PrivateEngine, names: list[str], version: str, runs: str, end: str
) -> None:
    chance = sampled.chance()
    if end == "rolled_back":
        give_less_time(service, 3.0)
    rollout = begin(service, version)
    for _ in range(3):
        time.sleep(chance.uniform(0.0, 0.9))  # the moment is the point: it must be any
        service.kill()
        service.start()
    facts = ended(service, rollout)
    assert facts["state"] == end
    assert containers(engine.address, names) == {name: [("running", runs)] for name in names}
    journal = [step for target in facts["targets"] for step in target["steps"]]
    assert journal
    assert all(step["state"] == "done" for step in journal)


def test_terminated_service_ends_soon_and_its_rollout_goes_on_later(
    service: Service, engine: PrivateEngine, names: list[str]
) -> None:
    rollout = begin(service, "1.1")
    assert service.stop() < 20, "it waits for what is under way; 5 s are enough on a machine with nothing else to do"
    service.start()
    assert ended(service, rollout)["state"] == "succeeded"
    assert containers(engine.address, names) == {name: [("running", "1.1")] for name in names}
