"""Many targets without anything behind them: a driver that takes its time, and writes down who acts where, when, by which generation.

What it writes are lines of a file, shared by all processes of a test; the kernel keeps them whole and in order. `python -m
tests.fakes.fleet URL FOLDER …` is a process that works at it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import func, select

from releaser.bell import Bell
from releaser.clock import SystemClock
from releaser.domain.plan import Plan, RolloutOptions
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import RolloutState, UpdateState, WaveState
from releaser.domain.spec import ContainerSpec
from releaser.domain.target import Assignment, Desired, DriverName, Health, Observation, Phase, Step, Verdict
from releaser.domain.version import VersionKind
from releaser.flows.ports import Ports
from releaser.flows.start_rollout import release_rollout
from releaser.process import this_process
from releaser.store import rollouts
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.plain import dump
from releaser.store.products import Module, Product
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout, TargetUpdate, Wave
from releaser.store.session import Database
from releaser.targets.target import Capabilities, Driver, FencedError
from releaser.worker.engine import Engine, engine_for
from tests.fakes.bare_ports import bare_ports

SPEC = ContainerSpec(name="app")
STEPS = (
    Step(name="pull", phase=Phase.PREPARE),
    Step(name="swap", phase=Phase.CUT_OVER, gate=True),
    Step(name="tidy", phase=Phase.COMMIT),
)
BACK = (Step(name="put back", phase=Phase.ROLL_BACK),)
# Nobody comes late to it, whatever targets other rollouts of the fleet have.
PLAN = Plan(
    product="calls", version="1.1", selector="all", options=RolloutOptions(), targets=(), newest_target=2**31 - 1
)


class FleetDriver:
    """Each step lasts `step_s`, and begins and ends with a line in `journal`; a target is healthy `healthy_s` after its swap."""

    def __init__(self, folder: Path, *, step_s: float = 0.0, healthy_s: float = 0.0, writes: bool = True) -> None:
        self._journal = folder / "journal"
        self._fences = folder / "fences"
        self._fences.mkdir(exist_ok=True)
        self._step_s, self._healthy_s, self._writes = step_s, healthy_s, writes
        self._swapped: dict[str, float] = {}

    def capabilities(self) -> Capabilities:
        return Capabilities(start_first=True, drain=False, rollback=True, offline=False)

    def check(self, address: str) -> str:
        return "nothing behind it"

    def observe(self, assignment: Assignment) -> Observation:
        return Observation(at=datetime.now(UTC), serving=None)

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        return STEPS

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
        return BACK

    def apply(self, step: Step, assignment: Assignment) -> str:
        if not self._writes:
            return "done"
        self._fence(assignment)
        self._line("begin", step.name, assignment)
        if self._step_s:
            time.sleep(self._step_s)
        self._line("end", step.name, assignment)
        self._swapped[assignment.target] = time.monotonic()
        return "done"

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        swapped = self._swapped.setdefault(assignment.target, time.monotonic())
        starting = time.monotonic() < swapped + self._healthy_s
        return Verdict(health=Health.STARTING if starting else Health.HEALTHY, reason="it says so")

    def _fence(self, assignment: Assignment) -> None:
        """A younger generation was here: an older one must let go."""
        file = self._fences / assignment.target.replace("/", "_")
        if file.exists() and int(file.read_text() or 0) > assignment.generation:
            raise FencedError("a younger generation was here")
        file.write_text(str(assignment.generation))

    def _line(self, what: str, step: str, assignment: Assignment) -> None:
        line = {
            "what": what,
            "step": step,
            "target": assignment.target,
            "generation": assignment.generation,
            "pid": os.getpid(),
            "thread": threading.get_ident(),
            "at": time.monotonic(),
        }
        with self._journal.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")


def ports_of(database: Database, folder: Path, bell: Bell, driver: FleetDriver, *, machine: str) -> Ports:
    """Ports with the machine's clock, `driver` and nobody else outside. A named `machine` is another one than this."""
    return bare_ports(
        database,
        folder,
        clock=SystemClock(),
        drivers={DriverName.DOCKER: cast("Driver", driver)},
        wake=bell.ring,
        owner=f"{machine}{this_process()}",
    )


class Fleet:
    """A product whose targets stand on one host, each at a customer of its own."""

    def __init__(self, database: Database, folder: Path, *, machine: str = "", **how: Any) -> None:  # noqa: ANN401 -- those of the driver
        self.database = database
        self.folder = folder
        self.bell = Bell()
        self.ports = ports_of(database, folder, self.bell, FleetDriver(folder, **how), machine=machine)

    def rollout(
        self, *waves: int, max_parallel: int = 10, threshold: int = 0, wave_soak_s: float = 0.0, gated: bool = False
    ) -> int:
        """A running rollout with so many targets in each wave."""
        with self.database.transaction() as session:
            product, module, release = self._product(session)
            rollout = Rollout(
                product_id=product.id,
                release_id=release.id,
                selector="all",
                state=RolloutState.PLANNED,
                plan=dump(PLAN),
                plan_hash="",
                max_parallel=max_parallel,
                threshold=threshold,
                wave_soak_s=wave_soak_s,
                gated=gated,
                created_at=self.ports.clock.now(),
            )
            session.add(rollout)
            host = session.scalars(select(Host)).first()
            assert host is not None
            position = 0
            first = session.scalar(select(func.count()).select_from(Customer)) or 0
            session.flush()
            for number, size in enumerate(waves, start=1):
                session.add(Wave(rollout_id=rollout.id, number=number, state=WaveState.PENDING))
                customers = [
                    Customer(name=f"c{first + position + n:05}", title="C", language="en", zone="UTC", regulation={})
                    for n in range(size)
                ]
                session.add_all(customers)
                session.flush()
                homes = [
                    Installation(name=c.name, title="", customer_id=c.id, product_id=product.id, labels={})
                    for c in customers
                ]
                session.add_all(homes)
                session.flush()
                targets = [
                    Target(installation_id=h.id, module_id=module.id, host_id=host.id, spec=dump(SPEC)) for h in homes
                ]
                session.add_all(targets)
                session.flush()
                desired = dump(Desired(version="1.1", image="r/app", digest="sha256:1", spec=SPEC))
                session.add_all(
                    TargetUpdate(
                        rollout_id=rollout.id,
                        target_id=target.id,
                        wave=number,
                        position=position + n,
                        state=UpdateState.PENDING,
                        desired=desired,
                        previous=None,
                        steps=[dump(step) for step in STEPS],
                    )
                    for n, target in enumerate(targets)
                )
                position += size
            session.flush()
            number = rollout.id
        with self.database.transaction() as session:
            release_rollout(
                session, rollouts.get(session, number), options=RolloutOptions(), ports=self.ports, by="ann"
            )
        self.bell.ring()
        return number

    def _product(self, session: Any) -> tuple[Product, Module, Release]:  # noqa: ANN401 -- a session
        product = session.scalars(select(Product)).first()
        if product is None:
            product = Product(name="calls", title="Calls", ticket_patterns=[], created_at=self.ports.clock.now())
            product.modules = [Module(name="app", image="")]
            session.add_all([product, Host(name="h1", address="unix:///nowhere")])
            session.flush()
            release = Release(
                product_id=product.id,
                version="1.1",
                version_key="1.1",
                sort_key=1,
                line="1.1",
                kind=VersionKind.STABLE,
                state=ReleaseState.PUBLISHED,
                previous="",
            )
            session.add(release)
            session.flush()
        return product, product.modules[0], session.scalars(select(Release)).one()

    def engine(self, *, threads: int = 4, tick_s: float = 0.1) -> Engine:
        """An engine of this process, not begun."""
        return engine_for(self.ports, bell=self.bell, threads=threads, tick_s=tick_s)

    def state(self, rollout_id: int) -> RolloutState:
        with self.database.reading() as session:
            return session.scalars(select(Rollout.state).where(Rollout.id == rollout_id)).one()

    def states(self, rollout_id: int) -> dict[UpdateState, int]:
        """How many targets stand where."""
        query = select(TargetUpdate.state, func.count()).where(TargetUpdate.rollout_id == rollout_id)
        with self.database.reading() as session:
            return {row[0]: row[1] for row in session.execute(query.group_by(TargetUpdate.state))}

    def acts(self) -> list[dict[str, Any]]:
        """What the driver wrote, in order."""
        file = self.folder / "journal"
        return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def until(is_so: Any, *, within_s: float, what: str) -> float:  # noqa: ANN401 -- a question
    """Wait until it is so; returns how long that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() < began + within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def overlaps(acts: Sequence[dict[str, Any]], *, died_at: dict[int, float] | None = None) -> list[str]:
    """Where two acted on one target at once, or an older generation after a younger one. Who was killed ends with its death."""
    died = died_at or {}
    at_it: dict[str, dict[str, Any]] = {}
    youngest: dict[str, int] = defaultdict(int)
    found = []
    for act in acts:
        target = act["target"]
        before = at_it.get(target)
        if act["what"] == "begin":
            if before is not None and act["at"] < died.get(before["pid"], float("inf")):
                found.append(f"{target}: {act['pid']} began while {before['pid']} was at it")
            if act["generation"] < youngest[target]:
                found.append(f"{target}: generation {act['generation']} after {youngest[target]}")
            youngest[target] = max(youngest[target], act["generation"])
            at_it[target] = act
        elif before is not None and (before["pid"], before["thread"]) == (act["pid"], act["thread"]):
            del at_it[target]
    return found


def main(url: str, folder: str, step_s: str, threads: str, machine: str = "") -> None:
    """Work until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(url)
    fleet = Fleet(database, Path(folder), machine=machine, step_s=float(step_s), writes=float(step_s) >= 0)
    engine = fleet.engine(threads=int(threads))
    engine.start()
    print("ready", flush=True)  # noqa: T201 -- for who started it
    while not stop.wait(0.2):
        pass
    engine.stop()
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
