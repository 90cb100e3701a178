"""`python -m releaser.demo`: the main job on real containers, then the service to look at, until Ctrl-C.

Whatever way it ends - done, failed, Ctrl-C, SIGTERM, a closed terminal - everything it started is stopped and removed;
what stays is in its folder. After SIGKILL what it started ends by itself, and the next run removes the rest.

Exit status: 0 all of it happened (and was looked at, until asked to end), 1 not so, 130 and 143 interrupted before that.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from releaser.demo import report
from releaser.demo.folder import claimed
from releaser.demo.ports import free_port, is_taken
from releaser.demo.screen import Screen
from releaser.demo.serving import ServiceError
from releaser.demo.stage import Stage, set_up
from releaser.demo.story import Story
from releaser.errors import ConflictError, ReleaserError

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".demo"
HISTORY = CHECKOUT.parent / "shared" / "data" / "jenkins-history.bundle"
PORT = 8080
WIDTH = 132  # of lines that go into a file or a pipe
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PortTakenError(ConflictError):
    """Something else listens on the port that was asked for."""


class AskedToEndError(BaseException):
    """A signal asked to end; `number` tells which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    asked = _parsed(arguments)
    screen = Screen(Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    for number in SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # which is nohup's wish
            signal.signal(number, _end)
    try:
        return _run(screen, folder=asked.folder, port=asked.port, history=asked.history, once=asked.once)
    except AskedToEndError as end:
        screen.console.print(f"Interrupted ({end}); everything that was started is stopped.")
        return 128 + end.number
    except ReleaserError as error:
        sys.stdout.flush()
        sys.stderr.write(f"The demonstration failed: {error}\n")
        return 1


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m releaser.demo", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--once", action="store_true", help="stop after the story instead of serving until Ctrl-C")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything is kept (%(default)s)")
    parser.add_argument("--port", type=int, help=f"where the service listens; else {PORT}, or a free one")
    parser.add_argument(
        "--history", type=Path, default=HISTORY, help="a big repository to import, where it is there (%(default)s)"
    )
    return parser.parse_args(arguments)


def _end(number: int, _frame: FrameType | None) -> None:
    """Let the first signal end what runs; from then on only clean-up runs, which no further signal may disturb."""
    for one in SIGNALS:
        signal.signal(one, _ignore)
    raise AskedToEndError(number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN, which every program started from then on would inherit."""


def _run(screen: Screen, *, folder: Path, port: int | None, history: Path, once: bool) -> int:
    with claimed(folder) as mine, set_up(mine, screen, port=_port(port, screen)) as stage:
        story = Story(stage, history=history if history.is_file() else None)
        told = story.tell()
        took_s = screen.elapsed_s
        report.show(stage, told)
        screen.console.print()
        screen.console.print(
            f"[bold]All of it happened[/]: {story.check.count} facts checked, in {took_s:.0f} s.", highlight=False
        )
        if not once:
            _serve(stage)
    screen.console.print(
        f"Stopped; nothing is left but the folder {folder} with mail, changelogs and logs.", soft_wrap=True
    )
    return 0


def _port(asked: int | None, screen: Screen) -> int:
    """The port asked for, or by default the usual one where it is free. Raises PortTakenError."""
    if asked is not None and is_taken(asked):
        raise PortTakenError(f"Something listens on port {asked} already.", advice="Name another one with --port.")
    if asked is None and is_taken(PORT):
        found = free_port()
        screen.say(f"Port {PORT} is taken, so the service uses {found}.")
        return found
    return PORT if asked is None else asked


def _serve(stage: Stage) -> None:
    """Leave everything running until asked to end, which is the good end here. Raises ServiceError when the service ends."""
    screen = stage.screen
    screen.console.print(
        f"[bold]Look around at {stage.service.address} – Ctrl-C stops everything and cleans up.[/]", highlight=False
    )
    try:
        while not stage.service.has_ended:
            time.sleep(0.5)
    except AskedToEndError:
        screen.console.print("Stopping.")
        return
    raise ServiceError(
        "The service has ended by itself.", permanent=False, advice=f"See service.log in {stage.folder.path}."
    )


if __name__ == "__main__":
    sys.exit(main())
