"""Looking for keys in many messages at once passes over none that a look at each alone would find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.ticket import DEFAULT_PATTERN, TicketPatterns, ticket_links

PATTERNS = (
    (DEFAULT_PATTERN,),
    (r"#\d+",),
    (r"[a-z]+\d+", r"T-\d+"),
    (r"(?P<key>[A-Z]+-\d+)!",),
    (r"^T-\d+",),
    (r"T-\d+$",),
    (r"[^ ]+-\d+",),
    (r"\bB\d+",),
    (r"(?s)T.*1",),
)
PIECES = st.sampled_from(
    ["T-1", "APP-12", "#7", " ", "\n", "B1", "x", "é", "😀", "\ud800", "-", "1", "!", "\0", "ab12"]
)
MESSAGES = st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=8)


@pytest.mark.parametrize("texts", PATTERNS)
@given(messages=MESSAGES)
def test_messages_looked_through_together_lose_no_match(texts: tuple[str, ...], messages: list[str]) -> None:
    patterns = TicketPatterns(texts)
    alone = {place for place, message in enumerate(messages) if "\ud800" not in message and patterns.spans(message)}
    assert alone <= set(patterns.hopeful(messages))


@given(message=st.text(alphabet="AB1-0 z\n", max_size=60), long=st.integers(100, 400))
def test_default_pattern_finds_the_same_however_long_a_word_is(message: str, long: int) -> None:
    # The group makes it another text for the same: what finds it then is the general engine.
    usual, general = TicketPatterns(), TicketPatterns([rf"({DEFAULT_PATTERN})"])
    text = message + " " + "A" * long + "-1 " + message
    assert [one.key for one in ticket_links(text, usual)] == [one.key for one in ticket_links(text, general)]
