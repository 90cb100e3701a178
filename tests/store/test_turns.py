"""Who waits for whom to write: who works at one target goes beside others of its kind on PostgreSQL, and never beside anybody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select, text

from releaser.domain.rollout import UpdateState
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.advance_target import LEASE_FOR
from releaser.store import rollout_work
from releaser.store.rollouts import TargetUpdate
from releaser.store.session import Database, DatabaseError, Turn
from tests.fakes.fleet import Fleet

SHORT_S, LONG_S = 0.2, 20.0


@contextmanager
def writing(database: Database, turn: Turn) -> Iterator[None]:
    """Somebody else is in the middle of writing, in a process of its own as far as the database knows."""
    began, ends = threading.Event(), threading.Event()

    def write() -> None:
        # Who takes too long is cut off.
        with suppress(DatabaseError), database.transaction(turn):
            began.set()
            ends.wait(LONG_S)

    thread = threading.Thread(target=write)
    thread.start()
    assert began.wait(LONG_S)
    try:
        yield
    finally:
        ends.set()
        thread.join()


def gets_a_turn(database: Database, turn: Turn) -> bool:
    try:
        with database.transaction(turn):
            return True
    except DatabaseError:
        return False


@pytest.mark.parametrize("theirs", Turn)
@pytest.mark.parametrize("ours", Turn)
def test_only_those_who_work_at_targets_write_beside_each_other(postgres_url: str, theirs: Turn, ours: Turn) -> None:
    database = Database(postgres_url, wait_s=SHORT_S)
    with writing(database, theirs):
        assert gets_a_turn(database, ours) is (ours is theirs is Turn.BESIDE)
    assert gets_a_turn(database, ours)
    database.close()


def test_who_may_go_beside_others_waits_all_the_same_where_one_file_is_written(sqlite_url: str) -> None:
    database = Database(sqlite_url, wait_s=SHORT_S)
    with writing(database, Turn.BESIDE):
        assert not gets_a_turn(database, Turn.BESIDE)
    database.close()


def test_who_freezes_while_it_writes_what_it_saw_of_a_target_holds_the_others_up_for_seconds(postgres_url: str) -> None:
    database = Database(postgres_url)
    began = time.monotonic()
    with writing(database, Turn.BESIDE):
        assert gets_a_turn(database, Turn.ALONE)
    assert time.monotonic() < began + LEASE_FOR.total_seconds(), "targets are given up as late"
    database.close()


def test_of_two_who_take_up_one_target_at_once_the_second_finds_it_held(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    fleet = Fleet(database, tmp_path)
    rollout = fleet.rollout(1)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass
    now = fleet.ports.clock.now()
    with database.reading() as session:
        (one,) = rollout_work.runnable(session, now=now)
    taken: dict[str, int] = {}

    def take(owner: str) -> None:
        with database.transaction(Turn.BESIDE) as session:
            update = rollout_work.update(session, one)
            assert update is not None
            if rollout_work.claim(
                session, update, owner=owner, now=now, until=now + LEASE_FOR, deadline_at=update.deadline_at
            ):
                taken[owner] = update.generation
            # Long enough for the other one to come.
            session.execute(text("SELECT pg_sleep(0.05)"))

    threads = [threading.Thread(target=take, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(taken.values()) == [1], "one has it, by the first number"
    database.close()


def test_last_two_of_a_wave_prepared_at_once_wake_their_rollout(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    fleet = Fleet(database, tmp_path)
    rollout = fleet.rollout(2)
    while advance_rollout(fleet.ports, rollout_id=rollout):
        pass
    with database.transaction() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        both = session.scalars(select(TargetUpdate.id)).all()
    barrier = threading.Barrier(2)

    def prepared(number: int) -> None:
        with database.transaction(Turn.BESIDE) as session:
            barrier.wait()
            session.execute(
                text("UPDATE target_updates SET state = :state WHERE id = :id"),
                {"state": UpdateState.PREPARED.value, "id": number},
            )
            session.execute(text("SELECT pg_sleep(0.05)"))

    threads = [threading.Thread(target=prepared, args=(number,)) for number in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        woken = session.scalars(text("SELECT lock FROM procrastinate_jobs")).all()
    assert woken == [f"rollout:{rollout}"]
    database.close()
