"""Makes the next step of the schema out of what changed in the tables: `python -m releaser.store.migrations.make "…"`.

With `--first` the only step there is gets made anew, for as long as nothing was published. A developer's tool.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from releaser.store.migrations import VERSIONS, numbers
from releaser.store.session import Database
from releaser.store.upgrade import alembic_config, upgrade

FIRST = "The first schema"


def make(message: str, *, folder: Path) -> Path:
    """Write the step from the newest schema to the tables of today, and return its file."""
    number = f"{int(numbers()[-1]) + 1 if numbers() else 1:04}"
    database = Database(f"sqlite:///{folder / 'schema.db'}")
    try:
        if numbers():
            upgrade(database)
        with database.reshaping() as connection:
            config = alembic_config(connection)
            config.attributes["is_first"] = not numbers()
            command.revision(config, message=message, autogenerate=True, rev_id=number)
    finally:
        database.close()
    return next(VERSIONS.glob(f"{number}_*.py"))


def main(arguments: list[str]) -> int:
    """Read the command line; tells the file that was written."""
    parser = argparse.ArgumentParser(prog="python -m releaser.store.migrations.make", description=__doc__)
    parser.add_argument("message", nargs="?", default=FIRST, help="what changes, as a short sentence")
    parser.add_argument("--first", action="store_true", help="make the only step anew")
    given = parser.parse_args(arguments)
    if given.first:
        if len(numbers()) > 1:
            parser.error("there are later steps, so the first one stays")
        for old in VERSIONS.glob("0001_*.py"):
            old.unlink()
    elif given.message == FIRST:
        parser.error("say what changes")
    with tempfile.TemporaryDirectory() as folder:
        written = make(given.message, folder=Path(folder))
    text = written.read_text("utf-8")
    written.write_text("".join(line for line in text.splitlines(keepends=True) if "# ###" not in line), "utf-8")
    for rest in (("check", "--fix", "--quiet"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *rest, str(written)], check=True)  # noqa: S603 -- our own words
    sys.stdout.write(f"{written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
