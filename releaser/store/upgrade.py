"""Brings a database's schema to that of this program: made on the first start, stepped up on later ones.

Rules: the look whether anything is to be done costs two small queries and no Alembic; the steps are taken in one writer's
transaction, so of two processes that start at once one does it and the other finds it done, and a step that fails leaves
the schema as it was. A schema newer than this program is refused: it would be misread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from releaser.errors import RefusedError
from releaser.store.migrations import FOLDER, numbers
from releaser.store.session import Database
from releaser.store.wakes import prepare_queue

if TYPE_CHECKING:
    from alembic.config import Config

_TABLE = "alembic_version"
# If one of these is there without a number, somebody else made it.
_OURS = {"products", "moves", "rollouts"}


class NewerSchemaError(RefusedError):
    """The database was written by a newer version of this program."""


class ForeignSchemaError(RefusedError):
    """The database holds tables that this program did not make."""


def upgrade(database: Database) -> None:
    """Make or step up the schema, and the queue on PostgreSQL; done already is done at once.

    Raises `NewerSchemaError`, `ForeignSchemaError`, `DatabaseError`.
    """
    if schema_number(database) != numbers()[-1]:
        with database.reshaping() as connection:
            # Somebody else may have done it while we waited for our turn.
            if _number(connection) != numbers()[-1]:
                _step_up(connection)
    prepare_queue(database)


def schema_number(database: Database) -> str | None:
    """The number of the database's schema, None when it has none yet.

    Raises `NewerSchemaError` when this program does not know it, `ForeignSchemaError`, `DatabaseError`.
    """
    with database.reading() as session:
        return _number(session.connection())


def require_writable(database: Database) -> None:
    """Write something that changes nothing, and keep it: a file may be read-only, and a disk may be full. Raises `DatabaseError`."""
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = version_num"))


def _number(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_TABLE):
        if taken := _OURS & set(inspect(connection).get_table_names()):
            raise ForeignSchemaError(
                f"The database has tables that were not made by this program ({', '.join(sorted(taken))}).",
                rule="foreign-schema",
                advice="Name an empty database in RELEASER_DATABASE_URL.",
            )
        return None
    number = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # nosec B608  # noqa: S608 -- our own word
    if number is None:
        return None
    check_known(str(number))
    return str(number)


def check_known(number: str) -> None:
    """Refuse a schema that this program does not know. Raises `NewerSchemaError`."""
    if number not in numbers():
        raise NewerSchemaError(
            f"The database has schema {number[:40]}; this program knows those up to {numbers()[-1]}.",
            rule="newer-schema",
            advice="Start the newer version of the program again, or restore a backup made before it.",
            schema=number,
        )


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for our steps on that connection; it needs no file."""
    # Start-up: Alembic takes 100 ms to load and is needed on first starts only.
    from alembic.config import Config  # noqa: PLC0415 -- see above

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _step_up(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 -- as above

    command.upgrade(alembic_config(connection), "head")
