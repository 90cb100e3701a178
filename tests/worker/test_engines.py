"""What every engine promises, told on each of them: rollouts reach their ends whoever is killed, and nobody acts twice at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from releaser.domain.rollout import RolloutState, UpdateState
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.process import is_dead
from releaser.store import workers
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from releaser.worker.engine import Engine
from tests.fakes.fleet import Fleet, overlaps, until
from tests.fakes.postgres import PrivatePostgres

LONG_S = 40.0
ENDS_WITHIN_S = 20.0
"""SIGTERM ends an engine within 5 s; a machine with much else to do may take longer."""


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Fleet:
    return Fleet(database, tmp_path, step_s=0.01)


@contextmanager
def working(fleet: Fleet) -> Iterator[Engine]:
    engine = fleet.engine()
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@contextmanager
def process(url: str, folder: Path, *, step_s: float = 0.0, threads: int = 4) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own, that looks already."""
    command = [sys.executable, "-m", "tests.fakes.fleet", url, str(folder), str(step_s), str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            yield worker
        finally:
            worker.kill()


def ended(fleet: Fleet, rollout: int, *, within_s: float = LONG_S) -> None:
    until(
        lambda: fleet.state(rollout) is RolloutState.SUCCEEDED,
        within_s=within_s,
        what=f"the rollout's end; targets: {fleet.states(rollout)}",
    )


def test_rollout_goes_wave_by_wave_to_its_end(fleet: Fleet) -> None:
    with working(fleet):
        rollout = fleet.rollout(1, 2, 3)
        ended(fleet, rollout)
    assert fleet.states(rollout) == {UpdateState.SUCCEEDED: 6}
    assert len(fleet.acts()) == 2 * 3 * 6, "each step was carried out once"
    assert overlaps(fleet.acts()) == []


def test_rollout_that_waited_before_the_engine_began_is_found(fleet: Fleet) -> None:
    rollout = fleet.rollout(2)
    with working(fleet):
        ended(fleet, rollout)


def test_paused_rollout_begins_no_target_until_it_is_resumed(database: Database, tmp_path: Path) -> None:
    fleet = Fleet(database, tmp_path, step_s=0.1)
    with working(fleet):
        rollout = fleet.rollout(3, max_parallel=1)
        until(lambda: any(a["step"] == "swap" for a in fleet.acts()), within_s=LONG_S, what="the first cutover")
        pause_rollout(fleet.ports, rollout_id=rollout, by="ann")
        working_states = {UpdateState.CUTTING_OVER, UpdateState.VERIFYING, UpdateState.SOAKING, UpdateState.COMMITTING}
        until(lambda: not working_states & set(fleet.states(rollout)), within_s=LONG_S, what="the target at hand ends")
        begun = len(fleet.acts())
        time.sleep(0.5)  # longer than any engine's look
        assert len(fleet.acts()) == begun
        resume_rollout(fleet.ports, rollout_id=rollout, by="ann")
        ended(fleet, rollout)


def test_watched_waves_wait_for_a_person_whichever_worker_looks(database: Database, tmp_path: Path) -> None:
    machines = ("",) if database.is_sqlite else ("", "another/")  # where one process is the rule, one engine is
    fleets = [Fleet(database, tmp_path, machine=machine, step_s=0.01) for machine in machines]
    fleet = fleets[0]
    with ExitStack() as held:
        for one in fleets:
            held.enter_context(working(one))
        rollout = fleet.rollout(2, 3, wave_soak_s=1.0, gated=True)
        until(
            lambda: fleet.state(rollout) is RolloutState.PAUSED, within_s=LONG_S, what="the gate behind the first wave"
        )
        first = {act["target"] for act in fleet.acts() if act["step"] == "swap"}
        assert (len(first), fleet.states(rollout).get(UpdateState.SUCCEEDED)) == (2, 2), "the first wave alone is done"
        resume_rollout(fleet.ports, rollout_id=rollout, by="ann")
        ended(fleet, rollout)
    tidied = max(act["at"] for act in fleet.acts() if act["step"] == "tidy" and act["target"] in first)
    later = [act["at"] for act in fleet.acts() if act["step"] == "swap" and act["target"] not in first]
    assert min(later) >= tidied + 0.9, "a wave begins after the one before it was watched"
    assert len(fleet.acts()) == 2 * 3 * 5, "each step was carried out once"
    assert overlaps(fleet.acts()) == []


def test_gate_that_opens_late_is_looked_through_again_and_again(database: Database, tmp_path: Path) -> None:
    fleet = Fleet(database, tmp_path, step_s=0.001, healthy_s=0.5)
    with working(fleet):
        ended(fleet, fleet.rollout(6, max_parallel=6))


def test_stopped_engine_ends_at_once_and_another_goes_on(fleet: Fleet) -> None:
    rollout = fleet.rollout(10, max_parallel=5)
    with working(fleet) as engine:
        until(lambda: len(fleet.acts()) > 8, within_s=LONG_S, what="some steps")
        began = time.monotonic()
        engine.stop()
        assert time.monotonic() - began < ENDS_WITHIN_S, "what is under way is waited for"
    assert {act["what"] for act in fleet.acts()} == {"begin", "end"}
    begun, done = ([a for a in fleet.acts() if a["what"] == what] for what in ("begin", "end"))
    assert len(begun) == len(done), "nothing is left half done"
    with fleet.database.reading() as session:
        assert workers.everyone(session) == []
    with working(fleet):
        ended(fleet, rollout)
    assert overlaps(fleet.acts()) == []


def test_restarted_after_a_kill_in_mid_step_goes_on_within_seconds(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    fleet = Fleet(database, tmp_path)
    with process(database_url, tmp_path, step_s=30) as worker:
        rollout = fleet.rollout(3)
        until(fleet.acts, within_s=LONG_S, what="a step begins")
        worker.kill()
        worker.wait()
        died_at = time.monotonic()
    with process(database_url, tmp_path, step_s=0.01):
        until(lambda: any(a["at"] > died_at for a in fleet.acts()), within_s=10, what="the next step after a restart")
        ended(fleet, rollout)
    assert overlaps(fleet.acts(), died_at={worker.pid: died_at}) == []
    with database.reading() as session:
        assert not [row.owner for row in workers.everyone(session) if not is_dead(row.owner)]


def test_two_workers_of_two_processes_never_act_on_one_target_at_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    fleet = Fleet(database, tmp_path, step_s=0.01)
    with process(database_url, tmp_path, step_s=0.01) as other, working(fleet):
        rollout = fleet.rollout(2, 14, max_parallel=10)
        ended(fleet, rollout)
        other.send_signal(signal.SIGTERM)
        assert other.wait(timeout=ENDS_WITHIN_S) == 0
    assert overlaps(fleet.acts()) == []
    if not database.is_sqlite:  # where one process is the rule, the loop that rings itself is the quicker one
        assert len({act["pid"] for act in fleet.acts()}) == 2, "both worked"


def test_killed_workers_targets_are_taken_over_by_another_process(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    fleet = Fleet(database, tmp_path)
    with process(postgres_url, tmp_path, step_s=30) as first:
        rollout = fleet.rollout(3)
        until(lambda: len(fleet.acts()) == 3, within_s=LONG_S, what="all steps begin")
        with process(postgres_url, tmp_path, step_s=0.01):
            first.send_signal(signal.SIGKILL)
            first.wait()
            died_at = time.monotonic()
            until(lambda: any(a["at"] > died_at for a in fleet.acts()), within_s=20, what="the targets are taken over")
            ended(fleet, rollout)
    assert overlaps(fleet.acts(), died_at={first.pid: died_at}) == []
    database.close()


def test_database_that_goes_away_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    with PrivatePostgres() as server:
        name = server.create()
        database = Database(server.url(name))
        upgrade(database)
        fleet = Fleet(database, tmp_path, step_s=0.02)
        with working(fleet):
            rollout = fleet.rollout(8, max_parallel=3)
            until(lambda: len(fleet.acts()) > 5, within_s=LONG_S, what="some steps")
            server.stop(signal.SIGQUIT)
            server.start()
            ended(fleet, rollout)
        database.close()
    assert overlaps(fleet.acts()) == []
