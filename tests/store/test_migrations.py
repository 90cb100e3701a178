from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from releaser.store.migrations import VERSIONS, numbers
from releaser.store.schema import metadata
from releaser.store.session import Database, DatabaseError
from releaser.store.upgrade import ForeignSchemaError, NewerSchemaError, schema_number, upgrade
from tests.fakes.postgres import PrivatePostgres

RACERS = 3
# What the queue makes for itself on PostgreSQL is not ours.
COMPARED = {
    "compare_type": True,
    "compare_server_default": True,
    "include_name": lambda name, kind, _parents: kind != "table" or not str(name).startswith("procrastinate_"),
}


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.close()


def set_number(database: Database, number: str) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_upgraded_empty_database_is_what_the_tables_say(empty: Database) -> None:
    upgrade(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
        differences = compare_metadata(context, metadata)
    assert differences == [], "run: python -m releaser.store.migrations.make"


def test_steps_are_numbered_without_gaps() -> None:
    assert numbers() == [f"{number:04}" for number in range(1, len(numbers()) + 1)]
    assert len(list(VERSIONS.glob("*.py"))) == len(numbers())


def test_empty_database_has_no_number_until_it_is_upgraded(empty: Database) -> None:
    assert schema_number(empty) is None
    upgrade(empty)
    assert schema_number(empty) == numbers()[-1]


def test_upgrade_with_nothing_to_do_is_quick_and_needs_no_alembic(database_url: str) -> None:
    program = (
        "import timeit, sys; from releaser.store.session import Database; from releaser.store.upgrade import upgrade;"
        f"database = Database({database_url!r}); database.reading().__enter__().connection();"
        "took = min(timeit.repeat(lambda: upgrade(database), number=1, repeat=20));"
        "print('alembic' in sys.modules, took)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded, took = done.stdout.split()
    assert loaded == "False"
    assert float(took) < 0.05, "the best of twenty: what else this machine does is not the upgrade's"


def test_processes_that_start_at_once_make_one_schema(empty_url: str) -> None:
    program = (
        "import sys; from releaser.store.session import Database; from releaser.store.upgrade import upgrade;"
        f"database = Database({empty_url!r}); sys.stdin.readline(); upgrade(database)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for _ in range(RACERS)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    errors = [racer.communicate()[1].decode() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * RACERS, errors
    database = Database(empty_url)
    assert schema_number(database) == numbers()[-1]
    database.close()


def test_threads_that_start_at_once_make_one_schema(empty: Database) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            upgrade(empty)
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_newer_schema_is_refused_with_what_to_do(database: Database) -> None:
    set_number(database, "9999")
    with pytest.raises(NewerSchemaError, match="9999") as refused:
        upgrade(database)
    assert refused.value.rule == "newer-schema"
    assert "newer version" in refused.value.advice


def test_tables_of_another_program_are_left_alone(empty: Database) -> None:
    with empty.transaction() as session:
        session.execute(text("CREATE TABLE products (name TEXT)"))
    with pytest.raises(ForeignSchemaError, match="products"):
        upgrade(empty)


def test_failing_step_leaves_nothing_behind(empty: Database) -> None:
    with empty.transaction() as session:
        session.execute(text("CREATE TABLE waves (name TEXT)"))
    with pytest.raises(Exception, match="waves"):
        upgrade(empty)
    with pytest.raises(DatabaseError, match="no tables"), empty.reading() as session:
        session.execute(text("SELECT * FROM customers"))
