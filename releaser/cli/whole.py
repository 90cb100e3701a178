"""The whole command line: every command with its help, completion, and what is wrong with what was written.

Commands are loaded when they are named: the list of commands is told without loading any. What does not live here: which
commands there are, and the one place where a command ends (`main`).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from releaser import __version__
from releaser.cli.exits import Exit
from releaser.cli.group import Group, commands
from releaser.cli.light import Argument, Light, UsageError, places
from releaser.cli.main import COMMANDS
from releaser.cli.show import Output, show_error, tell


def in_full(light: Light) -> typer.Typer:
    """A light command as all the others are."""

    @functools.wraps(light.function)
    def carried_out(**values: Any) -> None:  # noqa: ANN401 -- each command knows its own
        light.function(**values)

    parameters = []
    for place in places(light.function):
        shown = place.said.default or bool(place.default)
        if isinstance(place.said, Argument):
            metavar = place.said.metavar or None
            said: Any = typer.Argument(help=place.said.help, show_default=place.said.default or False, metavar=metavar)
        else:
            said = typer.Option(*place.names, help=place.said.help, show_default=shown)
        annotation = operator.getitem(Annotated, (place.annotation, said))
        parameters.append(
            inspect.Parameter(place.name, inspect.Parameter.KEYWORD_ONLY, default=place.default, annotation=annotation)
        )
    carried_out.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(carried_out)["__signature__"] = inspect.Signature(parameters)
    app = commands()
    app.command(light.name, epilog=light.epilog)(carried_out)
    return app


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
        light = getattr(module, "COMMAND", None)
        loaded = typer.main.get_command(in_full(light) if isinstance(light, Light) else module.app)
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


def carry_out(arguments: Sequence[str], output: Output) -> int:
    """Carry out a command line; answers the exit code. Raises what its command raises."""
    try:
        code = typer.main.get_command(app).main(args=list(arguments), prog_name="releaser", standalone_mode=False)
        return int(code) if isinstance(code, int) else Exit.DONE
    except typer.TyperException as error:
        path = getattr(getattr(error, "ctx", None), "command_path", "releaser")
        told = error.format_message().replace("Value error, ", "").rstrip(".")
        show_error(UsageError(f"{told}.", advice=f"See `{path} --help`."), output)
        return Exit.USAGE
    except typer.Abort:
        return Exit.INTERRUPTED
