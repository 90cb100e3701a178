from __future__ import annotations

import json
import os
import pty
import subprocess
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from releaser.cli.given import DateError, DurationError, InstantError, PairError, day, duration, instant, pairs
from releaser.cli.show import as_json, as_json_lines, listing, moment, safe, table
from tests.cli.conftest import PROGRAM, Cli


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1d", 86_400), ("5", 5), (" 7 s ", 7), ("0s", 0)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "x", "5x", "-5s", "1.5h", "5m3s", "9999999", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationError):
        duration(text)


def test_instants_dates_and_pairs_are_read() -> None:
    assert instant("2030-05-31T22:00+03:00") == datetime(2030, 5, 31, 19, tzinfo=UTC)
    assert instant("") is None
    assert day("2030-05-31", field="day") == date(2030, 5, 31)
    assert day("", field="day") is None
    assert pairs(["A=b=c", "B="], field="env", example="A=b") == {"A": "b=c", "B": ""}


@pytest.mark.parametrize("text", ["tomorrow", "2030-05-31T22:00", "2030-13-31T22:00+03:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InstantError):
        instant(text)


def test_what_is_no_date_or_pair_is_refused() -> None:
    with pytest.raises(DateError):
        day("soon", field="day")
    for texts in (["A"], ["=b"], ["A=b", "A=c"]):
        with pytest.raises(PairError):
            pairs(texts, field="env", example="A=b")


def test_json_has_instants_in_utc_and_no_letter_that_steers() -> None:
    at = datetime(2030, 5, 31, 22, tzinfo=timezone(timedelta(hours=3)))
    text = as_json({"at": at, "on": date(2030, 5, 31), "text": "a\x1b\x9b\u202e\ud800я"})
    assert json.loads(text) == {"at": "2030-05-31T19:00:00Z", "on": "2030-05-31", "text": "a\x1b\x9b\u202e\ud800я"}
    assert text.isprintable() or set(text) - {"\n"} <= {letter for letter in text if letter.isprintable()}
    text.encode()


def test_tables_keep_their_columns_whatever_is_in_the_cells() -> None:
    lines = table(("name", "title"), [("a", "日本語"), ("bb", "two\nlines\x1b[2J"), (None, "")]).splitlines()
    assert len(lines) == 5
    assert lines[0] == "name  title"
    assert lines[2] == "a     日本語"
    assert lines[4] == "-     -"
    assert "\x1b" not in "".join(lines)
    assert len(table(("t",), [("x" * 5000,)]).splitlines()[-1]) == 200


def test_small_texts() -> None:
    assert listing([("a", 1), ("long name", None)]) == "a:         1\nlong name: -"
    assert safe("a\x07b") == "a\ufffdb"
    assert moment(None) == "-"
    assert moment(datetime(2030, 5, 31, 22, tzinfo=timezone(timedelta(hours=3)))) == "2030-05-31 19:00:00Z"


def test_narrow_terminal_gets_a_list_instead_of_a_table(cli: Cli) -> None:
    cli.facts("product", "add", "shop", "--repo", "https://git.example.com/a/rather/long/address/of/shop.git")
    shown = {columns: _on_a_terminal(cli, columns) for columns in ("200", "40")}
    assert "name  title" in shown["200"]
    assert "name:       shop" in shown["40"]
    assert "\x1b" not in shown["40"]


def _on_a_terminal(cli: Cli, columns: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "product", "list"], env=cli.environment(COLUMNS=columns, TERM="dumb"), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:
        # The other end is closed.
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return text.decode()


def test_lists_in_json_have_a_line_for_every_entry_and_steer_no_terminal() -> None:
    facts = {"query": "x\x9b", "empty": [], "list": [{"a": "\u202e\x7f"}, {"b": date(2030, 5, 31)}], "none": None}
    told = as_json_lines(facts)
    assert json.loads(told) == {**facts, "list": [{"a": "\u202e\x7f"}, {"b": "2030-05-31"}]}
    assert len(told.splitlines()) == 9
    assert told.isascii()
    assert json.loads(as_json_lines({})) == {}
