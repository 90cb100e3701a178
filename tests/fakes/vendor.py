"""A small vendor whose store, engine and registry are fakes: two customers, three installations, released versions.

The clock stands; `work()` is a worker without threads that does all there is to do, moving the clock when it must wait.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from releaser.domain.notice import NoticeState
from releaser.domain.plan import RolloutOptions
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import ENDED, RolloutState, WaveState
from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding
from releaser.domain.target import DriverName
from releaser.domain.version import Scheme, parse
from releaser.flows.advance_rollout import advance_rollout, under_way
from releaser.flows.advance_target import LEASE_FOR, advance_target, always
from releaser.flows.announce_notice import announce_notice
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_rollout import show_rollout
from releaser.flows.soak_wave import soak_wave
from releaser.flows.start_rollout import start_rollout
from releaser.store import installations, notices, products, releases, rollout_work
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.plain import dump, load_spec
from releaser.store.products import Module, Product
from releaser.store.releases import Release, ReleaseImage
from releaser.store.rollouts import TargetUpdate, Wave
from releaser.store.session import Database
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.target import Driver
from tests.fakes.clock import FakeClock
from tests.fakes.engine import Behaviour, FakeEngine

REPOSITORY = "registry.test/shop"
INSTALLATIONS = {"acme-cloud": ("acme", 18001), "acme-own": ("acme", 18002), "globex-own": ("globex", 18003)}
BEHAVIOURS = {"1.2": Behaviour.SICK, "1.3": Behaviour.EXITS}
VERSIONS = ("1.0", "1.1", "1.1.1", "1.2", "1.3")


class NoRepositories:
    """The repositories' port where nothing reads one."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- it has nothing
        raise AssertionError(name)


@dataclass(frozen=True, slots=True)
class KnownImages:
    """A registry that answers from a table."""

    digests: Mapping[str, str]

    def resolve(self, reference: str) -> str:
        return self.digests[reference]


@dataclass(slots=True, kw_only=True)
class Vendor:
    """The vendor's service: ports over fakes, and short words for what a test does with it."""

    ports: Ports
    engine: FakeEngine
    clock: FakeClock
    stops: bool

    def restarted(self, *, owner: str) -> Vendor:
        """The service after its process was replaced by another one."""
        return replace(self, ports=replace(self.ports, owner=owner))

    def with_driver(self, driver: Driver) -> Vendor:
        """The same, with something put between the rules and the engine."""
        return replace(self, ports=replace(self.ports, drivers={DriverName.DOCKER: driver}))

    def plan(self, version: str, *, to: str = "all", **options: Any) -> Facts:  # noqa: ANN401 -- of RolloutOptions
        return plan_rollout(
            self.ports,
            product="shop",
            version=version,
            selector=to,
            by="rita",
            options=RolloutOptions(**options),
            save=True,
        )

    def announce(self, version: str, *, to: str = "all", **options: Any) -> None:  # noqa: ANN401 -- of RolloutOptions
        """Plan, and announce the notice that was drafted; then wait for its planned start."""
        self.announce_drafts(self.plan(version, to=to, **options)["rollout"])

    def announce_drafts(self, rollout_id: int) -> None:
        """Announce the drafted notices of a rollout, and wait for their planned start."""
        with self.ports.database.reading() as session:
            drafts = [n.id for n in notices.of_rollout(session, rollout_id) if n.state is NoticeState.DRAFT]
        for notice_id in drafts:
            facts = announce_notice(self.ports, notice_id=notice_id, by="rita")
            if facts["starts_at"] > self.clock.now():
                self.clock.set(facts["starts_at"])

    def start(self, version: str, *, to: str = "all", key: str | None = None, **options: Any) -> Facts:  # noqa: ANN401
        return start_rollout(
            self.ports,
            product="shop",
            version=version,
            selector=to,
            by="rita",
            options=RolloutOptions(**options),
            key=key,
        )

    def deploy(self, version: str, *, to: str = "all", **options: Any) -> Facts:  # noqa: ANN401 -- of RolloutOptions
        """Announce what must be, start, work until it ends."""
        self.announce(version, to=to, **options)
        rollout_id: int = self.start(version, to=to, **options)["id"]
        self.work()
        return self.show(rollout_id)

    def show(self, rollout_id: int) -> Facts:
        return show_rollout(self.ports, rollout_id=rollout_id)

    def states(self, rollout_id: int) -> dict[str, str]:
        """Installation -> state of its update."""
        return {t["installation"]: t["state"] for t in self.show(rollout_id)["targets"]}

    def running(self) -> dict[str, str]:
        """Installation -> version of the one container that serves under its name; what else is there is an error."""
        names = {container.name for container in self.engine.containers.values()}
        assert names <= set(INSTALLATIONS), f"left over: {names - set(INSTALLATIONS)}"
        return {c.name: c.image.version for c in self.engine.containers.values() if c.status == "running"}

    def recorded(self) -> dict[str, str]:
        """Installation -> version that the store says runs there."""
        with self.ports.database.reading() as session:
            return {one.name: one.targets[0].version for one in installations.everything(session)}

    def work(self, *, most: int = 2000) -> None:
        """Do everything there is to do until every rollout ended or waits for a person."""
        for _ in range(most):
            if not self.tick(going_on=always):
                return
        raise AssertionError("the work does not come to an end")

    def tick(self, *, going_on: Callable[[], bool] = lambda: False) -> bool:
        """One round of a worker, of one action for each target unless it goes on.

        False when nothing is under way, or what is waits for a person or a window.
        """
        rolling = under_way(self.ports)
        moved = [advance_rollout(self.ports, rollout_id=rollout_id) for rollout_id in rolling]
        moved += [soak_wave(self.ports, rollout_id=rollout_id) for rollout_id in rolling]
        with self.ports.database.reading() as session:
            runnable = rollout_work.runnable(session, now=self.clock.now())
            at_work = session.scalars(
                select(TargetUpdate.id).where(TargetUpdate.active, rollout_work.IS_WORKED_ON).limit(1)
            ).all()
            soaking = session.scalars(select(Wave.id).where(Wave.state == WaveState.SOAKING).limit(1)).all()
        later = [advance_target(self.ports, update_id=update_id, going_on=going_on) for update_id in runnable]
        if any(moved) or any(at is not None and at <= self.clock.now() for at in later):
            return True
        self.clock.advance(timedelta(milliseconds=200))
        return bool(at_work or (soaking and rolling))

    def close(self) -> None:
        """Give back every connection."""
        for driver in self.ports.drivers.values():
            driver.close()  # type: ignore[attr-defined]  # the docker driver keeps connections
        self.ports.database.close()

    def wait_for_lease(self) -> None:
        """Let the lease of a dead worker run out."""
        self.clock.advance(LEASE_FOR + timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVendor:
    """A vendor at rest, from which many go on: rolling out the first version once is enough for all tests of the second."""

    file: Path
    engine: bytes
    now: datetime
    stops: bool

    def resumed(self, engine: FakeEngine, home: Path) -> Vendor:
        """The same vendor over a copy of its database, on an engine with what its own held."""
        database = Database(f"sqlite:///{shutil.copy(self.file, home / 'store.db')}")
        engine.go_on(self.engine)
        with database.transaction() as session:
            session.scalars(select(Host)).one().address = engine.address
        clock = FakeClock(self.now)
        return Vendor(ports=_ports(database, engine, clock, home), engine=engine, clock=clock, stops=self.stops)


def kept(vendor: Vendor, file: Path) -> KeptVendor:
    """Keep the vendor in the file, and end it."""
    vendor.close()
    source = vendor.ports.database.file
    assert source is not None
    return KeptVendor(
        file=Path(shutil.copy(source, file)), engine=vendor.engine.state(), now=vendor.clock.now(), stops=vendor.stops
    )


def vendor_on(database: Database, engine: FakeEngine, home: Path, *, order: Order = Order.STOP_FIRST) -> Vendor:
    """A vendor with an empty engine and versions 1.0, 1.1, 1.1.1 (good), 1.2 (never healthy) and 1.3 (exits) published."""
    digests = {v: engine.push(REPOSITORY, v, behaviour=BEHAVIOURS.get(v, Behaviour.GOOD)) for v in VERSIONS}
    engine.networks.add("front")
    clock = FakeClock()
    ports = _ports(database, engine, clock, home)
    _fill(database, engine, clock, digests, order)
    return Vendor(ports=ports, engine=engine, clock=clock, stops=order is Order.STOP_FIRST)


def _ports(database: Database, engine: FakeEngine, clock: FakeClock, home: Path) -> Ports:
    digests = {f"{REPOSITORY}:{image.version}": image.digest for image in engine.images.values()}
    driver = DockerDriver(clock=clock, control_timeout_s=5.0, pull_timeout_s=5.0, probe=engine.probe)
    return Ports(
        database=database,
        clock=clock,
        repositories=NoRepositories(),
        registry=KnownImages(digests),
        drivers={DriverName.DOCKER: driver},
        channels={},
        home=home,
        address="http://releases.test",
        owner="first",
        wake=lambda: None,
    )


def _fill(database: Database, engine: FakeEngine, clock: FakeClock, digests: Mapping[str, str], order: Order) -> None:
    now = clock.now()
    with database.transaction() as session:
        product = Product(name="shop", scheme=Scheme.TWO_PART, ticket_patterns=["SHOP-\\d+"], created_at=now)
        product.modules = [Module(name="app", image=REPOSITORY + ":{version}")]
        host = Host(name="host-1", address=engine.address)
        session.add_all([product, host])
        session.flush()
        for version in VERSIONS:
            parsed = parse(version, scheme=Scheme.TWO_PART)
            release = Release(
                product_id=product.id,
                version=parsed.text,
                version_key=parsed.key,
                line=parsed.line,
                kind=parsed.kind,
                state=ReleaseState.PUBLISHED,
                published_at=now,
            )
            release.images = [
                ReleaseImage(
                    module=product.modules[0],
                    image=f"{REPOSITORY}:{version}",
                    digest=digests[version],
                    resolved_at=now,
                )
            ]
            session.add(release)
        session.flush()
        releases.renumber(session, products.get(session, "shop"))
        for name, language in (("acme", "ru"), ("globex", "en")):
            customer = Customer(name=name, language=language, regulation={})
            customer.contacts = [Contact(email=f"operations@{name}.test")]
            session.add(customer)
            session.flush()
            for installation, (owner, port) in INSTALLATIONS.items():
                if owner == name:
                    row = Installation(
                        name=installation, customer_id=customer.id, product_id=product.id, labels={}, ring="wide"
                    )
                    session.add(row)
                    session.flush()
                    spec = _spec(installation, port, order)
                    session.add(
                        Target(
                            installation_id=row.id,
                            module_id=product.modules[0].id,
                            host_id=host.id,
                            spec=dump(spec),
                        )
                    )


def _spec(name: str, port: int, order: Order) -> ContainerSpec:
    if order is Order.START_FIRST:
        return ContainerSpec(
            name=name,
            networks=("front",),
            aliases=(name,),
            ports=(PortBinding(container_port=8080, host_port=0),),
            order=order,
            stop_grace_s=1,
            health=HealthSpec(http="http://127.0.0.1:{port}/healthz", deadline_s=1.0),
        )
    return ContainerSpec(
        name=name,
        ports=(PortBinding(container_port=8080, host_port=port),),
        stop_grace_s=1,
        health=HealthSpec(http=f"http://127.0.0.1:{port}/healthz", deadline_s=1.0),
    )


def come(vendor: Vendor, name: str, port: int) -> None:
    """A new installation of globex, with a target and nothing on it."""
    with vendor.ports.database.transaction() as session:
        like = installations.get(session, "globex-own")
        row = Installation(name=name, customer_id=like.customer_id, product_id=like.product_id, labels={}, ring="wide")
        session.add(row)
        session.flush()
        spec = load_spec(like.targets[0].spec)
        assert isinstance(spec, ContainerSpec)
        ports = tuple(replace(one, host_port=port) for one in spec.ports)
        health = replace(spec.health, http=f"http://127.0.0.1:{port}/healthz")
        session.add(
            Target(
                installation_id=row.id,
                module_id=session.scalars(select(Module.id)).one(),
                host_id=session.scalars(select(Host.id)).one(),
                spec=dump(replace(spec, name=name, ports=ports, health=health)),
            )
        )


def ended(facts: Facts) -> bool:
    return RolloutState(facts["state"]) in ENDED
