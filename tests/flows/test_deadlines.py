"""What an update's time is counted by: its own steps, not the queue before it, a blip, or a host that nobody can look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.target import Assignment, Desired, Phase, Step, Verdict
from releaser.store import installations
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import EngineRefusedError, EngineUnreachableError, FencedError
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import INSTALLATIONS, KeptVendor, Vendor, kept, vendor_on


@dataclass(frozen=True, slots=True)
class Between:
    """A driver before which something happens: time passes, or a fault comes in place of the answer."""

    inner: Any
    before_step: Callable[[Step, Assignment], None] = lambda *_: None
    before_look: Callable[[Assignment], None] = lambda *_: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the driver's
        return getattr(self.inner, name)

    def apply(self, step: Step, assignment: Assignment) -> str:
        self.before_step(step, assignment)
        told: str = self.inner.apply(step, assignment)
        return told

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        self.before_look(assignment)
        seen: Verdict = self.inner.verify(assignment, wanted=wanted)
        return seen


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere; updates stop the service."""
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
        yield made
        made.close()


def between(vendor: Vendor, **happens: Callable[..., None]) -> Vendor:
    (inner,) = vendor.ports.drivers.values()
    return vendor.with_driver(Between(inner, **happens))


def declare(vendor: Vendor, **changes: object) -> None:
    """Change the specification of every target."""
    with vendor.ports.database.transaction() as session:
        for one in installations.everything(session):
            for target in one.targets:
                target.spec = dump(replace(load_spec(target.spec), **changes))  # type: ignore[arg-type]


def silent() -> EngineUnreachableError:
    return EngineUnreachableError("The host does not answer.", permanent=False)


@pytest.mark.parametrize(
    ("phase", "takes"), [(Phase.PREPARE, timedelta(minutes=8)), (Phase.CUT_OVER, timedelta(seconds=9))]
)
def test_target_queues_behind_slow_ones_its_own_time_has_not_begun(
    vendor: Vendor, phase: Phase, takes: timedelta
) -> None:
    """One worker for three targets; also many steps together take longer than one may."""

    def slow(step: Step, _: Assignment) -> None:
        if step.phase is phase and step.name != "create":
            vendor.clock.advance(takes)

    facts = between(vendor, before_step=slow).deploy("1.1", waves=("100%",), max_parallel=3)
    assert facts["state"] == "succeeded", [(t["state"], t["reason"]) for t in facts["targets"]]


def test_service_that_takes_long_to_stop_is_rolled_back_as_every_step_gets_on(vendor: Vendor) -> None:
    declare(vendor, stop_grace_s=700)

    def slow(step: Step, _: Assignment) -> None:
        if step.name == "stop-new":
            vendor.clock.advance(timedelta(seconds=690))

    facts = between(vendor, before_step=slow).deploy("1.2")
    assert facts["targets"][0]["state"] == "rolled_back", facts["targets"][0]["reason"]


def test_host_vanishes_while_its_service_soaks_the_soak_comes_to_an_end(vendor: Vendor) -> None:
    declare(vendor, soak_s=60)
    gone: list[bool] = []

    def look(_: Assignment) -> None:
        if gone:
            raise silent()

    away = between(vendor, before_look=look)
    away.announce("1.1")
    rollout = away.start("1.1")["id"]
    while "soaking" not in away.states(rollout).values():
        assert away.tick()
    gone.append(True)
    for _ in range(12):
        vendor.clock.advance(timedelta(minutes=5))
        away.tick()
    (unclear,) = [t for t in away.show(rollout)["targets"] if t["state"] == "inconsistent"]
    assert unclear["finished_at"] is not None


def test_host_is_back_before_the_time_of_its_soak_is_over_the_update_succeeds(vendor: Vendor) -> None:
    declare(vendor, soak_s=30)
    looks: list[str] = []

    def look(assignment: Assignment) -> None:
        looks.append(assignment.target)
        if 5 < looks.count(assignment.target) < 8:
            vendor.clock.advance(timedelta(seconds=15))
            raise silent()

    assert between(vendor, before_look=look).deploy("1.1", to="customer=globex")["state"] == "succeeded"
    assert len(looks) == 8, "it was looked at after the silence"


@pytest.mark.parametrize("then", ["a long pull", "the registry"])
def test_host_is_silent_for_a_moment_and_answers_preparing_has_its_whole_time_again(vendor: Vendor, then: str) -> None:
    tries: list[str] = []

    def blip(step: Step, _: Assignment) -> None:
        if step.phase is not Phase.PREPARE:
            return
        tries.append(step.name)
        if len(tries) == 1:
            raise silent()
        vendor.clock.advance(timedelta(seconds=60))
        if then == "the registry" and len(tries) < 5:
            raise EngineRefusedError("The registry does not answer the engine.", permanent=False)

    facts = between(vendor, before_step=blip).deploy("1.1")
    assert facts["state"] == "succeeded", [(t["state"], t["reason"]) for t in facts["targets"]]


def test_host_that_stays_silent_is_not_waited_for_as_long_as_a_slow_one(vendor: Vendor) -> None:
    def away(step: Step, _: Assignment) -> None:
        if step.phase is Phase.PREPARE:
            raise silent()

    before = vendor.clock.now()
    facts = between(vendor, before_step=away).deploy("1.1")
    assert [t["state"] for t in facts["targets"]].count("failed") == 1
    assert facts["finished_at"] - max(before, facts["started_at"]) < timedelta(minutes=5)


@pytest.mark.parametrize("phase", [Phase.PREPARE, Phase.CUT_OVER, Phase.COMMIT])
def test_host_has_a_younger_lock_than_the_database_gave_out_the_attempt_ends_and_the_next_one_is_younger(
    vendor: Vendor, phase: Phase
) -> None:
    """An older copy of the database was put back by hand."""
    found = 1000

    def fence(step: Step, assignment: Assignment) -> None:
        if step.phase in {phase, Phase.ROLL_BACK} and assignment.generation < found:
            raise FencedError("Taken over.", found=found, own=assignment.generation)

    fenced = between(vendor, before_step=fence)
    first = fenced.deploy("1.1", to="customer=globex")
    (target,) = first["targets"]
    ends_as = {Phase.PREPARE: "failed", Phase.CUT_OVER: "inconsistent", Phase.COMMIT: "succeeded"}
    assert target["state"] == ends_as[phase]
    assert "no other releaser" in target["reason"]
    if phase is Phase.PREPARE:
        assert fenced.deploy("1.1", to="customer=globex")["state"] == "succeeded"


def test_controller_that_lost_the_target_lets_go_and_the_younger_one_ends_the_update(vendor: Vendor) -> None:
    """The lock is not lifted for whoever lost the target: the younger one goes on alone."""
    acted: list[int] = []

    def lose(_: Step, assignment: Assignment) -> None:
        acted.append(assignment.generation)
        if len(acted) == 1:
            other = vendor.restarted(owner="second")
            vendor.wait_for_lease()
            other.work()
            raise FencedError("Taken over.", found=assignment.generation + 1, own=assignment.generation)

    losing = between(vendor, before_step=lose)
    losing.announce("1.1", to="customer=globex")
    rollout = losing.start("1.1", to="customer=globex")["id"]
    losing.work()
    assert acted == acted[:1], "who lost the target acts no more"
    assert losing.show(rollout)["state"] == "succeeded"
    assert losing.running() == {**dict.fromkeys(INSTALLATIONS, "1.0"), "globex-own": "1.1"}


@pytest.mark.parametrize(
    ("version", "at", "ends"),
    [
        # Its notice is over by then: it is prepared, and waits for another.
        ("1.1", "preparing", "waiting"),
        ("1.1", "cutting_over", "succeeded"),
        ("1.1", "committing", "succeeded"),
        ("1.2", "rolling_back", "rolled_back"),
    ],
)
def test_nobody_worked_for_hours_in_the_middle_what_was_begun_is_still_finished(
    vendor: Vendor, version: str, at: str, ends: str
) -> None:
    """The service was switched off; that time was not the target's."""
    vendor.announce(version, to="installation=acme-cloud")
    rollout = vendor.start(version, to="installation=acme-cloud")["id"]
    while vendor.states(rollout)["acme-cloud"] != at:
        assert vendor.tick(), "the state must be reached"
    vendor.tick()
    vendor.clock.advance(timedelta(hours=3))
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": ends}, vendor.show(rollout)["targets"][0]["reason"]
