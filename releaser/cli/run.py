"""What every command does around its flow: ports from the environment, who is asking.

What does not live here: how an error is shown and which code it ends with (`main.run`).
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from releaser.assembly import assembled, configured
from releaser.bell import Bell
from releaser.cli.show import Output
from releaser.flows.ports import Ports

OutputOption = Annotated[Output, typer.Option("-o", "--output", help="text for people, json for programs.")]
ByOption = Annotated[
    str, typer.Option("--by", help="Who asks; the user of this machine when not given.", show_default=False)
]
LimitOption = Annotated[int, typer.Option(min=1, max=5000, help="How many at most.")]
OffsetOption = Annotated[int, typer.Option(min=0, help="How many to pass over first.")]


def who(by: str) -> str:
    """Who asks: as given, else the pipeline's actor, else the user of this machine."""
    if by:
        return by
    actor = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    try:
        return actor or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def running(*, bell: Bell | None = None) -> Iterator[Ports]:
    """The ports for one command."""
    with assembled(configured(), bell=bell) as ports:
        yield ports
