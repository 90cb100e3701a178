"""The command `releaser`: names, where each one lives, and the one place where a command ends.

Commands are loaded when they are named: a one-shot answer must not pay for the web server or the database, and the list of
commands is told without loading any. Nothing heavy may be imported here.
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
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from releaser import __version__
from releaser.cli.exits import Exit, TerminatedError, of_error
from releaser.cli.group import Group, UsageError
from releaser.cli.show import Output, muted, show_error, tell
from releaser.errors import OutsideError, ReleaserError

COMMANDS = {
    "product": ("product", "Products: what is released."),
    "collect": ("release", "Read the product's git history."),
    "cut": ("release", "Cut the next version, or see what is being cut."),
    "promote": ("release", "Make a candidate the release."),
    "publish": ("release", "Let customers see the release."),
    "yank": ("release", "Withdraw a published release."),
    "abandon": ("release", "Stop a cut before publishing."),
    "release": ("release", "Releases: what there is and what is in it."),
    "changelog": ("changelog", "Tell what changed, of a product or of any clone."),
    "note": ("note", "Release notes: what customers read of a release."),
    "feed": ("note", "Write a product's feed of published releases."),
    "ticket": ("ticket", "Tickets: requests, their fixes, and where these run."),
    "customer": ("customer", "Customers: who runs the products, and whom to tell."),
    "installation": ("installation", "Installations: one running copy of a product each."),
    "host": ("installation", "Hosts: machines with a container engine."),
    "plan": ("deploy", "Plan a rollout and draft the notice of what it stops."),
    "deploy": ("deploy", "Roll a version out."),
    "rollout": ("rollout", "Rollouts: look at them and steer them."),
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


class Commands(Group):
    """Loads a command's module when the command is named."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 -- typer keeps its classes to itself
        """Every command, in the order of a release's life."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 -- as above
        """Load the command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"releaser.cli.{COMMANDS[cmd_name][0]}")
        loaded = typer.main.get_command(module.app)
        found = loaded.commands.get(cmd_name) if isinstance(loaded, TyperGroup) else loaded
        assert isinstance(found, TyperGroup | TyperCommand)  # noqa: S101 -- COMMANDS names a command of its module
        found.name = cmd_name
        return found

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- as above
        """Carry the command out; Ctrl-C is told."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            tell("releaser: interrupted.")
            raise typer.Exit(Exit.INTERRUPTED) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 -- as above
        """Tell the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401, ARG002 -- as above
        """Complete names without loading what they name."""
        names = {name: TyperCommand(name, help=told) for name, (_, told) in COMMANDS.items()}
        light = TyperGroup(name=self.name, commands=dict(names), params=self.params)
        return light.shell_complete(typer.Context(light), incomplete)


app = typer.Typer(
    cls=Commands,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a customer's request to the moment the fix runs on that customer's own installation.",
    epilog="Example: releaser changelog --repo . (any clone, nothing set up); releaser COMMAND --help tells the rest.",
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"releaser {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),  # noqa: FBT003 -- typer's way to say a flag
) -> None:
    pass


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
            code = typer.main.get_command(app).main(args=list(arguments), prog_name="releaser", standalone_mode=False)
            return int(code) if isinstance(code, int) else Exit.DONE
    except ReleaserError as error:
        show_error(error, output)
        return of_error(error)
    except typer.TyperException as error:
        path = getattr(getattr(error, "ctx", None), "command_path", "releaser")
        told = error.format_message().replace("Value error, ", "").rstrip(".")
        show_error(UsageError(f"{told}.", advice=f"See `{path} --help`."), output)
        return Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except TerminatedError:
        tell("releaser: terminated.")
        return Exit.TERMINATED
    except OSError as error:
        muted(sys.stdout)
        where = f" '{error.filename}'" if error.filename else ""
        show_error(MachineError(f"{error.strerror or error}{where}.", permanent=False), output)
        return Exit.FAILED


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
