"""A PostgreSQL of the tests' own: a cluster in a folder of its own, spoken to by a socket in it; nothing else can reach it.

Not a fake: the real server, without the waiting for disks that tests do not need.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests import needs

USER = "postgres"
TEMPLATE = "releaser_template"
_START_S = 20
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "listen_addresses=")


class PrivatePostgres:
    """A running cluster in which databases are made and dropped. It ends with the block, or with a killed test run."""

    def __init__(self) -> None:
        self._initdb = needs.postgresql("initdb")
        self._programs = Path(self._initdb).parent
        # Not below pytest's folders: the name of a socket may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="releaser-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._clean: list[str] = []
        self._template: tuple[object, ...] | None = None

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER)
        how = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--username={USER}")
        subprocess.run(
            [*self._as_user(), self._initdb, *how, f"--pgdata={self.folder / 'data'}"], check=True, capture_output=True
        )
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _as_user() -> tuple[str, ...]:
        """The server refuses to run as root. It is told to end when the tests do."""
        owner = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups") if os.geteuid() == 0 else ()
        return ("setpriv", *owner, "--pdeathsig", "QUIT")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [part for setting in _FAST for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *self._as_user(),
                    self._programs / "postgres",
                    "-D",
                    self.folder / "data",
                    "-k",
                    self.folder,
                    *settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _START_S
        ready = [str(self._programs / "pg_isready"), "--quiet", "--host", str(self.folder)]
        while self._server.poll() is None and time.monotonic() < until:
            if subprocess.run(ready, check=False).returncode == 0:
                return
        raise RuntimeError((self.folder / "log").read_text("utf-8", "replace"))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, however many are connected."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(timeout=_START_S)
            self._server = None

    def url(self, name: str) -> str:
        """The address of a database in it."""
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def run(self, statement: str) -> None:
        """Run a statement that no transaction may be around, such as CREATE DATABASE."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, *, template: str = "template0") -> str:
        """Make a database, a copy of another where named; returns its name."""
        self._made += 1
        name = f"test_{self._made}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database with whoever is still connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def lend(self) -> str:
        """A copy of the template: one given back before, or a new one, which takes a third of a second."""
        return self._clean.pop() if self._clean else self.create(template=TEMPLATE)

    def give_back(self, name: str) -> None:
        """Make a lent database what the template is (tables without rows); remove it where its tables were changed."""
        if self._template is None:
            self._template = self._look(TEMPLATE)
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_LEAVE)
            as_made = connection.execute(_SHAPE).fetchone() == self._template
            if as_made:
                connection.execute(_EMPTY)
        if as_made:
            self._clean.append(name)
        else:
            self.drop(name)

    def _look(self, name: str) -> tuple[object, ...] | None:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            return connection.execute(_SHAPE).fetchone()


# Whoever is connected besides us is ended, and waited for.
_LEAVE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# What a copy of the template has in common with it as long as nobody makes, changes or removes something in it.
_SHAPE = """
SELECT
    (SELECT md5(string_agg(concat_ws(' ', oid, relname, relkind, relnatts), ',' ORDER BY oid)) FROM pg_class
        WHERE oid >= 16384),
    (SELECT md5(string_agg(concat_ws(' ', attrelid, attname, atttypid, atttypmod, attnotnull, atthasdef), ','
        ORDER BY attrelid, attnum)) FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT md5(string_agg(concat_ws(' ', oid, conname), ',' ORDER BY oid)) FROM pg_constraint
        WHERE oid >= 16384),
    (SELECT md5(string_agg(concat_ws(' ', oid, proname), ',' ORDER BY oid)) FROM pg_proc WHERE oid >= 16384),
    (SELECT md5(string_agg(concat_ws(' ', oid, tgname, tgenabled), ',' ORDER BY oid)) FROM pg_trigger),
    (SELECT md5(string_agg(concat_ws(' ', oid, nspname), ',' ORDER BY oid)) FROM pg_namespace),
    (SELECT string_agg(version_num, ',') FROM alembic_version)
"""
# Rows go without a look at foreign keys, and numbers begin anew; only what the schema says of itself stays.
_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT oid::regclass AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
            AND pg_relation_size(oid) > 0
    LOOP
        EXECUTE 'DELETE FROM ' || one.name;
    END LOOP;
    FOR one IN SELECT format('%I.%I', schemaname, sequencename)::regclass AS name FROM pg_sequences
        WHERE last_value IS NOT NULL
    LOOP
        PERFORM setval(one.name, 1, false);
    END LOOP;
END $$
"""
