from __future__ import annotations

import pytest

from releaser.domain.nearest import nearest_tickets, nearest_versions
from releaser.domain.version import Scheme, parse

KEYS = ["SHOP-1", "SHOP-12", "SHOP-120", "SHOP-4711", "CARE-7"]


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("shop-12", ["SHOP-12", "SHOP-1", "SHOP-120", "SHOP-4711"]),
        ("SHOP-471", ["SHOP-4711", "SHOP-120", "SHOP-12", "SHOP-1"]),
        ("SHIP-3", ["SHOP-4711"]),
        ("ZZZ-1", []),
        ("SHOP-" + "9" * 400, ["SHOP-4711"]),
    ],
)
def test_nearest_tickets(wanted: str, near: list[str]) -> None:
    assert nearest_tickets(wanted, KEYS)[: len(near)] == near
    assert len(nearest_tickets(wanted, KEYS)) <= 4
    assert bool(near) == bool(nearest_tickets(wanted, KEYS))


@pytest.mark.parametrize(
    ("wanted", "near"), [("1.1.9", "1.1.1 1.1 2.0"), ("1.3", "2.0 1.2 1.1.1"), ("0.1", "1.0 2.0"), ("9.9", "2.0 1.2")]
)
def test_nearest_versions(wanted: str, near: str) -> None:
    known = [parse(text, scheme=Scheme.TWO_PART) for text in ["1.0", "1.1", "1.1.1", "1.2", "2.0"]]
    assert [one.text for one in nearest_versions(parse(wanted, scheme=Scheme.TWO_PART), known)] == near.split()
