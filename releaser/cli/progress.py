"""Progress of long work, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int | None], None]
"""`(what, done, total)`; total None while it is not known."""


def _nobody(_what: str, _done: int, _total: int | None) -> None:
    pass


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A bar for each kind of work on a terminal's standard error, gone when all is done; silence elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _nobody
        return
    # Start-up: only long work on a terminal needs rich.
    from rich.console import Console  # noqa: PLC0415 -- see above
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415 -- see above

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report
