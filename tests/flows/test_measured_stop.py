"""What is told of how long a service was away: all of it, nothing beside it, and by whom it was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.spec import Order
from releaser.domain.target import Assignment, Desired, Health, Phase, Step, Stop, Verdict
from releaser.flows.list_cutovers import list_cutovers
from releaser.flows.ports import Facts
from releaser.flows.show_notice import show_notice
from releaser.store import installations
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.watch import Seen
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

NAME = "globex-own"
ILL = Verdict(health=Health.UNHEALTHY, reason="it is ill")
SLOW = Verdict(health=Health.STARTING, reason="it does not answer")


@dataclass(slots=True)
class Hooked:
    """A driver with something done after steps, and with verdicts of the test's own."""

    inner: Any
    after: Callable[[Step], None] = lambda _step: None
    judge: Callable[[Verdict, Desired | None], Verdict] = lambda verdict, _wanted: verdict

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the driver's
        return getattr(self.inner, name)

    def apply(self, step: Step, assignment: Assignment) -> str:
        told: str = self.inner.apply(step, assignment)
        self.after(step)
        return told

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        return self.judge(self.inner.verify(assignment, wanted=wanted), wanted)


@dataclass(slots=True)
class Silent:
    """A watch of services that did not answer before."""

    began: list[str] = field(default_factory=list)

    def begin(self, update_id: int, url: str, *, status: int, timeout_s: float) -> None:
        assert (update_id, status, timeout_s) == (update_id, 200, 2.0)
        self.began.append(url)

    def end(self, _update_id: int) -> Seen | None:
        return None

    def answered(self, _update_id: int) -> bool:
        return False

    def ask(self, _url: str, *, status: int, timeout_s: float) -> str:
        assert (status, timeout_s) == (200, 2.0)
        return ""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs everywhere."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder)
        assert made.deploy("1.0")["state"] == "succeeded"
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        (driver,) = made.ports.drivers.values()
        yield made.with_driver(Hooked(driver))
        made.close()


def hooked(vendor: Vendor) -> Hooked:
    (driver,) = vendor.ports.drivers.values()
    assert isinstance(driver, Hooked)
    return driver


def change(vendor: Vendor, **changes: Any) -> None:  # noqa: ANN401 -- of the spec
    """Declare the installation otherwise."""
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, NAME).targets[0]
        target.spec = dump(replace(load_spec(target.spec), **changes))


def soaking(vendor: Vendor) -> int:
    """The number of a rollout of 1.1 that soaks and served well for 10 s."""
    change(vendor, soak_s=60)
    vendor.announce("1.1", to=f"installation={NAME}")
    number: int = vendor.start("1.1", to=f"installation={NAME}")["id"]
    while vendor.states(number)[NAME] != "soaking":
        assert vendor.tick()
    vendor.clock.advance(timedelta(seconds=10))
    return number


def of(vendor: Vendor, rollout: int) -> Facts:
    (told,) = vendor.show(rollout)["targets"]
    return dict(told)


def test_service_that_falls_ill_while_it_soaks_counts_as_away_until_the_old_one_serves(vendor: Vendor) -> None:
    rollout = soaking(vendor)

    def takes_long(step: Step) -> None:
        if step.phase is Phase.ROLL_BACK and step.stops is not Stop.NONE and not took:
            took.append(step)
            vendor.clock.advance(timedelta(seconds=20))

    took: list[Step] = []

    def ill(verdict: Verdict, wanted: Desired | None) -> Verdict:
        return ILL if wanted is not None and wanted.version == "1.1" else verdict

    hooked(vendor).after, hooked(vendor).judge = takes_long, ill
    vendor.work()
    one = of(vendor, rollout)
    assert (one["state"], one["measured_by"]) == ("rolled_back", "gate")
    assert 20 <= one["measured_stop_s"] < 25, "what served well in between is no stop"
    (row,) = list_cutovers(vendor.ports)
    assert row["stop_s"] == pytest.approx(one["measured_stop_s"], abs=0.01)
    (notice,) = vendor.show(rollout)["notices"]
    (told,) = show_notice(vendor.ports, notice_id=notice)["installations"]
    assert told["measured_stop_s"] == pytest.approx(one["measured_stop_s"], abs=0.01)


def test_service_that_is_away_for_a_moment_while_it_soaks_counts_that_too(vendor: Vendor) -> None:
    rollout = soaking(vendor)
    before = of(vendor, rollout)["measured_stop_s"]
    looks = iter((SLOW, SLOW))

    def slow(verdict: Verdict, _wanted: Desired | None) -> Verdict:
        found = next(looks, verdict)
        if found is SLOW:
            vendor.clock.advance(timedelta(seconds=1))
        return found

    hooked(vendor).judge = slow
    vendor.work()
    one = of(vendor, rollout)
    assert one["state"] == "succeeded"
    assert before + 1 < one["measured_stop_s"] < before + 10


def test_time_that_a_service_has_to_stay_up_for_is_no_stop(vendor: Vendor) -> None:
    stayed = Verdict(health=Health.HEALTHY, reason="stayed up for 5 s", weak=True)

    def weak(verdict: Verdict, wanted: Desired | None) -> Verdict:
        if wanted is None or wanted.version != "1.1" or verdict.health is not Health.HEALTHY:
            return verdict
        if not seen:
            vendor.clock.advance(timedelta(seconds=5))
            seen.append(verdict)
        return stayed

    seen: list[Verdict] = []
    hooked(vendor).judge = weak
    (one,) = vendor.deploy("1.1", to=f"installation={NAME}")["targets"]
    assert (one["state"], one["measured_by"]) == ("succeeded", "gate")
    assert 0 <= one["measured_stop_s"] < 1
    (row,) = list_cutovers(vendor.ports)
    assert row["cutover_s"] >= 5, "the cutover lasts until it is known to serve"


def test_service_that_was_away_before_is_not_watched_from_the_middle_of_its_cutover_on(vendor: Vendor) -> None:
    watch = Silent()
    watched = replace(vendor, ports=replace(vendor.ports, watch=watch))
    (one,) = watched.deploy("1.1", to=f"installation={NAME}")["targets"]
    assert watch.began == ["http://127.0.0.1:18003/healthz"], (
        "it came to answer in the middle, and its stop would be told as none"
    )
    assert (one["state"], one["measured_by"]) == ("succeeded", "gate")


def test_nothing_is_learnt_of_a_stop_that_nobody_saw(vendor: Vendor) -> None:
    """No step stops anything, yet whether users were served was not seen."""
    with vendor.ports.database.transaction() as session:
        spec: Any = load_spec(installations.get(session, NAME).targets[0].spec)
    health = replace(spec.health, http="http://127.0.0.1:{port}/healthz", outside="https://shop.test/")
    ports = tuple(replace(one, host_port=0) for one in spec.ports)
    change(vendor, order=Order.START_FIRST, networks=("front",), aliases=(NAME,), ports=ports, health=health)
    vendor.deploy("1.1", to=f"installation={NAME}")
    (one,) = vendor.deploy("1.1.1", to=f"installation={NAME}")["targets"]
    assert (one["state"], one["measured_stop_s"], one["measured_by"]) == ("succeeded", 0.0, "gate")
    assert list_cutovers(vendor.ports)[0]["stop_s"] is None
