"""The schema's history: numbered steps in `versions/`, from the empty database to the tables of today.

Rules: one line of numbers (`0001`, `0002` …), the file begins with its number; steps go forward only (the way back is a
backup), first expand, then deploy, then contract; a step that was published is never changed. A step is made by

    python -m releaser.store.migrations.make "what changes"

and read before it is kept. What does not live here: when steps are taken (`store.upgrade`).
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
VERSIONS = FOLDER / "versions"


def numbers() -> list[str]:
    """The number of every step there is, in order; the last is the schema of this program."""
    return sorted(path.name[:4] for path in VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))
