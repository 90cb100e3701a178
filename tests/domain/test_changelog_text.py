"""Untrusted text comes out harmless, and as it was."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.changelog.text import (
    escape_json,
    escape_markdown,
    language_of,
    plain,
    plain_lines,
    to_html,
    to_text,
)

HOSTILE = st.text(alphabet=st.one_of(st.sampled_from("\\`*_{}[]()#+-.!|<>~&= 1a\"':/@\t\n\x1b\x9b;m"), st.characters()))


@given(HOSTILE)
def test_escaped_line_renders_as_itself(text: str) -> None:
    line = plain(text)
    rendered = html.unescape(to_html(f"- x {escape_markdown(line)} y"))
    assert rendered == f"<ul>\n<li>x {line} y</li>\n</ul>\n"


@given(HOSTILE)
def test_escaped_line_begins_no_block(text: str) -> None:
    line = plain(text)
    rendered = to_html(f"- {escape_markdown(line)}")
    assert rendered.startswith("<ul>\n<li>")
    assert rendered.count("<") == 4


@given(HOSTILE)
def test_plain_text_has_no_control_characters(text: str) -> None:
    for shown in (plain(text), *plain_lines(text).split("\n")):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or "\u202a" <= c <= "\u202e" for c in shown)
        shown.encode("utf-8")


@given(
    st.recursive(HOSTILE | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner))
)
def test_escaped_json_is_the_same_data(data: object) -> None:
    document = json.dumps(data, ensure_ascii=False)
    assert json.loads(escape_json(document)) == data
    assert not any(127 <= ord(c) < 160 for c in escape_json(document))


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("a\x1b[1;31mb\x1b[0m", "ab"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://e.test\x1b\\b", "ab"),
        ("a\x9b31mb", "ab"),
        ("a\x1bPq\x1b\\b", "ab"),
        ("a\r\nb\tc", "a b c"),
        ("user\u202eexe.txt", "userexe.txt"),
        ("a\ud800b\ufeff", "ab"),
        ("naïve 日本 \U0001f600", "naïve 日本 \U0001f600"),
    ],
)
def test_terminal_sequences_and_hidden_characters_are_taken_out(given_text: str, shown: str) -> None:
    assert plain(given_text) == shown


@pytest.mark.parametrize(
    ("text", "language"), [("Crash", "en"), ("Сбой", "ru"), ("Сбой API", "ru"), ("API сбой", "ru"), ("123", "en")]
)
def test_language_is_told_by_the_letters(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("*a* `b` [c](http://e.test)", "a b c (http://e.test)"),
        ("# a\n\n- b\n- c", "a b c"),
        ("<http://e.test>", "http://e.test"),
        ("![i](http://e.test/i)", "!i (http://e.test/i)"),
        ("<b>x</b>", "<b>x</b>"),
    ],
)
def test_markdown_becomes_plain_text(markdown: str, text: str) -> None:
    assert to_text(markdown) == text


@pytest.mark.parametrize(
    "markdown", ["<script>x</script>", "[x](javascript:alert)", "[x](data:text/html,x)", "<a onclick=x>"]
)
def test_html_of_hostile_markdown_is_inert(markdown: str) -> None:
    rendered = to_html(markdown)
    assert "<script" not in rendered
    assert "href" not in rendered
    assert "<a" not in rendered
