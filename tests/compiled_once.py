"""Statements are compiled once for a test run, not once for each of the thousand engines that its tests make.

SQLAlchemy keeps compiled statements by dialect, and each engine has a dialect of its own. The dialects here are its own ones, except
that two of a kind count as the same, so that their engines can share a cache; SQLAlchemy's registry lets them be taken by name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}


class AnySqlite(SQLiteDialect_pysqlite):
    """SQLite's dialect, equal to every other one."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnySqlite)

    def __hash__(self) -> int:
        return hash(AnySqlite)


class AnyPostgres(PGDialect_psycopg):
    """PostgreSQL's dialect, equal to every other one: there is one server for all tests."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyPostgres)

    def __hash__(self) -> int:
        return hash(AnyPostgres)


def share() -> None:
    """From now on every engine of this process takes part."""
    registry.register("sqlite", __name__, "AnySqlite")
    registry.register("postgresql.psycopg", __name__, "AnyPostgres")
    event.listen(Engine, "engine_connect", _use)


def _use(connection: Connection) -> None:
    if isinstance(connection.dialect, AnySqlite | AnyPostgres):
        connection.execution_options(compiled_cache=_COMPILED)
