"""Kill the service at every step, forward and back: another one finishes the work, and every target is wholly old or new."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from releaser.domain.spec import Order
from releaser.domain.target import Assignment, Desired, Observation, Step, Verdict
from releaser.flows.unblock_release import unblock_release
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import Capabilities, Driver
from tests import sampled
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

_owners = itertools.count(2)


FEWEST_STEPS = 6
"""Every way of updating has so many steps at least."""


class KilledError(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class DeadlyDriver:
    """Kills the process before or after the `nth` step that it carries out (counted from 0)."""

    driver: Driver
    nth: int
    after: bool
    steps: list[str] = field(default_factory=list)

    def apply(self, step: Step, assignment: Assignment) -> str:
        self.steps.append(step.name)
        fatal = len(self.steps) - 1 == self.nth
        if fatal and not self.after:
            raise KilledError
        detail = self.driver.apply(step, assignment)
        if fatal:
            raise KilledError
        return detail

    def capabilities(self) -> Capabilities:
        return self.driver.capabilities()

    def check(self, address: str) -> str:
        return self.driver.check(address)

    def observe(self, assignment: Assignment) -> Observation:
        return self.driver.observe(assignment)

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        return self.driver.plan(desired=desired, previous=previous, observed=observed)

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
        return self.driver.plan_back(desired=desired, previous=previous)

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        return self.driver.verify(assignment, wanted=wanted)


@pytest.fixture(scope="module", params=[Order.STOP_FIRST, Order.START_FIRST], ids=str)
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out to one installation."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder, order=request.param)
        made.deploy("1.0", to="installation=acme-cloud")
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


def _chosen_steps() -> Sequence[int]:
    """Every step in the full run (`make test-all`); otherwise a sample of the first ones by a seed that is printed."""
    if sampled.IS_THOROUGH:
        return range(40)
    return sorted(sampled.chance().sample(range(FEWEST_STEPS), 2))


def _rollout_killed_at(vendor: Vendor, version: str, nth: int, *, after: bool) -> tuple[int, bool]:
    """Roll out; the first process dies at its nth step, a second one goes on. Returns the rollout and whether one died."""
    (name, driver), *_ = vendor.ports.drivers.items()
    vendor.announce(version, to="installation=acme-cloud")
    rollout: int = vendor.start(version, to="installation=acme-cloud")["id"]
    first = vendor.with_driver(DeadlyDriver(driver, nth, after)).restarted(owner=f"owner-{next(_owners)}")
    assert name in first.ports.drivers
    try:
        first.work()
    except KilledError:
        vendor.wait_for_lease()
        vendor.restarted(owner=f"owner-{next(_owners)}").work()
        return rollout, True
    return rollout, False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("good", "bad"),
    [("1.1", None), (None, "1.2"), (None, "1.3")],
    ids=["forward", "back-from-sick", "back-from-exited"],
)
def test_service_killed_at_any_step_is_finished_by_the_next(
    vendor: Vendor, good: str | None, bad: str | None, *, after: bool
) -> None:
    """One target, killed once at each chosen step in turn; between two runs the target is brought back to 1.0."""
    died = 0
    for nth in _chosen_steps():
        rollout, killed = _rollout_killed_at(vendor, good or bad or "", nth, after=after)
        facts = vendor.show(rollout)
        expected = (good, "succeeded") if good else ("1.0", "rolled_back")
        assert (vendor.running(), facts["state"]) == ({"acme-cloud": expected[0]}, expected[1]), f"step {nth}"
        assert all(step["state"] == "done" for step in facts["targets"][0]["steps"]), f"step {nth}"
        assert vendor.recorded()["acme-cloud"] == expected[0]
        if not killed:
            break
        died += 1
        if good:
            vendor.deploy("1.0", to="installation=acme-cloud")
        elif bad:
            unblock_release(vendor.ports, product="shop", version=bad, reason="another death is tried", by="tester")
    assert died >= 2, "the matrix must reach the steps"
