"""Lines and the gate as declared state: applied, exported, and applied again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from releaser.domain.declaration import InvalidDeclarationError
from releaser.domain.line import LinePhase
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_product import show_product
from releaser.sources.declaration import parse_declaration, to_yaml
from releaser.store import lines, products
from releaser.store.session import Database
from tests.fakes.bare_ports import bare_ports

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEXT = """
products:
  - name: shop
    repository: /srv/shop.git
    line_policy: patch-only
    gate: {no_ticket: on, reverted: off}
    maintained_days: 90
    supported_days: 180
    support_notice_days: [60, 14]
    lines:
      - {name: '3.4', phase: security-only, supported_until_on: 2026-09-30}
      - {name: '3.5', policy: open}
"""


@pytest.fixture
def kept(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def ports(kept: Database, tmp_path: Path) -> Ports:
    return bare_ports(kept, tmp_path)


def apply(ports: Ports, text: str, *, prune: bool = False) -> Facts:
    return apply_declaration(ports, declaration=parse_declaration(text), dry_run=False, prune=prune, by="tester")


def test_lines_and_gate_are_applied_exported_and_applied_again_without_change(
    database: Database, tmp_path: Path
) -> None:
    ports = bare_ports(database, tmp_path)
    assert apply(ports, TEXT)["created"] == 1
    assert apply(ports, TEXT)["changes"] == []
    exported = to_yaml(export_declaration(ports))
    assert apply(ports, exported)["changes"] == []
    (shop,) = yaml.safe_load(exported)["products"]
    assert shop["gate"] == {"no_ticket": "on", "reverted": "off"}
    assert shop["lines"] == [
        {"name": "3.4", "phase": "security-only", "supported_until_on": date(2026, 9, 30)},
        {"name": "3.5", "policy": "open"},
    ]
    told = {line["name"]: line for line in show_product(ports, product="shop")["lines"]}
    assert list(told) == ["3.5", "3.4"]
    assert (told["3.4"]["phase"], told["3.4"]["policy"]) == ("security-only", "patch-only")
    assert (told["3.5"]["phase"], told["3.5"]["policy"]) == ("development", "open")


def test_line_that_is_left_out_stays_as_it_was_stated_and_is_told(ports: Ports) -> None:
    apply(ports, TEXT)
    told = apply(ports, TEXT.replace("      - {name: '3.5', policy: open}\n", ""))
    assert told["changes"] == []
    assert told["left_out"] == [{"noun": "line", "name": "shop/3.5"}]


def test_pruned_line_stays_without_what_was_stated(ports: Ports, kept: Database) -> None:
    apply(ports, TEXT)
    told = apply(ports, TEXT.replace("      - {name: '3.5', policy: open}\n", ""), prune=True)
    assert [field["field"] for field in told["changes"][0]["fields"]] == ["lines.3.5"]
    with kept.reading() as session:
        found = lines.standing(session, products.get(session, "shop"), now=NOW)
    assert found["3.5"].says_nothing
    assert found["3.5"].phase is LinePhase.DEVELOPMENT
    assert not found["3.4"].says_nothing


def test_change_of_a_line_is_told_field_by_field(ports: Ports) -> None:
    apply(ports, TEXT)
    (change,) = apply(ports, TEXT.replace("2026-09-30", "2026-12-31"))["changes"]
    assert change["fields"] == [
        {"field": "lines.3.4.supported_until_on", "old": date(2026, 9, 30), "new": date(2026, 12, 31)}
    ]


@pytest.mark.parametrize(
    ("before", "after", "field", "told"),
    [
        ("name: '3.5'", "name: '3'", "products[0].lines[1].name", "two (X.Y)"),
        ("name: '3.5'", "name: '3.5.1'", "products[0].lines[1].name", "is not a line"),
        ("name: '3.5'", "name: 'v3.5'", "products[0].lines[1].name", "is written 3.5"),
        ("name: '3.5'", "name: '3.4'", "products[0].lines[1].name", "there twice"),
        (", policy: open", "", "products[0].lines[1]", "Nothing is stated"),
        ("policy: open", "policy: wild", "products[0].lines[1].policy", "not known"),
        ("phase: security-only", "phase: undead", "products[0].lines[0].phase", "not known"),
        (
            "phase: security-only",
            "maintained_until_on: 2027-01-01",
            "products[0].lines[0].maintained_until_on",
            "until",
        ),
        ("no_ticket: on", "no_ticket: maybe", "products[0].gate.no_ticket", "not known"),
        ("no_ticket: on", "luck: on", "products[0].gate.luck", "no such key"),
        ("maintained_days: 90", "maintained_days: 900", "products[0].maintained_days", "900"),
        ("supported_days: 180", "supported_days: 0", "products[0].supported_days", "no length"),
        ("[60, 14]", "[60, 60]", "products[0].support_notice_days[1]", "twice"),
        ("[60, 14]", "[0]", "products[0].support_notice_days[0]", "no number of days"),
    ],
)
def test_nonsense_of_a_line_or_a_gate_is_refused_with_its_place(
    ports: Ports, before: str, after: str, field: str, told: str
) -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        apply(ports, TEXT.replace(before, after))
    assert field in str(caught.value.facts["problems"])
    assert told in str(caught.value)
