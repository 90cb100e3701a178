"""A host that is away before anything was touched there: waited for in plain sight, in nobody's way, for as long as was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.rollout import UpdateState
from releaser.domain.spec import Order
from releaser.domain.target import Assignment, Desired, Step, Verdict
from releaser.domain.waiting import InvalidWaitError
from releaser.errors import OutsideError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.advance_target import advance_target
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Facts
from releaser.flows.resume_rollout import resume_rollout
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import EngineTimeoutError, EngineUnreachableError, RegistryUnreachableError
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

HOUR = timedelta(hours=1)
AWAY = EngineUnreachableError("The engine at tcp://own cannot be reached.", permanent=False)


@dataclass(slots=True)
class Hosts:
    """A driver behind which some installations' hosts are away; each call to one of those is written down."""

    inner: Any
    away: dict[str, OutsideError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the driver's
        return getattr(self.inner, name)

    def _call(self, assignment: Assignment) -> None:
        name = assignment.target.partition("/")[0]
        if name in self.away:
            self.asked.append(name)
            raise self.away[name]

    def observe(self, assignment: Assignment) -> Any:  # noqa: ANN401 -- the driver's
        self._call(assignment)
        return self.inner.observe(assignment)

    def apply(self, step: Step, assignment: Assignment) -> str:
        self._call(assignment)
        told: str = self.inner.apply(step, assignment)
        return told

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        self._call(assignment)
        seen: Verdict = self.inner.verify(assignment, wanted=wanted)
        return seen


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs everywhere, and updates stop nothing."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        vendor = vendor_on(database, engine, folder, order=Order.START_FIRST)
        assert vendor.deploy("1.0")["state"] == "succeeded"
        return kept(vendor, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        (driver,) = made.ports.drivers.values()
        made = made.with_driver(Hosts(driver))
        yield made
        made.close()


def hosts(vendor: Vendor) -> Hosts:
    (driver,) = vendor.ports.drivers.values()
    assert isinstance(driver, Hosts)
    return driver


def start(vendor: Vendor, *, away: str = "acme-own", error: OutsideError = AWAY, **options: Any) -> int:  # noqa: ANN401 -- of RolloutOptions
    """A rollout of 1.1 everywhere whose host fell silent when it had just begun."""
    number: int = vendor.start("1.1", waves=("100%",), **options)["id"]
    hosts(vendor).away[away] = error
    return number


def passing(vendor: Vendor, time: timedelta, *, each: timedelta = timedelta(seconds=1)) -> None:
    """Let time pass with a worker at work."""
    ends = vendor.clock.now() + time
    while vendor.clock.now() < ends:
        if not vendor.tick(going_on=lambda: True):
            break
        vendor.clock.set(min(ends, vendor.clock.now() + each))
    vendor.clock.set(max(ends, vendor.clock.now()))
    vendor.tick(going_on=lambda: True)


def of(vendor: Vendor, rollout: int, installation: str = "acme-own") -> Facts:
    return next(t for t in vendor.show(rollout)["targets"] if t["installation"] == installation)


def test_host_is_away_the_target_waits_for_it_and_says_until_when_and_who_ends_that(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=2))
    one = of(vendor, rollout)
    assert (one["state"], one["waits_for"], one["reason"]) == ("waiting", "offline", str(AWAY))
    assert one["deadline_at"] - one["waiting_since_at"] == timedelta(seconds=30)
    assert one["ended_by"] == "an operator brings the host back"
    assert vendor.states(rollout)["globex-own"] == "prepared", "nothing is cut over before it is known who is lost"


def test_host_stays_away_for_its_time_the_target_has_failed_at_once_and_nothing_was_touched(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=29))
    assert of(vendor, rollout)["state"] == "waiting"
    passing(vendor, timedelta(seconds=2))
    one = of(vendor, rollout)
    assert (one["state"], one["reason"]) == ("failed", str(AWAY)), "nobody waits for its host any longer"
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed", "nothing was rolled back, for nothing was cut over"
    assert set(vendor.running().values()) == {"1.0"}, "nobody was cut over beside a lost host"
    hosts(vendor).away.clear()
    assert vendor.deploy("1.1")["state"] == "succeeded"


def test_fewer_hosts_are_lost_than_may_the_rollout_says_who_and_what_to_do(vendor: Vendor) -> None:
    rollout = start(vendor, threshold=1)
    passing(vendor, timedelta(seconds=31))
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["reason"]) == ("succeeded", "every wave succeeded, 1 failed")
    assert facts["next"] == f"Mend what the remark of acme-own names, then: releaser rollout retry {rollout}."


def test_host_is_lost_while_it_is_tidied_up_the_remark_says_in_the_end_why_it_failed(vendor: Vendor) -> None:
    rollout = start(vendor, error=RegistryUnreachableError("No such image.", permanent=True))
    passing(vendor, timedelta(seconds=1))
    hosts(vendor).away["acme-own"] = AWAY
    passing(vendor, timedelta(seconds=5))
    assert of(vendor, rollout)["reason"] == f"trying again: {AWAY}"
    passing(vendor, timedelta(minutes=2))
    assert of(vendor, rollout)["state"] == "failed"
    assert of(vendor, rollout)["reason"] == "No such image."


def test_rollout_waits_longer_for_hosts_the_others_go_on_meanwhile(vendor: Vendor) -> None:
    rollout = start(vendor, offline_for=2 * HOUR, wait_for=timedelta(minutes=1))
    passing(vendor, timedelta(seconds=40))
    assert vendor.states(rollout) == {"acme-cloud": "succeeded", "acme-own": "waiting", "globex-own": "succeeded"}
    one = of(vendor, rollout)
    assert one["deadline_at"] - one["waiting_since_at"] == 2 * HOUR
    asked = len(hosts(vendor).asked)
    passing(vendor, timedelta(minutes=2))
    assert 20 <= len(hosts(vendor).asked) - asked <= 26, "it is asked every few seconds, not in a busy loop"
    passing(vendor, HOUR, each=timedelta(minutes=5))
    assert of(vendor, rollout)["state"] == "waiting"
    hosts(vendor).away.clear()
    passing(vendor, timedelta(seconds=6))
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "succeeded"
    assert set(vendor.running().values()) == {"1.1"}
    assert (of(vendor, rollout)["waits_for"], of(vendor, rollout)["waiting_since_at"]) == (None, None)


def test_host_away_for_too_long_counts_as_failed_though_others_went_on(vendor: Vendor) -> None:
    rollout = start(vendor, offline_for=HOUR)
    passing(vendor, timedelta(minutes=59), each=timedelta(minutes=3))
    assert of(vendor, rollout)["state"] == "waiting"
    passing(vendor, timedelta(minutes=5), each=timedelta(seconds=20))
    hosts(vendor).away.clear()
    vendor.work()
    assert of(vendor, rollout)["state"] == "failed"
    assert vendor.show(rollout)["state"] == "failed"


def test_host_is_back_and_lost_again_its_time_begins_anew(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=25))
    hosts(vendor).away["acme-own"] = RegistryUnreachableError("No registry.", permanent=False)
    passing(vendor, timedelta(seconds=6))
    one = of(vendor, rollout)
    assert (one["state"], one["waits_for"], one["reason"]) == ("preparing", None, "trying again: No registry.")
    hosts(vendor).away["acme-own"] = AWAY
    passing(vendor, timedelta(seconds=20))
    assert of(vendor, rollout)["waits_for"] == "offline"


def test_host_that_takes_calls_and_answers_none_is_not_back(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=5))
    since = of(vendor, rollout)["waiting_since_at"]
    hosts(vendor).away["acme-own"] = EngineTimeoutError("No answer in 5 s.", permanent=False)
    passing(vendor, timedelta(seconds=15))
    assert (of(vendor, rollout)["state"], of(vendor, rollout)["waiting_since_at"]) == ("waiting", since)


def test_paused_rollout_grows_no_older_while_a_host_is_away(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=10))
    pause_rollout(vendor.ports, rollout_id=rollout, by="rita")
    passing(vendor, timedelta(minutes=5), each=timedelta(seconds=20))
    assert of(vendor, rollout)["state"] == "waiting"
    resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    one = of(vendor, rollout)
    assert one["deadline_at"] > vendor.clock.now() + timedelta(seconds=15)
    hosts(vendor).away.clear()
    passing(vendor, timedelta(seconds=6))
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_rollout_is_aborted_while_a_host_is_away_it_ends(vendor: Vendor) -> None:
    rollout = start(vendor, offline_for=12 * HOUR)
    passing(vendor, timedelta(seconds=3))
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita")
    passing(vendor, timedelta(minutes=5), each=timedelta(seconds=10))
    assert vendor.show(rollout)["state"] == "aborted"
    assert set(vendor.states(rollout).values()) == {"skipped"}


def test_rehearsal_waits_for_hosts_too(vendor: Vendor) -> None:
    rollout = start(vendor, rehearse=True, offline_for=HOUR)
    passing(vendor, timedelta(minutes=2), each=timedelta(seconds=5))
    assert vendor.states(rollout) == {"acme-cloud": "skipped", "acme-own": "waiting", "globex-own": "skipped"}
    hosts(vendor).away.clear()
    passing(vendor, timedelta(seconds=6))
    vendor.work()
    assert vendor.show(rollout)["reason"] == "rehearsed: every target could be prepared"


def test_no_worker_looked_for_long_the_host_is_asked_before_it_has_failed(vendor: Vendor) -> None:
    rollout = start(vendor)
    passing(vendor, timedelta(seconds=3))
    vendor.clock.advance(HOUR)
    hosts(vendor).away.clear()
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_host_is_lost_once_the_cutover_began_nothing_waits_for_it(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", to="installation=acme-own", waves=("100%",), offline_for=12 * HOUR)["id"]
    while "cutting_over" not in vendor.states(rollout).values():
        assert vendor.tick()
    hosts(vendor).away["acme-own"] = AWAY
    for _ in range(100):
        vendor.tick()
        assert of(vendor, rollout)["waits_for"] is None
    assert of(vendor, rollout)["state"] not in {"waiting", "preparing"}


def test_every_host_is_away_the_plan_stands_as_recorded_when_hosts_are_waited_for(vendor: Vendor) -> None:
    hosts(vendor).away["acme-own"] = AWAY
    with pytest.raises(EngineUnreachableError):
        vendor.start("1.1", to="installation=acme-own")
    rollout = vendor.start("1.1", to="installation=acme-own", offline_for=HOUR)["id"]
    passing(vendor, timedelta(minutes=1), each=timedelta(seconds=5))
    assert of(vendor, rollout)["waits_for"] == "offline"
    hosts(vendor).away.clear()
    passing(vendor, timedelta(seconds=6))
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


@pytest.mark.parametrize("offline_for", [timedelta(0), timedelta(days=367), -HOUR])
def test_time_that_nobody_can_mean_is_refused(vendor: Vendor, offline_for: timedelta) -> None:
    with pytest.raises(InvalidWaitError) as told:
        vendor.plan("1.1", offline_for=offline_for)
    assert told.value.field == "offline-for"


def test_another_process_goes_on_asking_when_the_first_one_died(vendor: Vendor) -> None:
    rollout = start(vendor, offline_for=HOUR)
    passing(vendor, timedelta(seconds=3))
    vendor.wait_for_lease()
    second = replace(vendor, ports=replace(vendor.ports, owner="second"))
    hosts(vendor).away.clear()
    assert of(vendor, rollout)["state"] == UpdateState.WAITING.value
    advance_target(second.ports, update_id=of(vendor, rollout)["id"])
    assert of(vendor, rollout)["state"] == "prepared"
