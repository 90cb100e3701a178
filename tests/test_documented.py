"""Whatever one can set or call stands in the README or in a page of `docs/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from releaser.cli.main import app
from releaser.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def documentation() -> str:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text("utf-8") for page in pages)


def commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - typer keeps its classes to itself
    """Full names of every command below `command` that one can see in the help, such as `releaser product add`."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path)
        return
    for name, child in sorted(below.items()):
        if not child.hidden:
            yield from commands(child, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app), ("releaser",)))
SETTINGS = [f"{Settings.model_config['env_prefix']}{name}".upper() for name in Settings.model_fields]


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_is_documented(name: str, documentation: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", documentation), f"{name} stands in no page"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_documented(name: str, documentation: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", documentation), f"`{name}` stands in no page"


def test_documentation_names_no_setting_that_is_gone(documentation: str) -> None:
    prefix = str(Settings.model_config["env_prefix"])
    # RELEASER_IMAGE is read by the compose file, not by the service.
    assert set(re.findall(rf"\b{prefix}[A-Z_]*[A-Z]\b", documentation)) <= {*SETTINGS, "RELEASER_IMAGE"}
