"""Workers that die on PostgreSQL: what they had is taken up by others, in whatever they died and wherever they ran."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from releaser.domain.rollout import RolloutState
from releaser.store.session import Database
from tests.fakes.fleet import Fleet, overlaps, until

LONG_S = 40.0
TAKEN_UP_S = 10.0
DOING = text("SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND id <> ALL(:but)")
SWEEPING = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND task_name = 'sweep'")


@pytest.fixture
def fleet(postgres_url: str, tmp_path: Path) -> Iterator[Fleet]:
    database = Database(postgres_url)
    yield Fleet(database, tmp_path)
    database.close()


@contextmanager
def worker(url: str, folder: Path, *, step_s: float, machine: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that works, of another machine where it is named."""
    command = [sys.executable, "-m", "tests.fakes.fleet", url, str(folder), str(step_s), "4", machine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


# Who dies with a job while nobody knows that the job is his is missed only when his heartbeats are.
STRAYS = """
CREATE TABLE strays (job bigint);
CREATE FUNCTION note_stray() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM workers WHERE numbers::jsonb @> to_jsonb(NEW.worker_id)) THEN
        INSERT INTO strays VALUES (NEW.id);
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER note_stray AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.status = 'doing') EXECUTE FUNCTION note_stray();
"""


def test_worker_is_given_no_job_before_its_number_in_the_queue_is_kept_beside_its_name(fleet: Fleet) -> None:
    with fleet.database.reshaping() as connection:
        connection.exec_driver_sql(STRAYS)
    rollout = fleet.rollout(2)
    engine = fleet.engine()
    engine.start()
    try:
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=LONG_S, what="the rollout's end")
    finally:
        engine.stop()
    with fleet.database.reading() as session:
        assert session.scalars(text("SELECT job FROM strays")).all() == []


def doing(fleet: Fleet, *, but: list[int] | None = None) -> list[int]:
    """The jobs that workers have."""
    with fleet.database.reading() as session:
        return list(session.scalars(DOING, {"but": but or []}))


def test_jobs_of_a_worker_that_died_with_its_first_step_are_free_when_the_next_one_begins(
    fleet: Fleet, postgres_url: str, tmp_path: Path
) -> None:
    rollout = fleet.rollout(3)
    with worker(postgres_url, tmp_path, step_s=60) as first:
        until(fleet.acts, within_s=LONG_S, what="a step begins")
        first.kill()
        first.wait()
    died_at = time.monotonic()
    held = doing(fleet)
    assert held
    engine = fleet.engine()
    engine.start()
    try:
        assert not set(held) & set(doing(fleet)), "jobs of the dead are given out anew"
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=LONG_S, what="the rollout's end")
    finally:
        engine.stop()
    assert overlaps(fleet.acts(), died_at={first.pid: died_at}) == []


def test_targets_of_a_worker_that_died_on_another_machine_in_mid_sweep_are_taken_up_within_ten_seconds(
    fleet: Fleet, postgres_url: str, tmp_path: Path
) -> None:
    with worker(postgres_url, tmp_path, step_s=60, machine="another") as first:
        rollout = fleet.rollout(3)
        until(lambda: len(fleet.acts()) == 3, within_s=LONG_S, what="all steps begin")
        with fleet.database.transaction() as session:  # nobody ends a sweep while this one writes
            until(lambda: session.scalar(SWEEPING), within_s=LONG_S, what="a sweep begins")
            first.kill()
            first.wait()
            died_at = time.monotonic()
    engine = fleet.engine()
    engine.start()
    try:
        until(lambda: any(act["at"] > died_at for act in fleet.acts()), within_s=LONG_S, what="somebody goes on")
        taken_up_s = next(act["at"] for act in fleet.acts() if act["at"] > died_at) - died_at
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=LONG_S, what="the rollout's end")
    finally:
        engine.stop()
    assert taken_up_s <= TAKEN_UP_S
    assert overlaps(fleet.acts(), died_at={first.pid: died_at}) == []
