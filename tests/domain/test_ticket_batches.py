"""Looking for keys in many messages at once passes over none that a look at each alone would find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.joined import Joined
from releaser.domain.ticket import ticket_links
from releaser.domain.ticket_patterns import DEFAULT_PATTERN, TicketPatterns

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
def test_messages_looked_through_together_tell_what_each_does_alone(
    texts: tuple[str, ...], messages: list[str]
) -> None:
    patterns = TicketPatterns(texts)
    whole = [message.replace("\ud800", "?") for message in messages]
    alone = [(place, spans) for place, message in enumerate(whole) if (spans := patterns.spans(message))]
    assert patterns.found(Joined(whole)) == alone


@given(messages=MESSAGES)
def test_broken_letters_in_one_message_hide_nothing_in_others(messages: list[str]) -> None:
    patterns = TicketPatterns((r"#\d+",))
    found = {place for place, _ in patterns.found(Joined(messages))}
    assert found == {place for place, message in enumerate(messages) if patterns.spans(message)}


@given(message=st.text(alphabet="AB1-0 z\n", max_size=60), long=st.integers(100, 400))
def test_default_pattern_finds_the_same_however_long_a_word_is(message: str, long: int) -> None:
    # The group makes it another text for the same: what finds it then is the general engine.
    usual, general = TicketPatterns(), TicketPatterns([rf"({DEFAULT_PATTERN})"])
    text = message + " " + "A" * long + "-1 " + message
    assert [one.key for one in ticket_links(text, usual)] == [one.key for one in ticket_links(text, general)]
