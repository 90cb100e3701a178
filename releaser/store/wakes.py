"""The queue that wakes workers on PostgreSQL: the tables of procrastinate, and what of our rows becomes a job of it (`wakes.sql`).

Rules: it is made and stepped up after our own schema, in one writer's transaction, and never on SQLite. Nothing in it is worth
keeping: all its rows can be made anew out of ours at any time, so it is no part of a backup.
What does not live here: who carries out the jobs (`releaser.worker.queued`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from releaser.domain.rollout import AT_WORK, UNDER_WAY, UPDATE_ENDED, UpdateState
from releaser.store.rollout_work import NO_REST, TOUCHED
from releaser.store.session import APPLICATION, CONNECT_S, WRITERS_LOCK, Database

TABLES = "procrastinate_*"
"""What its tables are called."""
SWEEP = f"SELECT releaser_sweep(%(silent)s::interval, {WRITERS_LOCK})"
REST_TARGET = "SELECT releaser_wake_target(%(target_id)s, %(update_id)s, %(rest)s::interval)"
REST = "SELECT releaser_wake('looks', %(task)s, %(subject)s, %(arguments)s, %(rest)s::interval)"

_MADE = text(
    "SELECT obj_description(to_regclass('procrastinate_jobs'), 'pg_class'),"
    " EXISTS (SELECT FROM pg_trigger WHERE tgname = 'releaser_update_changed')"
)
_BEGIN_WORK = (UpdateState.PREPARING, UpdateState.CUTTING_OVER, UpdateState.ROLLING_BACK)
_ARRIVED = (UpdateState.PREPARED, UpdateState.ROLLING_BACK, *UPDATE_ENDED)


def prepare_queue(database: Database) -> None:
    """Make the queue, or step it up to what this program needs; done already is one small query, on SQLite nothing.

    Raises `DatabaseError`.
    """
    if database.is_sqlite:
        return
    with database.reading() as session:
        if _made(session.connection()) == _wanted():
            return
    with database.reshaping() as connection:
        # Somebody else may have done it while we waited for our turn.
        if (made := _made(connection)) != _wanted():
            _make(connection, made)


def conninfo(database: Database) -> str:
    """The address of the database as PostgreSQL's own library reads it."""
    url = database.engine.url
    given = {"connect_timeout": str(CONNECT_S), "application_name": APPLICATION}
    missing = {key: value for key, value in given.items() if key not in url.query}
    return url.set(drivername="postgresql").update_query_dict(missing).render_as_string(hide_password=False)


def interval(seconds: float) -> str:
    """A span of time as PostgreSQL reads it."""
    return f"{seconds} seconds"


def forget_workers(session: Session, numbers: Iterable[int], *, silent_s: float) -> None:
    """Let go at once of what workers had that are known to be dead or were silent for so long, and make it anew."""
    session.execute(text("DELETE FROM procrastinate_workers WHERE id = ANY(:numbers)"), {"numbers": list(numbers)})
    swept = "SELECT releaser_sweep(CAST(:silent AS interval), :lock)"
    session.execute(text(swept), {"silent": interval(silent_s), "lock": WRITERS_LOCK})


def _made(connection: Connection) -> str | None:
    """What the queue was made of: procrastinate's newest step and our wakes; None when there is no queue."""
    said, is_whole = connection.execute(_MADE).one()
    if said is None:
        return None
    # A backup that was put back brought our tables without their triggers.
    return str(said) if is_whole else f"{str(said).partition(' ')[0]} -"


def _wanted() -> str:
    return f"{_steps()[-1].name} {hashlib.sha256(_wakes().encode()).hexdigest()[:12]}"


@cache
def _folder() -> Path:
    """Where procrastinate keeps its SQL; found without importing it, which takes a tenth of a second."""
    found = find_spec("procrastinate")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(name="procrastinate")
    return Path(found.origin).parent / "sql"


@cache
def _steps() -> list[Path]:
    return sorted((_folder() / "migrations").glob("*.sql"))


@cache
def _wakes() -> str:
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    names = {
        "AT_WORK": AT_WORK,
        "TOUCHED": TOUCHED,
        "UNDER_WAY": UNDER_WAY,
        "BEGIN_WORK": _BEGIN_WORK,
        "ARRIVED": _ARRIVED,
    }
    for name, states in names.items():
        sql = sql.replace(f"@{name}@", _quoted(states))
    return sql.replace("@NO_REST@", interval(NO_REST.total_seconds()))


def _quoted(states: Iterable[StrEnum]) -> str:
    return ", ".join(sorted(f"'{state.value}'" for state in states))


def _make(connection: Connection, made: str | None) -> None:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 -- on PostgreSQL we use no other driver
    if made is None and connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is None:
        _run(raw, (_folder() / "schema.sql").read_text("utf-8"))
    elif made is not None:
        for step in _steps():
            if step.name > made.partition(" ")[0]:
                _run(raw, step.read_text("utf-8"))
    _run(raw, _wakes())
    _run(raw, f"COMMENT ON TABLE procrastinate_jobs IS '{_wanted()}'")


def _run(raw: psycopg.Connection, statements: str) -> None:
    # Without parameters several statements go in one message, and a per cent sign is one.
    raw.execute(statements.encode())
