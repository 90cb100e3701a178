"""Ports that kill their caller at a chosen call, as `kill -9` would: nothing of ours catches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from releaser.store.session import Database


class Killed(BaseException):
    """The process is gone."""


class Deadly:
    """Stands for `port`; shares its calls with others made from it.

    The `nth` call of `method` kills: before it is carried out, or after with `after`.
    """

    def __init__(self, port: Any) -> None:  # noqa: ANN401 -- any port
        self._port = port
        self._root = self
        self.calls: list[str] = []
        self.method = ""
        self.nth = 0
        self.after = False

    def beside(self, port: Any) -> Deadly:  # noqa: ANN401 -- any port
        """Another port that dies by the same rule."""
        other = Deadly(port)
        other._root = self._root
        return other

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method, root = getattr(self._port, name), self._root

        def called(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- any method
            root.calls.append(name)
            dies = name == root.method and root.calls.count(name) == root.nth
            if dies and not root.after:
                raise Killed(name)
            answer = method(*arguments, **named)
            if dies:
                raise Killed(name)
            return self.beside(answer) if name in {"mirror", "in_place"} else answer

        return called


class DeadlyDatabase:
    """A database whose user is killed at a transaction: `dies_at` counts from 1, before it is begun or, with `after`, once kept.

    Nothing else of it is deadly. `count` is how many transactions there were since it was last set to 0.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.count = 0
        self.dies_at = 0
        self.after = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a database has
        return getattr(self._database, name)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A writer's transaction, or death at one."""
        self.count += 1
        dies = self.count == self.dies_at
        if dies and not self.after:
            raise Killed("before a transaction")
        with self._database.transaction() as session:
            yield session
        if dies:
            raise Killed("after a transaction")
