"""Which installations a selector means."""

from __future__ import annotations

import pytest

from releaser.domain.selector import InvalidSelectorError, Selector, parse

ACME = {"customer": "acme", "installation": "acme-1", "ring": "canary", "line": "1.0", "label.region": "north"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("all", True),
        (" all ", True),
        ("customer=acme", True),
        ("customer=globex", False),
        ("customer=globex,customer=acme", True),
        ("customer=acme,ring=canary", True),
        ("customer=acme,ring=wide", False),
        ("label.region=north,line=1.0", True),
        ("label.zone=a", False),
        ("delivery=server", False),
    ],
)
def test_selector_on_an_installation_means_it_or_not(text: str, *, matches: bool) -> None:
    assert parse(text).matches(ACME) is matches


@pytest.mark.parametrize("text", ["", "acme", "customer=", "=acme", "label.=x", "colour=red", "all,ring=a", "x" * 3000])
def test_text_that_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(InvalidSelectorError):
        parse(text)


def test_same_meaning_is_written_the_same() -> None:
    assert str(parse("ring=b, customer=acme,ring=a")) == str(parse("customer=acme,ring=a,ring=b"))
    assert str(Selector()) == "all"
