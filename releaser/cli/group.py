"""How commands are put together: plain help, the nearest name for a wrong one, and help instead of silence.

What does not live here: which commands there are (`main`) and how an error is shown (`show`).
"""

from __future__ import annotations

import difflib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from releaser.cli.exits import Exit
from releaser.cli.light import UsageError


class Group(TyperGroup):
    """A group of commands that answers a wrong name with the nearest one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- typer keeps its classes to itself
        """Without arguments the help goes to standard error: nothing was done."""
        if not args and not ctx.resilient_parsing:
            sys.stderr.write(f"{ctx.get_help()}\n")
            raise typer.Exit(Exit.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- as above
        """Find the command. Raises `UsageError` for one that is not there."""
        known = self.list_commands(ctx)
        if not args[0].startswith("-") and args[0] not in known:
            near = difflib.get_close_matches(args[0], known, n=1, cutoff=0.5)
            raise UsageError(
                f"There is no command '{ctx.command_path} {args[0][:40]}'.",
                advice=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known)}.",
            )
        return super().resolve_command(ctx, args)


def commands() -> typer.Typer:
    """An empty collection for one module's commands."""
    return typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def noun(app: typer.Typer, name: str, *, told: str) -> typer.Typer:
    """A noun of `app`, such as `releaser ticket`, whose verbs are commands; `told` is its help."""
    group = commands()
    # A callback makes it a group however few verbs it has.
    group.callback()(lambda: None)
    app.add_typer(group, name=name, help=told)
    return group
