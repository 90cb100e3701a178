"""What is cut over or put back goes before what only prepares, and whatever is done to a clock makes nobody rest longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import select, update

from releaser.clock import SystemClock
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.domain.target import Assignment, DriverName, Health, Phase, Step, Verdict
from releaser.flows.advance_rollout import advance_rollout
from releaser.store import rollout_work, wakes
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Database
from releaser.targets.target import EngineTimeoutError
from releaser.worker.crew import Crew
from tests.fakes.fleet import Fleet, FleetDriver, until

LONG_S = 20.0
SOON_S = 3.0
"""Of the promised second, on a machine with much else to do."""
THREADS = 2
MANY = 20
"""More pulls than a process has threads or takes jobs."""
FIRST = "c00000/app@h1"


class PullingDriver(FleetDriver):
    """Pulls last until they are let go on, the one of `FIRST` and those of all others; the new version of `FIRST` dies when told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.pulled, self.others_pulled = threading.Event(), threading.Event()
        self.died, self.went_back = threading.Event(), threading.Event()

    def apply(self, step: Step, assignment: Assignment) -> str:
        if step.name == "pull":
            (self.pulled if assignment.target == FIRST else self.others_pulled).wait(LONG_S)
        done = super().apply(step, assignment)
        if step.phase is Phase.ROLL_BACK:
            self.went_back.set()
        return done

    def verify(self, assignment: Assignment, *, wanted: object) -> Verdict:
        if assignment.target != FIRST or self.went_back.is_set():
            return Verdict(health=Health.HEALTHY, reason="it serves")
        health = Health.EXITED if self.died.is_set() else Health.STARTING
        return Verdict(health=health, reason="its process has ended")


class FailingDriver(FleetDriver):
    """The first three tries of a pull fail, so that the fourth one rests for more than a second."""

    tries = 0

    def apply(self, step: Step, assignment: Assignment) -> str:
        self.tries += 1
        if self.tries <= 3:
            raise EngineTimeoutError("it hangs", advice="Look at it.", permanent=False)
        return super().apply(step, assignment)


class SetClock(SystemClock):
    """A clock that is ahead by so much."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@contextmanager
def at_work(fleet: Fleet) -> Iterator[None]:
    engine = fleet.engine(threads=THREADS)
    engine.start()
    try:
        yield
    finally:
        engine.stop()


def swapped(fleet: Fleet) -> bool:
    return any(act["step"] == "swap" for act in fleet.acts())


def test_cutover_and_its_way_back_wait_for_none_of_the_many_that_pull(database: Database, tmp_path: Path) -> None:
    fleet, driver = Fleet(database, tmp_path), PullingDriver(tmp_path)
    fleet.ports = replace(fleet.ports, drivers={DriverName.DOCKER: driver})
    bad = fleet.rollout(1)
    with at_work(fleet):
        try:
            until(lambda: fleet.states(bad) == {UpdateState.PREPARING: 1}, within_s=LONG_S, what="the first pull")
            others = fleet.rollout(MANY, max_parallel=MANY)
            until(
                lambda: fleet.states(others) == {UpdateState.PREPARING: MANY}, within_s=LONG_S, what="the other pulls"
            )
            driver.pulled.set()
            until(lambda: swapped(fleet), within_s=SOON_S, what="what is prepared is cut over")
            driver.died.set()
            until(driver.went_back.is_set, within_s=SOON_S, what="the version that died is rolled back")
            until(lambda: fleet.states(bad) == {UpdateState.ROLLED_BACK: 1}, within_s=SOON_S, what="its end")
            assert fleet.states(others) == {UpdateState.PREPARING: MANY}, "the others still pull"
        finally:
            driver.others_pulled.set()
            driver.pulled.set()


def test_thread_is_kept_for_what_goes_first_and_the_others_get_all_but_that_one() -> None:
    crew = Crew(2, name="kept", clock=SystemClock(), kept=1)
    over, at_work = threading.Event(), threading.Semaphore(0)
    begun: list[int] = []

    def long(number: int) -> None:
        begun.append(number)
        at_work.release()
        over.wait(LONG_S)

    try:
        long_ones = [crew.submit(partial(long, number)) for number in range(3)]
        assert at_work.acquire(timeout=LONG_S)
        assert at_work.acquire(timeout=LONG_S)
        crew.submit(lambda: None, first=True).result(timeout=LONG_S)
        assert begun == [0, 1], "the kept thread took what does not go first"
        over.set()
        for done in long_ones:
            done.result(timeout=LONG_S)
    finally:
        over.set()
        crew.end(0.0)


def test_clock_that_is_put_back_makes_no_target_rest_longer(database: Database, tmp_path: Path) -> None:
    fleet, driver, clock = Fleet(database, tmp_path), FailingDriver(tmp_path), SetClock()
    # On PostgreSQL: a worker whose clock is ahead of the server's.
    clock.ahead = timedelta(minutes=30)
    fleet.ports = replace(fleet.ports, clock=clock, drivers={DriverName.DOCKER: driver})
    rollout = fleet.rollout(1)
    with at_work(fleet):
        until(lambda: driver.tries == 3, within_s=LONG_S, what="three tries")
        time.sleep(0.3)  # into the rest of more than a second
        clock.ahead = timedelta(0)
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=10, what="it goes on after its rest")


def test_rest_that_was_written_before_the_clock_was_put_back_is_over(database: Database, tmp_path: Path) -> None:
    fleet = Fleet(database, tmp_path)
    rollout = fleet.rollout(1)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass
    now = fleet.ports.clock.now()

    def resting_for(rest: timedelta) -> int:
        with database.transaction() as session:
            session.execute(update(TargetUpdate).values(not_before_at=now + rest))
        if database.is_sqlite:
            with database.reading() as session:
                return len(rollout_work.runnable(session, now=now))
        with database.transaction() as session:
            session.connection().exec_driver_sql("DELETE FROM procrastinate_jobs")
            wakes.forget_workers(session, [], silent_s=5)
            jobs = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'target'"
            return int(session.connection().exec_driver_sql(jobs).scalar_one())

    assert resting_for(timedelta(seconds=9)) == 0
    assert resting_for(timedelta(minutes=30)) == 1


def test_wake_of_what_goes_back_leaves_the_queue_of_those_that_prepare(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    fleet = Fleet(database, tmp_path)
    rollout = fleet.rollout(1)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass

    def woken() -> list[tuple[str, bool]]:
        jobs = "SELECT queue_name, scheduled_at IS NULL FROM procrastinate_jobs WHERE task_name = 'target'"
        with database.reading() as session:
            return [(row[0], row[1]) for row in session.connection().exec_driver_sql(jobs)]

    assert woken() == [("targets", True)]
    with database.transaction() as session:
        one = session.scalars(select(TargetUpdate)).one()
        session.connection().exec_driver_sql(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '9 seconds'"
        )
        one.state = UpdateState.ROLLING_BACK
    assert woken() == [("cutovers", True)], "one wake, at once"
    database.close()
