"""What workers do with targets that wait: for a word of the customer, and for hosts that are away. On both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from releaser.domain.consent import Answer
from releaser.domain.rollout import RolloutState, UpdateState, WaitsFor
from releaser.domain.target import Assignment, DriverName, Step
from releaser.flows.record_consent import record_consent
from releaser.store.customers import Customer
from releaser.store.installations import Host, Target
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Database
from releaser.targets.target import EngineUnreachableError
from tests.fakes.fleet import Fleet, FleetDriver, until

LONG_S = 20.0
OFF = "tcp://off"


class NightDriver(FleetDriver):
    """The host `OFF` answers nobody while it is `away`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.away = True
        self.asked = 0

    def apply(self, step: Step, assignment: Assignment) -> str:
        if self.away and assignment.address == OFF:
            self.asked += 1
            raise EngineUnreachableError("The engine at tcp://off cannot be reached.", permanent=False)
        return super().apply(step, assignment)


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Fleet:
    return Fleet(database, tmp_path)


@contextmanager
def at_work(fleet: Fleet, *, threads: int = 4) -> Iterator[None]:
    engine = fleet.engine(threads=threads)
    engine.start()
    try:
        yield
    finally:
        engine.stop()


def waiting(fleet: Fleet, rollout: int, what: WaitsFor) -> int:
    query = select(func.count()).where(
        TargetUpdate.rollout_id == rollout, TargetUpdate.state == UpdateState.WAITING, TargetUpdate.waits_for == what
    )
    with fleet.database.reading() as session:
        return session.scalar(query) or 0


def over(fleet: Fleet, rollout: int, *, within_s: float = LONG_S) -> float:
    succeeded = RolloutState.SUCCEEDED
    return until(lambda: fleet.state(rollout) is succeeded, within_s=within_s, what=f"{fleet.states(rollout)} succeed")


def test_word_that_another_process_records_is_acted_on_at_once(fleet: Fleet) -> None:
    rollout = fleet.rollout(3)
    with fleet.database.transaction() as session:
        first = session.scalars(select(Customer).order_by(Customer.id).limit(1)).one()
        first.regulation = {"consent": {"by": "head of operations"}}
    elsewhere = replace(fleet.ports, wake=lambda: None)
    with at_work(fleet):
        until(lambda: waiting(fleet, rollout, WaitsFor.CONSENT) == 1, within_s=LONG_S, what="one waits for the consent")
        until(
            lambda: fleet.states(rollout).get(UpdateState.SUCCEEDED) == 2, within_s=LONG_S, what="the others are done"
        )
        record_consent(elsewhere, rollout_id=rollout, answer=Answer.YES, who="Ann", by="rita")
        until(lambda: not waiting(fleet, rollout, WaitsFor.CONSENT), within_s=2.0, what="it goes on")
        over(fleet, rollout)


def test_hosts_that_are_away_hold_nobody_up_and_go_on_within_seconds_of_their_return(
    fleet: Fleet, tmp_path: Path
) -> None:
    driver = NightDriver(tmp_path)
    fleet.ports = replace(fleet.ports, drivers={DriverName.DOCKER: driver})
    rollout = fleet.rollout(30)
    with fleet.database.transaction() as session:
        off = Host(name="off", address=OFF)
        session.add(off)
        session.flush()
        there = select(TargetUpdate.target_id).where(TargetUpdate.rollout_id == rollout)
        session.execute(update(Target).where(Target.id.in_(there)).values(host_id=off.id))
    with at_work(fleet, threads=1):
        until(lambda: waiting(fleet, rollout, WaitsFor.OFFLINE) > 0, within_s=LONG_S, what="one waits for its host")
        assert over(fleet, fleet.rollout(5)) < 10, "others do not feel it"
        assert set(fleet.states(rollout)) <= {UpdateState.WAITING, UpdateState.PREPARING}
        assert driver.asked < 60, "one at a time asks a silent host"
        driver.away = False
        over(fleet, rollout)
    assert len([act for act in fleet.acts() if act["step"] == "swap" and act["what"] == "begin"]) == 35, "each once"
