"""What a target costs the database, counted instead of timed: a busy machine changes nothing about it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import event

from releaser.domain.rollout import RolloutState
from releaser.store import rollout_work, wakes
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from releaser.worker.ticks import Ticks
from tests.fakes.fleet import STEPS, Fleet
from tests.fakes.postgres import PrivatePostgres

LOOKS = 2
"""At the gate after the swap, and at the one at the end."""
CLAIMS = 2
"""One to prepare, one to cut over: in between the rollout decides."""
MOST_STATEMENTS = 65
FEW, MANY = 10, 40
LONG_S = 60.0


def rolled_out(database: Database, folder: Path, targets: int) -> Counter[str]:
    """Transactions that wrote, and statements, until every target is done; one thread does all."""
    fleet = Fleet(database, folder, writes=False)
    rollout = fleet.rollout(targets, max_parallel=FEW)
    ticks = Ticks(fleet.ports, engine="counted", retry_s=1)
    counted: Counter[str] = Counter()

    def on_statement(_connection: object, _cursor: object, statement: str, *_: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's
        counted["statements"] += 1
        counted["transactions"] += statement.startswith("BEGIN IMMEDIATE") or "pg_advisory_xact_lock" in statement

    event.listen(database.engine, "before_cursor_execute", on_statement)
    try:
        while fleet.state(rollout) is not RolloutState.SUCCEEDED:
            ticks.rollout(rollout)
            with database.reading() as session:
                runnable = rollout_work.runnable(session, now=fleet.ports.clock.now())
            for update in runnable:
                ticks.target(update)
    finally:
        event.remove(database.engine, "before_cursor_execute", on_statement)
    return counted


def test_target_costs_a_transaction_for_each_claim_step_and_look_however_many_targets_there_are(
    database: Database, tmp_path: Path
) -> None:
    few, many = (rolled_out(database, tmp_path, targets) for targets in (FEW, MANY))
    further = {what: (many[what] - few[what]) / (MANY - FEW) for what in many}
    # The rollout itself moves many targets at once.
    assert further["transactions"] < len(STEPS) + LOOKS + CLAIMS + 0.5
    assert further["statements"] < MOST_STATEMENTS
    assert further["statements"] <= few["statements"] / FEW, "a further target costs more than one of the first"


# Rows whose jobs are all there, made without what else belongs to them.
QUEUED = """
SET session_replication_role = replica;
DELETE FROM target_updates;
DELETE FROM procrastinate_jobs;
INSERT INTO target_updates (rollout_id, target_id, wave, position, state, active, reason, attempt, generation, desired, steps,
    cut_over, one_way, ends_as, repeats, planned_stop_s, stopped_before_s, lease_owner)
    SELECT 1, n, 1, n, 'preparing', true, '', 1, 0, '{}', '[]', false, false, 'failed', 0, 0, 0, '' FROM generate_series(1, %s) n;
SELECT releaser_wake_target(target_id, id) FROM target_updates;
SET session_replication_role = origin;
"""
SWEEPS = 5


def test_sweep_takes_as_long_as_there_are_targets_not_as_long_as_their_square(postgres: PrivatePostgres) -> None:
    took: dict[int, float] = {}
    for targets in (100, 800):
        # A database of its own: how a statement is carried out follows from what is known of the tables.
        database = Database(postgres.url(name := postgres.create()))
        upgrade(database)
        with database.transaction() as session:
            session.connection().exec_driver_sql(QUEUED % targets)
        for _ in range(SWEEPS):
            began = time.perf_counter()
            with database.transaction() as session:
                wakes.forget_workers(session, [], silent_s=5)
            took[targets] = min(took.get(targets, LONG_S), time.perf_counter() - began)
        database.close()
        postgres.drop(name)
    assert took[800] < 12 * took[100], "eight times the targets; sixty-four times the time is their square"
