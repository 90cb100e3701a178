"""What holds for every test: how many examples the generated tests try, what they share, and what keeps thousands of them quick.

Fakes live in `tests/fakes`, fixtures of one floor in that floor's own conftest.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from releaser.demo.engine import PROGRAMS, PrivateEngine
from releaser.demo.registry import Registry
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from tests import compiled_once, needs, unsynced
from tests.fakes.postgres import TEMPLATE, PrivatePostgres
from tests.testbed.bed import Bed

# No deadline: two busy cores are no reason to fail. In CI the examples are the same in every run.
settings.register_profile(
    "house",
    max_examples=60,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

compiled_once.share()
unsynced.share()

# What is started in the background by a shell ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: what is packed may hold the time, and processes that share tests must name them alike."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    """Garbage collection took a third of the time: what is loaded by now stays, so that it need not be looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def docker_programs() -> None:
    """End the test where a private engine cannot run."""
    for name in PROGRAMS:
        needs.program(name, of="docker")
    needs.root(why="a container engine of our own makes bridges, mounts and cgroups")


@pytest.fixture(scope="session")
def registry_program() -> None:
    """End the test where there is no registry."""
    needs.program("docker-registry", of="registry")


@pytest.fixture(scope="session")
def engine(docker_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A running engine for all tests; what a test makes on it, it removes. Who breaks an engine has one of its own."""
    with PrivateEngine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="session")
def registry(registry_program: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A running registry for all tests; each uses repositories of its own."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def testbed(docker_programs: None, registry_program: None) -> Iterator[Bed]:
    """Several hosts on one wire for all tests, each booted when first asked for: `testbed.hosts(3)`; there a broken one is repaired."""
    with Bed() as bed:
        yield bed


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A running PostgreSQL for all tests, with the schema ready in a template; each test has a database of its own."""
    with PrivatePostgres() as server:
        server.run(f"CREATE DATABASE {TEMPLATE}")
        _prepare(server.url(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema ready, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _prepare(f"sqlite:///{file}")
    return file


def _prepare(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh database in an SQLite file."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}"


@pytest.fixture
def postgres_url(postgres: PrivatePostgres) -> Iterator[str]:
    """A fresh database on PostgreSQL."""
    name = postgres.lend()
    yield postgres.url(name)
    postgres.give_back(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with the schema of today, on each kind of database there is."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, opened."""
    opened = Database(database_url)
    yield opened
    opened.close()
