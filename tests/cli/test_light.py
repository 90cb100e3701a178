"""Light commands are understood twice, quickly and as a whole: both must mean the same, or the quick one must not answer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from releaser.cli.light import Argument, Light, Option, understood
from releaser.cli.main import COMMANDS, LIGHT, run
from releaser.cli.whole import app, in_full
from tests.cli.conftest import Cli


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


SEEN: list[dict[str, Any]] = []


def paint(
    what: Annotated[str, Argument("What to paint.")],
    where: Annotated[str, Argument("Where.")] = "here",
    colour: Annotated[Colour, Option("In which colour.", ("-c", "--colour"))] = Colour.RED,
    twice: Annotated[bool, Option("Two coats.")] = False,  # noqa: FBT002 -- a flag
    brush: Annotated[list[str] | None, Option("A brush; repeatable.")] = None,
    folder: Annotated[Path | None, Option("Where the brushes are.", ("--from",))] = None,
    coats: Annotated[int, Option("How many.")] = 1,
) -> None:
    """Paint something."""
    SEEN.append(
        {
            "what": what,
            "where": where,
            "colour": colour,
            "twice": twice,
            "brush": brush,
            "folder": folder,
            "coats": coats,
        }
    )


PAINT = Light(function=paint, name="paint", epilog="Example: paint wall")


def as_a_whole(words: list[str]) -> dict[str, Any] | None:
    """What the whole command line makes of it, None when it finds fault or shows help."""
    SEEN.clear()
    try:
        typer.main.get_command(in_full(PAINT)).main(args=words, standalone_mode=False)
    except typer.TyperException:
        return None
    return SEEN[0] if SEEN else None


PLAIN = ["red", "blue", "3", "-", "wall", "here"]
ODD = [
    "-c",
    "--colour",
    "-cred",
    "-c=red",
    "--colour=blue",
    "--colour=",
    "--twice",
    "--twice=1",
    "--no-twice",
    "--brush",
    "--brush=a",
    "--from",
    "--from=",
]
ODDER = ["--coats", "--coats=3", "-3", "--", "", "-h", "--x", "--col"]
WORDS = st.one_of(st.sampled_from([*PLAIN, *ODD, *ODDER]), st.text(max_size=3))


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=7))
def test_what_is_understood_quickly_means_the_same_as_a_whole(words: list[str]) -> None:
    quick = understood(paint, words)
    if quick is not None:
        whole = as_a_whole(words)
        assert whole is not None
        assert {**whole, "brush": whole["brush"] or None} == {**quick, "brush": quick["brush"] or None}


@pytest.mark.parametrize(
    "words",
    [
        ["wall"],
        ["wall", "there", "-cblue", "--twice", "--brush", "a", "--brush=b", "--from", "x/y", "--coats=2"],
        ["--", "-wall", "--twice"],
        ["-c", "blue", "--from=", "wall"],
    ],
)
def test_plain_words_are_understood_quickly(words: list[str]) -> None:
    quick = understood(paint, words)
    assert quick is not None
    assert quick == {**(as_a_whole(words) or {}), "brush": quick["brush"]}


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_light_commands_are_commands_like_the_others(cli: Cli, name: str) -> None:
    assert name in COMMANDS
    assert typer.main.get_command(app) is not None
    assert cli(name, "--help").code == 0
    assert "See `releaser" in cli(name, "--nonsense").err


def test_completion_is_left_to_the_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_RELEASER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "releaser changelog --fr")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        run(["changelog", "--fr"])
    assert "--from" in capsys.readouterr().out
