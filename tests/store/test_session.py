# ruff: noqa: PT012 -- what raises here is a transaction, which is a block
from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError, OperationalError, StatementError

from releaser.errors import OutsideError
from releaser.store.customers import Customer
from releaser.store.installations import Host
from releaser.store.moves import Move
from releaser.store.session import (
    Database,
    DatabaseAddressError,
    DatabaseError,
    UnstorableError,
    WriteConflictError,
)
from tests import needs, unsynced
from tests.fakes.postgres import PrivatePostgres

NOBODY = 65534
NOW = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


def add_host(database: Database, name: str, address: str = "") -> None:
    with database.transaction() as session:
        session.add(Host(name=name, address=address))


def hosts(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Host.name).order_by(Host.id)))


def together(work: Callable[[int], object], count: int) -> None:
    """Run `work` in that many threads that begin at one moment."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(begin, number) for number in range(count)]:
            future.result()


def test_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    add_host(database, "kept")
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        session.add(Host(name="lost", address=""))
        session.flush()
        _ = 1 / 0
    assert hosts(database) == ["kept"]


def test_read_modify_write_of_many_threads_loses_nothing(database: Database) -> None:
    add_host(database, "counter", "0")

    def count(_number: int) -> None:
        for _ in range(10):
            with database.transaction() as session:
                host = session.scalars(select(Host)).one()
                host.address = str(int(host.address) + 1)

    together(count, 8)
    with database.reading() as session:
        assert session.scalars(select(Host.address)).one() == "80"


def test_two_writers_that_check_before_they_add_are_never_both_first(database: Database) -> None:
    added: list[int] = []

    def add_first(number: int) -> None:
        with database.transaction() as session:
            if not session.scalar(select(func.count()).select_from(Host)):
                session.add(Host(name=f"host-{number}", address=""))
                added.append(number)

    together(add_first, 8)
    assert len(added) == 1
    assert hosts(database) == [f"host-{added[0]}"]


def test_same_unique_name_twice_is_a_conflict(database: Database) -> None:
    add_host(database, "one")
    with pytest.raises(WriteConflictError) as conflict:
        add_host(database, "one")
    assert "hosts" in str(conflict.value.facts["constraint"])
    assert hosts(database) == ["one"]


def test_foreign_key_to_nothing_is_a_conflict(database: Database) -> None:
    with pytest.raises(WriteConflictError), database.transaction() as session:
        session.execute(
            text("INSERT INTO modules (product_id, name, image) VALUES (4711, 'web', '')"),
        )


def test_reader_neither_blocks_nor_sees_a_writer(database: Database) -> None:
    add_host(database, "first")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Host)) == 1
        with ThreadPoolExecutor(1) as pool:
            pool.submit(add_host, database, "second").result()
        assert session.scalar(select(func.count()).select_from(Host)) == 1
    assert hosts(database) == ["first", "second"]


def test_writer_at_work_does_not_block_a_reader(database: Database) -> None:
    add_host(database, "first")
    with database.transaction() as session:
        session.add(Host(name="second", address=""))
        session.flush()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(hosts, database).result() == ["first"]


def test_writing_while_reading_fails_and_is_no_fault_of_the_database(database: Database) -> None:
    with pytest.raises((OperationalError, InternalError)), database.reading() as session:
        session.add(Host(name="one", address=""))
        session.flush()
    assert hosts(database) == []
    add_host(database, "two")


def test_transaction_inside_a_transaction_is_told_at_once(database: Database) -> None:
    with pytest.raises(RuntimeError, match="inside"), database.transaction():
        add_host(database, "one")
    add_host(database, "two")
    assert hosts(database) == ["two"]


def test_instants_come_back_aware_and_equal(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with database.transaction() as session:
        session.add(Move(noun="hosts", row_id=1, source="", to="new", at=there))
    with database.reading() as session:
        at = session.scalars(select(Move.at)).one()
        assert at == NOW
        assert at.utcoffset() == timedelta(0)
        assert session.scalar(select(func.count()).select_from(Move).where(Move.at <= there)) == 1
        assert session.scalar(select(func.count()).select_from(Move).where(Move.at < there)) == 0


def test_naive_instant_is_a_fault_of_ours(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"), database.transaction() as session:
        session.add(Move(noun="hosts", row_id=1, source="", to="new", at=NOW.replace(tzinfo=None)))


def test_nothing_in_a_column_of_data_is_null(database: Database) -> None:
    with database.transaction() as session:
        session.add(Customer(name="acme", regulation={}))
    with pytest.raises(WriteConflictError), database.transaction() as session:
        session.execute(text("UPDATE customers SET regulation = NULL"))


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_number_no_column_holds_is_invalid_input(database: Database, number: int) -> None:
    with pytest.raises(UnstorableError), database.reading() as session:
        session.get(Host, number)


def test_text_that_is_no_unicode_is_invalid_input(database: Database) -> None:
    with pytest.raises(UnstorableError):
        add_host(database, "\udcff")


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://root@db/x", "sqlite://", "sqlite:///:memory:"])
def test_unusable_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(DatabaseAddressError) as refused:
        Database(url)
    assert refused.value.field == "database_url"


def test_password_of_the_url_is_in_no_error() -> None:
    database = Database("postgresql://someone:hunter2@127.0.0.1:1/none")
    with pytest.raises(DatabaseError, match="cannot be reached") as failed, database.reading() as session:
        session.execute(text("SELECT 1"))
    assert "hunter2" not in str(failed.value)
    assert not failed.value.permanent
    database.close()


# SQLite alone.


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def test_every_connection_is_set_for_safety(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsynced, "IS_ON", False)
    with sqlite.reading() as session:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in names}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}  # WAIT_S


def test_file_locked_by_another_process_is_told(sqlite_url: str) -> None:
    sqlite = Database(sqlite_url, wait_s=0.05)
    assert sqlite.file
    other = sqlite3.connect(sqlite.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked") as failed, sqlite.transaction() as session:
        raise AssertionError(session)
    other.close()
    assert not failed.value.permanent
    add_host(sqlite, "after")
    sqlite.close()


def test_writer_of_another_process_that_takes_too_long_is_told(postgres_url: str) -> None:
    slow, waiting = Database(postgres_url), Database(postgres_url, wait_s=0.05)
    with slow.transaction(), pytest.raises(DatabaseError, match="too long"):
        add_host(waiting, "one")
    slow.close()
    waiting.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everything, so become somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked_up(sqlite_template: Path) -> Iterator[Path]:
    """A database in a folder; both may be read but not written."""
    folder = Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    file = folder / "store.db"
    shutil.copy(sqlite_template, file)
    file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    folder.chmod(0o555)
    yield file
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_file_that_may_not_be_written_is_told(locked_up: Path) -> None:
    database = Database(f"sqlite:///{locked_up}")
    with as_nobody():
        with pytest.raises(DatabaseError, match=r"read-only|cannot be opened") as failed:
            add_host(database, "one")
        database.close()
    assert failed.value.permanent
    assert "writable" in failed.value.advice


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'store.db'}")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        hosts(database)
    database.close()


def test_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are my notes " * 100)
    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseError, match="no SQLite database"):
        hosts(database)
    database.close()
    assert file.read_text().startswith("these are my notes")


def test_full_database_keeps_what_it_had(sqlite: Database) -> None:
    add_host(sqlite, "before")
    with pytest.raises(DatabaseError, match="full") as failed, sqlite.transaction() as session:
        session.execute(text("PRAGMA max_page_count = 1"))
        session.add_all([Host(name=f"host-{number}", address="x" * 4000) for number in range(200)])
    assert not failed.value.permanent
    sqlite.close()
    assert hosts(sqlite) == ["before"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    needs.root(why="a full disk is made by mounting a small one")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_told_and_what_was_kept_stays(small_disk: Path, sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, small_disk / 'store.db')}")
    kept = 0
    with pytest.raises(OutsideError, match="disk"):
        for number in range(1000):
            add_host(database, f"host-{number}", "x" * 20_000)
            kept += 1
    assert 0 < kept < 1000
    assert len(hosts(database)) == kept
    database.close()


# PostgreSQL alone.


def test_stopped_server_is_told_and_a_started_one_is_found_again() -> None:
    with PrivatePostgres() as server:
        database = Database(server.url("postgres"))
        with database.reading() as session:
            session.execute(text("SELECT 1"))
        server.stop()
        with pytest.raises(DatabaseError) as failed, database.reading() as session:
            session.execute(text("SELECT 1"))
        assert not failed.value.permanent
        server.start()
        with database.reading() as session:
            assert session.execute(text("SELECT 1")).scalar() == 1
        database.close()


def test_connection_that_breaks_in_mid_transaction_keeps_nothing(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(DatabaseError), database.transaction() as session:
        session.add(Host(name="lost", address=""))
        session.flush()
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert hosts(database) == []
    database.close()


def test_database_that_is_not_there_is_told(postgres: PrivatePostgres) -> None:
    database = Database(postgres.url("nowhere"))
    with pytest.raises(DatabaseError, match="no such database"):
        hosts(database)
    database.close()


def test_too_long_text_is_invalid_input(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(UnstorableError):
        add_host(database, "x" * 100)
    with pytest.raises(UnstorableError):
        add_host(database, "with\0zero")
    database.close()
