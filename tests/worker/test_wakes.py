"""Those who wake the same rollout at once wait for none of each other's transactions, and none of their wakes is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from releaser.domain.rollout import UpdateState
from releaser.flows.advance_rollout import advance_rollout
from releaser.store import wakes
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Database
from tests.fakes.fleet import Fleet

MOVED = "UPDATE target_updates SET state = %s WHERE id = %s"
NOT_HELD_UP = "SET lock_timeout = '3s'"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def connections(database: Database) -> Iterator[list[psycopg.Connection]]:
    """Two transactions beside each other, and one that sees what is kept."""
    with ExitStack() as held:
        three = [held.enter_context(psycopg.connect(wakes.conninfo(database))) for _ in range(3)]
        for one in three:
            one.execute(NOT_HELD_UP)
            one.commit()
        three[-1].autocommit = True
        yield three


def two_that_prepare(database: Database, folder: Path) -> list[int]:
    fleet = Fleet(database, folder)
    rollout = fleet.rollout(2)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass
    with database.reading() as session:
        return list(session.scalars(select(TargetUpdate.id)))


def taken(seen: psycopg.Connection) -> int:
    """How many looks at rollouts wait; they are begun, as by a worker that listens."""
    return seen.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'rollout'").rowcount


def test_target_that_ends_waits_for_no_other_ones_transaction_and_each_wakes_the_rollout(
    database: Database, connections: list[psycopg.Connection], tmp_path: Path
) -> None:
    one, other = two_that_prepare(database, tmp_path)
    slow, quick, seen = connections
    taken(seen)
    slow.execute(MOVED, (UpdateState.FAILED, one))
    quick.execute(MOVED, (UpdateState.FAILED, other))
    quick.commit()
    assert taken(seen) == 1
    slow.commit()
    assert taken(seen) == 1, "the look that began before it was kept did not see it"


def test_two_that_are_prepared_at_once_wake_the_rollout_when_the_later_one_is_kept(
    database: Database, connections: list[psycopg.Connection], tmp_path: Path
) -> None:
    one, other = two_that_prepare(database, tmp_path)
    slow, quick, seen = connections
    taken(seen)
    slow.execute(MOVED, (UpdateState.PREPARED, one))
    quick.execute(MOVED, (UpdateState.PREPARED, other))
    quick.commit()
    assert taken(seen) == 0, "the wave is not prepared yet"
    slow.commit()
    assert taken(seen) == 1, "nobody would look at a wave that is prepared"


def test_step_of_the_schema_may_change_rows_and_then_their_table(database: Database, tmp_path: Path) -> None:
    one, _ = two_that_prepare(database, tmp_path)
    with database.reshaping() as connection:
        connection.exec_driver_sql(MOVED, (UpdateState.FAILED, one))
        connection.exec_driver_sql("ALTER TABLE target_updates ADD COLUMN further integer")
