"""A step may take longer than a lease: who carries it out keeps the target, and who fell silent has lost it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Interval, literal, update

from releaser.clock import SystemClock
from releaser.domain.rollout import UpdateState
from releaser.domain.target import Assignment, DriverName, Step
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.advance_target import LEASE_FOR, advance_target
from releaser.flows.ports import Ports
from releaser.store import rollout_work
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Database
from releaser.worker.ticks import HEARTBEAT_S, Ticks
from tests.fakes.clock import FakeClock
from tests.fakes.fleet import Fleet, FleetDriver

LONG_S = 30.0


class SlowDriver(FleetDriver):
    """Its first step lasts until it is told to end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.began, self.ends = threading.Event(), threading.Event()

    def apply(self, step: Step, assignment: Assignment) -> str:
        self.began.set()
        assert self.ends.wait(LONG_S)
        return super().apply(step, assignment)


@dataclass(slots=True)
class Slow:
    """One target, at whose first step a worker is; `another` is a second process."""

    fleet: Fleet
    rollout: int
    update: int
    clock: FakeClock
    ticks: Ticks
    another: Ports
    driver: SlowDriver
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.ticks.target, args=(self.update,))
        self.thread.start()
        assert self.driver.began.wait(LONG_S)

    def end(self) -> None:
        self.driver.ends.set()
        self.thread.join(LONG_S)
        assert not self.thread.is_alive()

    def pass_time(self, span: timedelta) -> None:
        """On PostgreSQL leases go by the server's clock: where that cannot go on, they run out sooner."""
        self.clock.advance(span)
        if not self.fleet.database.is_sqlite:
            with self.fleet.database.transaction() as session:
                session.execute(
                    update(TargetUpdate).values(lease_until_at=TargetUpdate.lease_until_at - literal(span, Interval()))
                )


@pytest.fixture
def slow(database: Database, tmp_path: Path) -> Slow:
    return slow_on(database, tmp_path)


def slow_on(database: Database, tmp_path: Path) -> Slow:
    fleet = Fleet(database, tmp_path)
    rollout = fleet.rollout(1)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass
    clock, driver = FakeClock(SystemClock().now()), SlowDriver(tmp_path)
    with database.reading() as session:
        (one,) = rollout_work.runnable(session, now=clock.now())
    ours = replace(fleet.ports, clock=clock, drivers={DriverName.DOCKER: driver})
    return Slow(
        fleet=fleet,
        rollout=rollout,
        update=one,
        clock=clock,
        ticks=Ticks(ours, engine="slow", retry_s=1),
        another=replace(fleet.ports, clock=clock, owner="another"),
        driver=driver,
    )


def test_step_longer_than_its_lease_stays_with_who_carries_it_out(slow: Slow) -> None:
    for _ in range(10):
        slow.pass_time(timedelta(seconds=HEARTBEAT_S))
        slow.ticks.heartbeat()
        # Before the next heartbeat, and seconds late.
        slow.pass_time(LEASE_FOR - timedelta(seconds=2))
        assert advance_target(slow.another, update_id=slow.update) is None
        slow.ticks.heartbeat()
    assert slow.fleet.acts() == [], "nobody else acted"
    slow.end()
    assert slow.fleet.states(slow.rollout) == {UpdateState.PREPARED: 1}
    assert [act["what"] for act in slow.fleet.acts()] == ["begin", "end"]


def test_who_fell_silent_in_mid_step_neither_acts_nor_records_once_another_went_on(slow: Slow) -> None:
    slow.pass_time(LEASE_FOR + timedelta(seconds=1))
    advance_target(slow.another, update_id=slow.update)
    assert slow.fleet.states(slow.rollout) == {UpdateState.PREPARED: 1}
    acts = slow.fleet.acts()
    slow.end()
    assert slow.fleet.acts() == acts, "the older generation was let in"
    assert [act["generation"] for act in acts] == [2, 2]


def test_worker_of_another_machine_whose_clock_is_ahead_takes_no_target_that_is_held(
    postgres_url: str, tmp_path: Path
) -> None:
    database = Database(postgres_url)
    slow = slow_on(database, tmp_path)
    ahead = replace(slow.another, clock=FakeClock(slow.clock.now() + 2 * LEASE_FOR))
    assert advance_target(ahead, update_id=slow.update) is None
    assert slow.fleet.acts() == [], "nobody else acted"
    behind = replace(slow.another, clock=FakeClock(slow.clock.now() - 2 * LEASE_FOR))
    slow.pass_time(LEASE_FOR + timedelta(seconds=1))
    advance_target(behind, update_id=slow.update)
    assert slow.fleet.acts() != [], "one whose clock is behind takes what ran out"
    slow.end()
    database.close()
