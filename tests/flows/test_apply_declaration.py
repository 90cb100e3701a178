from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from releaser.domain.declaration import (
    Declaration,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredModule,
    DeclaredProduct,
    DeclaredTarget,
    InvalidDeclarationError,
)
from releaser.domain.release import ReleaseState
from releaser.domain.request import TicketState
from releaser.domain.spec import ContainerSpec, Order, PortBinding
from releaser.domain.version import Scheme, VersionKind
from releaser.errors import ConflictError, NotFoundError
from releaser.flows.add_customer import add_customer
from releaser.flows.add_installation import add_installation
from releaser.flows.add_product import add_product
from releaser.flows.apply_declaration import InUseError, apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_customer import list_customers, show_customer
from releaser.flows.show_installation import list_installations, show_installation
from releaser.flows.show_product import list_products, show_product
from releaser.sources.declaration import parse_declaration, read_declaration, to_yaml
from releaser.sources.git import GitRepositories
from releaser.store.customers import Customer
from releaser.store.declared import DeclaredChange
from releaser.store.installations import Installed, Target
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.session import Database
from releaser.store.tickets import Ticket
from tests.fakes.bare_ports import bare_ports
from tests.fakes.git_world import GitWorld

EXAMPLE = Path(__file__).parents[2] / "deploy" / "example.yaml"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def ports(database: Database, tmp_path: Path) -> Ports:
    return bare_ports(database, tmp_path)


@pytest.fixture
def example() -> Declaration:
    return read_declaration(EXAMPLE)


def apply(ports: Ports, declaration: Declaration, *, prune: bool = False, dry_run: bool = False) -> Facts:
    return apply_declaration(ports, declaration=declaration, dry_run=dry_run, prune=prune, by="tester")


def shop(**given: Any) -> DeclaredProduct:  # noqa: ANN401 -- its fields
    modules = (DeclaredModule(name="web", image="registry.example.com/shop/web:{version}"),)
    return DeclaredProduct(**{"name": "shop", "repository": "/srv/shop.git", "modules": modules, **given})


def web(name: str, *, host: str = "one", **spec: Any) -> DeclaredTarget:  # noqa: ANN401 -- fields of the specification
    return DeclaredTarget(module="web", host=host, spec=ContainerSpec(name=name, **spec))


def small(**given: Any) -> Declaration:  # noqa: ANN401 -- its fields
    installation = DeclaredInstallation(name="acme-shop", customer="acme", product="shop", targets=(web("acme-web"),))
    whole: dict[str, Any] = {
        "products": (shop(),),
        "customers": (DeclaredCustomer(name="acme"),),
        "hosts": (DeclaredHost(name="one", address="unix:///run/one.sock"),),
        "installations": (installation,),
    }
    return Declaration(**{**whole, **given})


def changed(facts: Facts) -> list[tuple[str, str, str]]:
    return [(change["noun"], change["name"], change["action"]) for change in facts["changes"]]


def test_example_applies_and_again_changes_nothing(ports: Ports, example: Declaration) -> None:
    first = apply(ports, example)
    assert (first["created"], first["changed"], first["removed"]) == (7, 0, 0)
    again = apply(ports, example, prune=True)
    assert again["changes"] == again["left_out"] == []


@pytest.mark.parametrize("is_dry", [False, True])
def test_repository_that_can_be_none_is_told_by_its_line_before_anything_is_written(
    database: Database, tmp_path: Path, *, is_dry: bool
) -> None:
    ports = bare_ports(database, tmp_path, repositories=GitRepositories())
    text = f"""\
customers:
- name: acme
products:
- name: shop
  repository: {GitWorld(tmp_path / "shop.git").folder}
- name: lib
  repository: {tmp_path / "nothing.git"}
- name: app
  title: The App
  repository: ext::sh -c true
  trains: {{alert_mail: [nobody]}}
"""
    with pytest.raises(InvalidDeclarationError) as caught:
        apply(ports, parse_declaration(text, name="all.yaml"), dry_run=is_dry)
    problems: Any = caught.value.facts["problems"]
    told = [(one["line"], one["field"]) for one in problems]
    assert told == [
        (7, "products[1].repository"),
        (10, "products[2].repository"),
        (11, "products[2].trains.alert_mail[0]"),
    ]
    assert "all.yaml:7:" in str(caught.value)
    assert list_products(ports) == list_customers(ports) == []


def test_repository_that_is_gone_does_not_hold_what_is_declared_beside_it(database: Database, tmp_path: Path) -> None:
    ports = bare_ports(database, tmp_path, repositories=GitRepositories())
    world = GitWorld(tmp_path / "shop.git")
    apply(ports, Declaration(products=(shop(repository=str(world.folder)),)))
    world.folder.rename(tmp_path / "elsewhere.git")
    again = apply(ports, Declaration(products=(shop(repository=str(world.folder), title="The Shop"),)))
    assert changed(again) == [("product", "shop", "changed")]
    with pytest.raises(InvalidDeclarationError):
        apply(ports, Declaration(products=(shop(repository=str(tmp_path / "other.git")),)))


def test_export_applies_as_no_change_and_is_the_same_after(ports: Ports, example: Declaration) -> None:
    apply(ports, example)
    written = to_yaml(export_declaration(ports))
    assert apply(ports, parse_declaration(written), prune=True)["changes"] == []
    assert to_yaml(export_declaration(ports)) == written


def test_export_of_nothing_is_empty_groups(ports: Ports) -> None:
    assert export_declaration(ports) == {}


def test_dry_run_tells_the_same_and_keeps_nothing(ports: Ports, example: Declaration) -> None:
    told = apply(ports, example, dry_run=True)
    assert list_products(ports) == []
    done = apply(ports, example)
    assert (told["changes"], told["dry_run"]) == (done["changes"], True)


def test_changes_are_told_field_by_field_and_remembered(ports: Ports, database: Database) -> None:
    apply(ports, small())
    target = web(
        "acme-web",
        order=Order.START_FIRST,
        environment={"A": "1"},
        ports=(PortBinding(container_port=80, host_port=8080),),
    )
    installation = replace(small().installations[0], ring="canary", targets=(target,))
    facts = apply(ports, small(products=(shop(cadence_days=7),), installations=(installation,)))
    fields = {f"{c['name']}.{f['field']}": (f["old"], f["new"]) for c in facts["changes"] for f in c["fields"]}
    port = {"container_port": 80, "host_port": 8080, "host_ip": "127.0.0.1", "protocol": "tcp"}
    assert fields == {
        "shop.cadence_days": (14, 7),
        "acme-shop.ring": ("", "canary"),
        "acme-shop.targets.web@one.spec.order": ("stop-first", "start-first"),
        "acme-shop.targets.web@one.spec.environment.A": (None, "1"),
        "acme-shop.targets.web@one.spec.ports": ([], [port]),
    }
    with database.reading() as session:
        kept = session.scalars(select(DeclaredChange).order_by(DeclaredChange.id.desc())).first()
        assert kept
        assert (kept.name, kept.action, kept.by, len(kept.fields)) == ("acme-shop", "changed", "tester", 4)


def test_what_runs_on_a_target_is_left_as_it_is(ports: Ports, database: Database) -> None:
    apply(ports, small())
    with database.transaction() as session:
        target = session.scalars(select(Target)).unique().one()
        target.version, target.digest, target.generation = "1.0", "sha256:1", 7
    installation = replace(small().installations[0], targets=(web("acme-web", soak_s=9),))
    apply(ports, small(installations=(installation,)))
    with database.reading() as session:
        target = session.scalars(select(Target)).unique().one()
        assert (target.version, target.digest, target.generation) == ("1.0", "sha256:1", 7)
        assert target.spec["soak_s"] == 9


def test_what_is_left_out_stays_and_is_told(ports: Ports) -> None:
    apply(ports, small())
    facts = apply(ports, Declaration(products=(shop(modules=()),), customers=(DeclaredCustomer(name="globex"),)))
    assert changed(facts) == [("customer", "globex", "created")]
    left = {(one["noun"], one["name"]) for one in facts["left_out"]}
    assert left == {("customer", "acme"), ("host", "one"), ("installation", "acme-shop"), ("module", "shop/web")}
    assert len(show_product(ports, product="shop")["modules"]) == 1


def test_prune_removes_what_nothing_refers_to(ports: Ports) -> None:
    apply(ports, small())
    facts = apply(ports, Declaration(products=(shop(modules=()),)), prune=True)
    assert changed(facts) == [
        ("product", "shop", "changed"),
        ("customer", "acme", "removed"),
        ("host", "one", "removed"),
        ("installation", "acme-shop", "removed"),
    ]
    assert export_declaration(ports) == {"products": [{"name": "shop", "repository": "/srv/shop.git"}]}


def test_prune_of_everything_leaves_nothing(ports: Ports, example: Declaration) -> None:
    apply(ports, example)
    apply(ports, Declaration(), prune=True)
    assert export_declaration(ports) == {}


def test_target_moves_to_another_host_with_prune(ports: Ports) -> None:
    apply(ports, small())
    hosts = (*small().hosts, DeclaredHost(name="two", address="unix:///run/two.sock"))
    installation = replace(small().installations[0], targets=(web("acme-web", host="two"),))
    apply(ports, small(hosts=hosts, installations=(installation,)), prune=True)
    assert [t["host"] for t in show_installation(ports, installation="acme-shop")["targets"]] == ["two"]


def test_prune_refuses_to_lose_history(ports: Ports, database: Database) -> None:
    apply(ports, small())
    with database.transaction() as session:
        target = session.scalars(select(Target)).unique().one()
        session.add(Installed(target_id=target.id, version="1.0", digest="sha256:1", at=NOW))
        product, customer = session.scalars(select(Product)).one(), session.scalars(select(Customer)).one()
        session.add(
            Ticket(product_id=product.id, key="SHOP-1", customer_id=customer.id, state=TicketState.NEW, opened_at=NOW)
        )
    with pytest.raises(InUseError) as refused:
        apply(ports, Declaration(), prune=True)
    assert refused.value.rule == "in-use"
    assert refused.value.facts["held"] == [
        "product 'shop' (1 in tickets)",
        "customer 'acme' (1 in tickets)",
        "target 'acme-shop/web@one' (1 in installed)",
    ]
    assert apply(ports, small(), prune=True)["changes"] == []


def test_module_that_an_installation_uses_is_not_removed_under_it(ports: Ports) -> None:
    apply(ports, small())
    with pytest.raises(InvalidDeclarationError, match="no module 'web'"):
        apply(ports, small(products=(shop(modules=()),)), prune=True)


def test_references_to_what_is_only_in_the_store_are_fine(ports: Ports) -> None:
    apply(ports, small())
    other = DeclaredInstallation(name="acme-two", customer="acme", product="shop", targets=(web("acme-web-2"),))
    assert changed(apply(ports, Declaration(installations=(other,)))) == [("installation", "acme-two", "created")]


@pytest.mark.parametrize(
    ("installation", "wrong"),
    [
        ({"customer": "nobody"}, "There is no customer 'nobody'. Known: acme, globex."),
        ({"product": "none"}, "There is no product 'none'. Known: shop."),
        ({"targets": (web("ab", host="none"),)}, "There is no host 'none'. Known: one."),
        ({"targets": (web("acme-web"),)}, "Name 'acme-web' is taken on host 'one' by acme-shop/web@one."),
    ],
)
def test_reference_to_nothing_is_refused_whole(ports: Ports, installation: dict[str, Any], wrong: str) -> None:
    apply(ports, small())
    bad = DeclaredInstallation(**{"name": "other", "customer": "acme", "product": "shop", **installation})
    with pytest.raises(InvalidDeclarationError) as refused:
        apply(ports, Declaration(customers=(DeclaredCustomer(name="globex"),), installations=(bad,)))
    assert wrong in str(refused.value)
    assert [one["name"] for one in list_customers(ports)] == ["acme"]


def test_error_of_a_reference_names_file_line_and_column(ports: Ports) -> None:
    text = "installations:\n  - name: acme-shop\n    customer: acme\n    product: shop\n"
    with pytest.raises(InvalidDeclarationError) as refused:
        apply(ports, parse_declaration(text, name="shop.yaml"))
    assert str(refused.value).splitlines() == [
        "shop.yaml:3:5 installations[0].customer: There is no customer 'acme'. Declare it under customers.",
        "shop.yaml:4:5 installations[0].product: There is no product 'shop'. Declare it under products.",
    ]


def test_scheme_stays_once_versions_are_numbered_by_it(ports: Ports, database: Database) -> None:
    apply(ports, small())
    apply(ports, small(products=(shop(scheme=Scheme.SEMVER),)))
    with database.transaction() as session:
        product = session.scalars(select(Product)).one()
        session.add(
            Release(
                product_id=product.id,
                version="1.0.0",
                version_key="1.0.0",
                line="1.0",
                kind=VersionKind.STABLE,
                state=ReleaseState.PUBLISHED,
            )
        )
    with pytest.raises(InUseError, match="scheme"):
        apply(ports, small(products=(shop(scheme=Scheme.TWO_PART),)))


def test_same_declaration_by_many_at_once_is_applied_once(ports: Ports, example: Declaration) -> None:
    barrier = threading.Barrier(4)

    def race(_number: int) -> int:
        barrier.wait()
        return len(apply(ports, example)["changes"])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(race, range(4))) == [0, 0, 0, 7]


def test_added_one_by_one_they_can_be_listed_and_shown(ports: Ports) -> None:
    assert add_product(ports, product=shop(), by="tester")["name"] == "shop"
    assert add_customer(ports, customer=DeclaredCustomer(name="acme"), by="tester")["installations"] == []
    declared = small()
    added = add_installation(ports, installation=declared.installations[0], hosts=declared.hosts, by="tester")
    assert added == show_installation(ports, installation="acme-shop")
    assert [one["name"] for one in list_products(ports, limit=5)] == ["shop"]
    assert [one["name"] for one in list_installations(ports, product="shop", customer="acme")] == ["acme-shop"]
    assert list_installations(ports, offset=1) == []
    assert show_customer(ports, customer="acme")["installations"] == ["acme-shop"]


def test_adding_what_is_there_is_a_conflict(ports: Ports) -> None:
    apply(ports, small())
    adds: list[Callable[[], object]] = [
        lambda: add_product(ports, product=shop(), by="tester"),
        lambda: add_customer(ports, customer=DeclaredCustomer(name="acme"), by="tester"),
        lambda: add_installation(ports, installation=small().installations[0], by="tester"),
    ]
    for add in adds:
        with pytest.raises(ConflictError, match="already"):
            add()


def test_showing_what_is_not_there_says_so(ports: Ports) -> None:
    shows: list[Callable[[], object]] = [
        lambda: show_product(ports, product="none"),
        lambda: show_customer(ports, customer="none"),
        lambda: show_installation(ports, installation="none"),
        lambda: list_installations(ports, product="none"),
    ]
    for show in shows:
        with pytest.raises(NotFoundError, match="none"):
            show()
