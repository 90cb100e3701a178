"""SQLite files of tests are not synced to the disk: nobody pulls the plug, and a process that is killed loses nothing by it.

The product's own setting is made by the product and tested with `IS_ON` off; processes that tests start have it too.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event

IS_ON = True
_DONE = "is unsynced"


def share() -> None:
    """From now on every engine of this process takes part."""
    event.listen(Engine, "engine_connect", _set)


def _set(connection: Connection) -> None:
    if IS_ON and connection.dialect.name == "sqlite" and _DONE not in connection.info:
        connection.info[_DONE] = True
        connection.connection.cursor().execute("PRAGMA synchronous=OFF")
