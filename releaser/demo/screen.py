"""What a person sees while the demonstration runs: chapters with the time since the start, commands, progress bars.

On a terminal bars move; elsewhere the same lines are written without them.

What does not live here: the table at the end (`report`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

INDENT = "        "

Report = Callable[[int, int], None]
"""`(done, total)`."""


class Screen:
    """Writes to one console; `elapsed_s` counts from when it was made."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()
        self._number = 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        """Begin the next part of the story."""
        self._number += 1
        minutes, seconds = divmod(int(self.elapsed_s), 60)
        self.console.print(
            f"[dim]{minutes:>3}:{seconds:02}[/]  [bold]{self._number:>2}. {escape(title)}[/]",
            highlight=False,
            soft_wrap=True,
        )

    def say(self, text: str) -> None:
        """One thing that happened."""
        self.console.print(f"{INDENT}{escape(text)}", highlight=False, soft_wrap=True)

    def command(self, words: str) -> None:
        """The command that does the same."""
        self.console.print(f"{INDENT}[cyan]$ releaser {escape(words)}[/]", highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, what: str) -> Iterator[Report]:
        """A progress bar, gone afterwards; a terminal is needed to see it."""
        columns = (
            TextColumn(f"{INDENT}{escape(what)}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bars:
            task = bars.add_task("", total=None)

            def report(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            yield report
