"""One rollout in trouble holds no other one up."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from releaser.domain.rollout import RolloutState
from releaser.domain.target import Assignment, DriverName, Step
from releaser.flows import advance_rollout as looks
from releaser.flows.ports import Ports
from releaser.store.installations import Host, Target
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.session import Database
from releaser.targets.target import EngineTimeoutError
from releaser.worker import ticks
from tests.fakes.fleet import Fleet, FleetDriver, until

LONG_S = 20.0
QUIET = "tcp://quiet"


class HalfQuietDriver(FleetDriver):
    """Whoever asks the quiet host hears at once that it does not answer, the first time; then waits for it until `over`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.over, self.waits = threading.Event(), threading.Event()
        self.known = False
        self.asked: list[str] = []

    def apply(self, step: Step, assignment: Assignment) -> str:
        if assignment.address != QUIET:
            return super().apply(step, assignment)
        if self.known:
            self.asked.append(assignment.target)
            self.waits.set()
            self.over.wait(LONG_S)
        self.known = True
        raise EngineTimeoutError("it hangs", advice="Look at it.", permanent=False)


def succeeded(fleet: Fleet, rollout: int) -> None:
    until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=LONG_S, what="the other rollout's end")


def test_rollout_whose_look_fails_keeps_no_younger_one_from_its_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(database, tmp_path)
    broken, healthy = fleet.rollout(1), fleet.rollout(2)

    def look(ports: Ports, *, rollout_id: int, **how: object) -> bool:
        if rollout_id == broken:
            raise KeyError("a driver that is no more")
        return looks.advance_rollout(ports, rollout_id=rollout_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(ticks, "advance_rollout", look)
    engine = fleet.engine()
    engine.start()
    try:
        succeeded(fleet, healthy)
    finally:
        engine.stop()


def test_rollouts_that_begin_on_hosts_that_do_not_answer_keep_no_other_one_from_its_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(database, tmp_path)
    # More than an engine has threads for looks.
    scheduled = [fleet.rollout(1) for _ in range(5)]
    with database.transaction() as session:
        session.execute(update(Rollout).values(state=RolloutState.SCHEDULED))
    began, answers = set[int](), threading.Event()

    def begin(_ports: Ports, *, rollout_id: int) -> bool:
        began.add(rollout_id)
        answers.wait(LONG_S)
        return False

    monkeypatch.setattr(looks, "begin_rollout", begin)
    engine = fleet.engine()
    engine.start()
    try:
        until(lambda: began == set(scheduled), within_s=LONG_S, what="every scheduled rollout begins")
        succeeded(fleet, fleet.rollout(2))
    finally:
        answers.set()
        engine.stop()


def test_host_that_hangs_holds_one_thread_and_no_other_hosts_target(database: Database, tmp_path: Path) -> None:
    fleet, driver = Fleet(database, tmp_path), HalfQuietDriver(tmp_path)
    fleet.ports = replace(fleet.ports, drivers={DriverName.DOCKER: driver})
    hung = fleet.rollout(6)
    with database.transaction() as session:
        quiet = Host(name="quiet", address=QUIET)
        session.add(quiet)
        session.flush()
        there = select(TargetUpdate.target_id).where(TargetUpdate.rollout_id == hung)
        session.execute(update(Target).where(Target.id.in_(there)).values(host_id=quiet.id))
    engine = fleet.engine(threads=1)
    engine.start()
    try:
        assert driver.waits.wait(LONG_S), "the quiet host is asked again"
        succeeded(fleet, fleet.rollout(2))
        assert len(driver.asked) == 1, "it holds one thread"
    finally:
        driver.over.set()
        engine.stop()
