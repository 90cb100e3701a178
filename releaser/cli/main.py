"""The command `releaser`: names, where each one lives, and the one place where a command ends.

A one-shot answer must not pay for the web server, the database, or the reading of a command line it does not need: what is
asked in a plain way of a light command is understood here (`light`), everything else by the `whole` command line. Nothing
heavy may be imported here.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType

from releaser import __version__
from releaser.cli.exits import Exit, TerminatedError, of_error
from releaser.cli.light import Light, understood
from releaser.cli.show import Output, emit, muted, show_error, tell
from releaser.errors import OutsideError, ReleaserError

COMMANDS = {
    "product": ("product", "Products: what is released."),
    "line": ("line", "Lines: how long each is supported, and what may go into it."),
    "train": ("train", "Trains: when stable releases leave, and what is planned for them."),
    "freeze": ("freeze", "Freezes: what landed too late for a train, and who lets it in."),
    "collect": ("release", "Read the product's git history."),
    "cut": ("release", "Cut the next version, or see what is being cut."),
    "promote": ("release", "Make a candidate the release."),
    "publish": ("release", "Let customers see the release."),
    "yank": ("release", "Withdraw a published release."),
    "abandon": ("release", "Stop a cut before publishing."),
    "release": ("release", "Releases: what there is and what is in it."),
    "tag": ("tag", "Tags: those that moved or vanished, until somebody accepts them."),
    "history": ("history", "Show a product's lines in time."),
    "matrix": ("history", "Show tickets by lines."),
    "evidence": ("history", "Show what speaks for a ticket's fix."),
    "changelog": ("changelog", "Tell what changed, of a product or of any clone."),
    "contains": ("contains", "Tell every release and line that has a commit or a ticket."),
    "backports": ("backports", "Tell what is fixed here and missing there."),
    "upgrade": ("upgrade", "Tell what an upgrade gains and what it would lose."),
    "note": ("note", "Release notes: what customers read of a release."),
    "feed": ("note", "Write a product's feed of published releases."),
    "ticket": ("ticket", "Tickets: requests, their fixes, and where these run."),
    "customer": ("customer", "Customers: who runs the products, and whom to tell."),
    "installation": ("installation", "Installations: one running copy of a product each."),
    "host": ("installation", "Hosts: machines with a container engine."),
    "plan": ("plan", "Plan a rollout and draft the notice of what it stops."),
    "deploy": ("deploy", "Roll a version out."),
    "rollout": ("rollout", "Rollouts: look at them and steer them."),
    "update-freeze": ("update_freeze", "Freezes of updates: times in which nothing is cut over."),
    "notice": ("notice", "Notices: what customers are told of planned work."),
    "apply": ("declared", "Make products, customers, hosts and installations as declared."),
    "export": ("declared", "Write everything declared as YAML."),
    "backup": ("keep", "Take a backup while the service works."),
    "restore": ("keep", "Put a backup in the place of the database."),
    "verify": ("keep", "Tell whether a backup is whole."),
    "doctor": ("keep", "Check database, clock, disk, git, mail, engines and registries."),
    "serve": ("serve", "Serve pages, API and worker in one process."),
    "worker": ("serve", "Work at rollouts, deliveries and requests without serving."),
}
"""Command -> the module of `releaser.cli` that has it, and what the list of commands tells of it."""

LIGHT = frozenset({"changelog", "contains", "backports", "upgrade"})
"""The commands that are light: their module has a `COMMAND`."""
_COMPLETION = "_RELEASER_COMPLETE"


class MachineError(OutsideError):
    """The machine said no: a disk is full, a file may not be read."""


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; answers the exit code. What is expected to go wrong is told in one line."""
    output = Output.JSON if _wants_json(arguments) else Output.TEXT
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Whatever the terminal's encoding has no letter for is told by its number.
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminable():
            return _answered(arguments, output)
    except ReleaserError as error:
        show_error(error, output)
        return of_error(error)
    except KeyboardInterrupt:
        tell("releaser: interrupted.")
        return Exit.INTERRUPTED
    except TerminatedError:
        tell("releaser: terminated.")
        return Exit.TERMINATED
    except OSError as error:
        muted(sys.stdout)
        where = f" '{error.filename}'" if error.filename else ""
        show_error(MachineError(f"{error.strerror or error}{where}.", permanent=False), output)
        return Exit.FAILED


def _answered(arguments: Sequence[str], output: Output) -> int:
    words = list(arguments)
    if words == ["--version"]:
        emit(f"releaser {__version__}\n")
        return Exit.DONE
    if words and words[0] in LIGHT and _COMPLETION not in os.environ:
        command = importlib.import_module(f"releaser.cli.{COMMANDS[words[0]][0]}").COMMAND
        assert isinstance(command, Light)  # noqa: S101 -- LIGHT names modules that have one
        values = understood(command.function, words[1:])
        if values is not None:
            command.function(**values)
            return Exit.DONE
    # Start-up: see above.
    from releaser.cli.whole import carry_out  # noqa: PLC0415 -- see above

    return carry_out(words, output)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether the output is to be JSON, read before the command line is understood, for what is wrong with it."""
    words = list(arguments)
    return any(pair in {("-o", "json"), ("--output", "json")} for pair in pairwise(words)) or bool(
        {"-ojson", "--output=json"}.intersection(words)
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM be an exception: what holds a lock, a process or a transaction lets go of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def main() -> None:
    """Entry point of the command."""
    if os.name == "posix":
        os.umask(0o077)
    sys.exit(run(sys.argv[1:]))
