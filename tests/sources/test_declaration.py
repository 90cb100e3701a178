from __future__ import annotations

from pathlib import Path

import pytest

from releaser.domain.declaration import Declaration, InvalidDeclarationError, check, sparse
from releaser.domain.spec import ContainerSpec, PortBinding, Volume
from releaser.sources.declaration import (
    DeclarationNotFoundError,
    parse_declaration,
    read_declaration,
    to_yaml,
)

EXAMPLE = Path(__file__).parents[2] / "deploy" / "example.yaml"
TARGET = "installations: [{name: a, customer: c, product: p, targets: [{module: w, host: h, spec: {name: web, %s}}]}]"


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidDeclarationError) as error:
        parse_declaration(text, name="f")
    return str(error.value).splitlines()


def test_example_is_read_makes_sense_and_survives_a_round_trip() -> None:
    declaration = read_declaration(EXAMPLE)
    assert check(declaration) == []
    assert parse_declaration(to_yaml(sparse(declaration))) == declaration


def spec_in(text: str) -> ContainerSpec:
    spec = parse_declaration(text).installations[0].targets[0].spec
    assert isinstance(spec, ContainerSpec)
    return spec


def test_texts_are_taken_as_written() -> None:
    text = TARGET % "environment: {A: 1.10, B: no, C: 22:00, D: 0x1F, E: 2026-03-02, F: ''}"
    assert dict(spec_in(text).environment) == {
        "A": "1.10",
        "B": "no",
        "C": "22:00",
        "D": "0x1F",
        "E": "2026-03-02",
        "F": "",
    }


def test_unquoted_hours_and_country_of_a_regulation_are_understood() -> None:
    text = "customers: [{name: a, zone: Europe/Oslo, regulation: {windows: [{from: 22:00, to: 06:00}], country: NO}}]"
    regulation = parse_declaration(text).customers[0].regulation
    assert (regulation.country, regulation.zone, regulation.lead_full) == ("NO", "Europe/Oslo", 10)
    assert f"{regulation.windows[0].from_:%H:%M}" == "22:00"


def test_short_forms_of_ports_and_volumes_are_written_out() -> None:
    text = TARGET % "ports: ['80', 8080:80, '[::1]:53:53/udp'], volumes: ['data:/var/lib', '/srv:/data:ro']"
    spec = spec_in(text)
    assert spec.ports == (
        PortBinding(container_port=80, host_port=0),
        PortBinding(container_port=80, host_port=8080),
        PortBinding(container_port=53, host_port=53, host_ip="::1", protocol="udp"),
    )
    assert spec.volumes == (
        Volume(source="data", target="/var/lib"),
        Volume(source="/srv", target="/data", read_only=True),
    )


def test_anchors_and_merges_are_read() -> None:
    text = """
customers:
  - &acme {name: acme, zone: Europe/Moscow, language: ru}
  - {<<: *acme, name: globex}
"""
    acme, globex = parse_declaration(text).customers
    assert (globex.name, globex.zone, globex.language) == ("globex", acme.zone, acme.language)


def test_key_without_a_value_is_left_out() -> None:
    assert parse_declaration("hosts:\ncustomers: [{name: a, title: , contacts: }]").customers[0].contacts == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "f:1:1: Nothing is declared here."),
        ("# only this\n", "f:1:1: Nothing is declared here."),
        ("- a", "f:1:1: A declaration is a mapping."),
        ("hosts:\n\t- name: a", "f:2:1: There is a tab where YAML wants spaces."),
        ("hosts: [", "f:2:1: This is no YAML: "),
        ("hosts: []\nhosts: []", "f:2:1: 'hosts' is there twice; first in line 1."),
        ("hosts: [*all]", "f:1:9: There is no anchor 'all' above."),
        ("hosts: &all [*all]", "f:1:14: There is no anchor 'all' above."),
        ("hosts: [!!python/object:os.system x]", "f:1:9: Tags such as"),
        ("? [a]\n: b", "f:1:3: A name in a mapping must be a text."),
        ("hosts:\n  - <<: 7", "f:2:5: '<<' merges mappings"),
        ("a: \x07", "f:1:4: There is a character that no text has."),
        ("[" * 100, "f:1:41: This is nested deeper than 40 levels."),
        ("hosts: {}", "f:1:1 hosts: This is no list."),
        ("hosts: [7]", "f:1:9 hosts[0]: '7' is no mapping."),
        ("host: []", "f:1:1 host: This is no part of a declaration. Did you mean 'hosts'?"),
        ("hosts:\n- name: a", "f:2:3 hosts[0].address: It is missing. Add 'address'."),
        ("hosts:\n- name: a\n  adress: b", "f:3:3 hosts[0].adress: There is no such key here. Did you mean 'address'?"),
        ("hosts:\n- name: [a]\n  address: b", "f:2:3 hosts[0].name: This is no text."),
        (
            "products: [{name: a, repository: b, cadence_days: soon}]",
            "f:1:37 products[0].cadence_days: 'soon' is no whole number.",
        ),
        (
            "products: [{name: a, repository: b, first_train_on: soon}]",
            "f:1:37 products[0].first_train_on: 'soon' is no",
        ),
        (
            "products: [{name: a, repository: b, scheme: calver}]",
            "f:1:37 products[0].scheme: 'calver' is not known here. Use 'two-part', 'semver' or 'pep440'.",
        ),
        ("products: [{name: a, repository: b, modules: web}]", "f:1:37 products[0].modules: 'web' is no list."),
        (
            "customers:\n- name: a\n  regulation:\n    lead_full: -1",
            "f:4:5 customers[0].regulation.lead_full: 'lead_full' is no whole number in range. Use 0 to 3660.",
        ),
        (
            "customers:\n- name: a\n  regulation:\n    windows:\n    - {days: [mon], from: 25:00, to: 1:00}",
            "f:5:21 customers[0].regulation.windows[0].from: ",
        ),
        (TARGET % "ports: [web]", "f:1:109 installations[0].targets[0].spec.ports[0]: 'web' cannot be read."),
        (TARGET % "environment: {A: }", "f:1:115 installations[0].targets[0].spec.environment.A: This is no text."),
        (TARGET % "memory_mb: much", "f:1:101 installations[0].targets[0].spec.memory_mb: 'much' is no whole number."),
    ],
)
def test_wrong_text_is_told_with_its_place(text: str, told: str) -> None:
    lines = refused(text)
    assert any(line.startswith(told) for line in lines), lines


def test_everything_wrong_is_told_at_once_in_order() -> None:
    lines = refused("hosts:\n- name: a\n- nam: b\n  address: c\nthings: []")
    assert [line.partition(" ")[0] for line in lines] == ["f:2:3", "f:3:3", "f:3:3", "f:5:1"]


def test_bomb_of_aliases_is_refused_quickly() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than" in refused("\n".join(levels))[0]


def test_folder_is_one_declaration_whose_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "1.yaml").write_text("hosts:\n- {name: one, address: unix:///a}\n---\ncustomers: [{name: acme}]")
    (tmp_path / "deep" / "2.yml").write_text("hosts:\n- {name: two, address: unix:///b}\n- {name: one, address: x}")
    (tmp_path / ".hidden" / "3.yaml").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("nonsense")
    declaration = read_declaration(tmp_path)
    assert [host.name for host in declaration.hosts] == ["one", "two", "one"]
    problems = [str(problem) for problem in check(declaration)]
    second = f"{tmp_path / 'deep' / '2.yml'}:3"
    assert [problem.partition(" ")[0] for problem in problems] == [f"{second}:15", f"{second}:4"]
    assert f"first in {tmp_path / '1.yaml'}:2:3" in problems[1]


def test_missing_file_and_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationNotFoundError, match="cannot be read"):
        read_declaration(tmp_path / "none.yaml")
    with pytest.raises(DeclarationNotFoundError, match="There is no"):
        read_declaration(tmp_path)


def test_file_that_is_not_utf8_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("hosts:\n- name: узел".encode("cp1251"))
    with pytest.raises(InvalidDeclarationError, match=r"a\.yaml:2:9: The file is not written in UTF-8"):
        read_declaration(file)


def test_mark_at_the_beginning_of_a_file_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfcustomers: [{name: acme}]")
    assert read_declaration(file).customers[0].name == "acme"


def test_json_is_read_as_well() -> None:
    assert parse_declaration('{"hosts": [{"name": "one", "address": "unix:///a"}]}').hosts[0].name == "one"


def test_nothing_but_empty_groups_declares_nothing() -> None:
    assert parse_declaration("hosts: []") == Declaration()
