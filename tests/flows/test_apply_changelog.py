"""How a product keeps its changelog is declared, checked, and written back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from releaser.domain.declaration import InvalidDeclarationError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.flows.ports import Facts, Ports
from releaser.sources.declaration import parse_declaration, to_yaml
from releaser.store.session import Database
from tests.fakes.bare_ports import bare_ports

SHOP = """\
products:
- name: shop
  repository: https://git.example.com/shop.git
  tag_format: shop/v{version}
  paths:
  - services/shop
  changelog:
    file: docs/CHANGELOG.md
    folder: ''
    fragments: changelogs/unreleased
    commit: true
    language: ru
    templates:
      md: |-
        {% for release in releases %}
        ## {{ release.version }}
        {% endfor %}
"""


@pytest.fixture
def ports(sqlite_url: str, tmp_path: Path) -> Ports:
    return bare_ports(Database(sqlite_url), tmp_path)


def apply(ports: Ports, text: str, *, dry_run: bool = False) -> Facts:
    return apply_declaration(
        ports, declaration=parse_declaration(text, name="shop.yaml"), dry_run=dry_run, prune=False, by="ann"
    )


def test_it_is_kept_as_declared_and_told_field_by_field(ports: Ports) -> None:
    assert apply(ports, SHOP)["created"] == 1
    assert to_yaml(export_declaration(ports)) == SHOP
    assert apply(ports, SHOP)["changes"] == []
    (change,) = apply(ports, SHOP.replace("commit: true", "commit: false"))["changes"]
    assert change["fields"] == [{"field": "changelog.commit", "old": True, "new": False}]
    ports.database.close()


@pytest.mark.parametrize("dry_run", [False, True])
def test_template_that_is_wrong_is_told_where_it_stands(ports: Ports, *, dry_run: bool) -> None:
    with pytest.raises(InvalidDeclarationError, match=r"templates\.md:3: Unknown statement") as caught:
        apply(ports, SHOP.replace("{% endfor %}", "{% endif %}"), dry_run=dry_run)
    assert "shop.yaml:14:7 products[0].changelog.templates.md" in str(caught.value)
    ports.database.close()


def test_key_that_is_none_is_told_with_the_nearest(ports: Ports) -> None:
    with pytest.raises(InvalidDeclarationError, match="Did you mean 'fragments'") as caught:
        apply(ports, SHOP.replace("fragments:", "fragment:"))
    assert "shop.yaml:10" in str(caught.value)
    ports.database.close()
