"""What the commands that read a clone where it is have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from releaser.cli.light import Option
from releaser.domain.ticket import DEFAULT_PATTERN
from releaser.domain.version import Scheme
from releaser.flows.read_in_place import Habits

RepoOption = Annotated[Path | None, Option("Read this clone as it is.", default=".")]
TagFormatOption = Annotated[str, Option("How release tags are called, such as app-{version}.", default="guessed")]
PatternOption = Annotated[
    list[str] | None,
    Option("How ticket keys look, in RE2 syntax; repeatable.", ("--ticket-pattern",), default=DEFAULT_PATTERN),
]
SchemeOption = Annotated[Scheme, Option("How versions are numbered.")]


def habits(*, scheme: Scheme, tag_format: str, ticket_patterns: list[str] | None) -> Habits:
    """What the options say of the clone."""
    return Habits(
        scheme=scheme,
        tag_format=tag_format,
        ticket_patterns=tuple(ticket_patterns) if ticket_patterns else (DEFAULT_PATTERN,),
    )
