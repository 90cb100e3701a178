"""A service over a small world in an SQLite file, asked in the process or over a real socket."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from fastapi.testclient import TestClient

from releaser.demo.ports import free_port
from releaser.flows.ports import Ports
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.web.app import create_app
from releaser.web.server import Server
from tests.fakes.bare_ports import UnreadRepositories
from tests.fakes.clock import FakeClock
from tests.fakes.shared_app import AppOver
from tests.web import story

ADDRESS = "http://127.0.0.1"


class Nothing:
    """Stands where a test asks for nothing outside; any use of it fails."""


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Database files made once and copied: `empty` with the tables, `told` with the story."""
    folder = tmp_path_factory.mktemp("templates")
    made = {name: folder / f"{name}.db" for name in ("empty", "told")}
    for name, file in made.items():
        database = Database(f"sqlite:///{file}")
        metadata.create_all(database.engine)
        if name == "told":
            with database.transaction() as session:
                story.tell(session)
        database.close()
    return made


@pytest.fixture
def make_ports(tmp_path: Path, templates: dict[str, Path]) -> Iterator[Callable[..., Ports]]:
    """Ports over a fresh database of their own, and nothing outside."""
    made: list[Database] = []

    def make(template: str = "empty", **given: object) -> Ports:
        file = tmp_path / f"{len(made)}.db"
        shutil.copy(templates[template], file)
        database = Database(f"sqlite:///{file}")
        made.append(database)
        values: dict[str, Any] = {
            "database": database,
            "clock": FakeClock(story.NOW),
            "repositories": UnreadRepositories(),
            "registry": Nothing(),
            "drivers": {},
            "channels": {},
            "home": tmp_path,
            "address": ADDRESS,
            "owner": "test",
            "wake": lambda: None,
        }
        return Ports(**{**values, **given})

    yield make
    for database in made:
        database.close()


@pytest.fixture
def ports(make_ports: Callable[..., Ports]) -> Ports:
    """Ports over the story."""
    return make_ports("told")


@pytest.fixture
def client(ports: Ports) -> Iterator[TestClient]:
    """The service, asked in the process."""
    with TestClient(AppOver(ports), base_url=ADDRESS, raise_server_exceptions=False) as made:
        yield made


class Served:
    """A service on a socket of its own."""

    def __init__(self, ports: Ports) -> None:
        self.port = free_port()
        self.server = Server(create_app(ports), host="127.0.0.1", port=self.port)
        self.thread = threading.Thread(target=self.server.run, name="served")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.thread.start()
        waiting = threading.Event()
        for _ in range(800):
            if self.server.started:
                return self
            waiting.wait(0.05)
        message = "the server did not start within 40 s"
        raise TimeoutError(message)

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.thread.join(10)
        assert not self.thread.is_alive(), "the server did not stop"


@pytest.fixture
def served(ports: Ports) -> Iterator[Served]:
    """The service over a real socket."""
    with Served(ports) as made:
        yield made
