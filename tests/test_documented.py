"""Whatever one can set or call stands in the README or in a page of `docs/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from releaser.cli.whole import app
from releaser.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def documentation() -> str:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text("utf-8") for page in pages)


def commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - typer keeps its classes to itself
    """Full names of every command below `command` that one can see in the help, such as `releaser product add`."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path)
        return
    # Groups may load their commands when asked for them, hence the question and no look into their tables.
    context = typer.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if not child.hidden:
            yield from commands(child, (*path, name))


PREFIX = str(Settings.model_config["env_prefix"])
SETTINGS = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}


def not_in(documentation: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", documentation))


def test_every_setting_is_documented(documentation: str) -> None:
    assert not_in(documentation, SETTINGS) == []


def test_every_command_is_documented(documentation: str) -> None:
    names = list(commands(typer.main.get_command(app), ("releaser",)))
    assert "releaser product add" in names
    assert not_in(documentation, names) == []


def test_documentation_names_no_setting_that_is_gone(documentation: str) -> None:
    # RELEASER_IMAGE is read by the compose file, not by the service.
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", documentation)) <= {*SETTINGS, "RELEASER_IMAGE"}
