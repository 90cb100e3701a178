from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from releaser.domain.changelog import Sources
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.declaration import (
    Action,
    Declaration,
    DeclaredContact,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredModule,
    DeclaredProduct,
    DeclaredTarget,
    Place,
    check,
    differences,
    kept,
    left_out,
    sparse,
)
from releaser.domain.regulation import Regulation
from releaser.domain.spec import ContainerSpec, HealthSpec, PortBinding, Volume

SPEC = ContainerSpec(name="acme-web")
TARGET = DeclaredTarget(module="web", host="one", spec=SPEC)
PRODUCT = DeclaredProduct(name="shop", repository="/srv/shop.git", modules=(DeclaredModule(name="web"),))
CUSTOMER = DeclaredCustomer(name="acme")
HOST = DeclaredHost(name="one", address="unix:///run/docker.sock")
INSTALLATION = DeclaredInstallation(name="acme-shop", customer="acme", product="shop", targets=(TARGET,))
WHOLE = Declaration(products=(PRODUCT,), customers=(CUSTOMER,), hosts=(HOST,), installations=(INSTALLATION,))


def with_spec(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of the specification
    targets = (replace(TARGET, spec=replace(SPEC, **values)),)
    return replace(WHOLE, installations=(replace(INSTALLATION, targets=targets),))


def with_port(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of a port
    return with_spec(ports=(PortBinding(**{"container_port": 80, "host_port": 8080, **values}),))


def with_product(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of a product
    return replace(WHOLE, products=(replace(PRODUCT, **values),))


def with_customer(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of a customer
    return replace(WHOLE, customers=(replace(CUSTOMER, **values),))


def with_installation(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of an installation
    return replace(WHOLE, installations=(replace(INSTALLATION, **values),))


def with_module(**values: Any) -> Declaration:  # noqa: ANN401 -- fields of a module
    return with_product(modules=(replace(PRODUCT.modules[0], **values),))


def test_sound_declaration_has_no_problems() -> None:
    assert check(WHOLE) == []


@pytest.mark.parametrize(
    "declaration",
    [
        with_product(tag_format="jenkins-{version}", ticket_patterns=(r"JENKINS-\d+",), zone="Europe/Moscow"),
        with_product(ticket_patterns=(), modules=(PRODUCT.modules[0], DeclaredModule(name="worker-2"))),
        with_module(image="127.0.0.1:5000/shop/web:{version}"),
        with_module(image="localhost/web:v{version}-alpine"),
        with_customer(contacts=(DeclaredContact(email="операции@пример.test"),), language="pt-BR"),
        with_customer(regulation=Regulation(country="RU")),
        with_spec(ports=(PortBinding(container_port=80, host_port=0), PortBinding(container_port=81, host_port=0))),
        with_spec(volumes=(Volume(source="data", target="/data"), Volume(source="/srv", target="/srv"))),
        with_spec(health=HealthSpec(http="http://{ip}:{port}/x"), cpus=0.5, memory_mb=64, restart="on-failure:3"),
        with_installation(labels={"tier": "gold", "a.b/c": ""}, ring="early adopters"),
    ],
)
def test_useful_values_are_accepted(declaration: Declaration) -> None:
    assert [str(problem) for problem in check(declaration)] == []


@pytest.mark.parametrize(
    ("declaration", "field", "told"),
    [
        (replace(WHOLE, hosts=(HOST, HOST)), "hosts[1].name", "declared twice"),
        (replace(WHOLE, hosts=(HOST, replace(HOST, name="A b"))), "hosts[1].name", "'A b' is no name"),
        (replace(WHOLE, hosts=(HOST, replace(HOST, name="x" * 81))), "hosts[1].name", "80 are the most"),
        (replace(WHOLE, hosts=(replace(HOST, address="ssh://-one"),)), "hosts[0].address", "no address of a host"),
        (replace(WHOLE, hosts=(replace(HOST, address=""),)), "hosts[0].address", "no address of a host"),
        (with_product(repository=" "), "products[0].repository", "no repository"),
        (with_product(repository="--upload-pack=x"), "products[0].repository", "cannot begin with '-'"),
        (with_product(tag_format="v1"), "products[0].tag_format", "no {version}"),
        (with_product(ticket_patterns=("A-1", "(")), "products[0].ticket_patterns[1]", ""),
        (with_product(zone="Mars/Phobos"), "products[0].zone", "Mars/Phobos"),
        (with_product(cadence_days=0), "products[0].cadence_days", "no cadence"),
        (with_product(line_branch="release"), "products[0].line_branch", "{line}"),
        (with_product(title="a\x00b"), "products[0].title", "cannot be shown"),
        (with_product(title="a\udcff"), "products[0].title", "cannot be shown"),
        (with_product(modules=(*PRODUCT.modules, *PRODUCT.modules)), "products[0].modules[1].name", "there twice"),
        (with_module(name="Web"), "products[0].modules[0].name", "no name"),
        (with_module(image="registry.test/web"), "products[0].modules[0].image", "no image template"),
        (with_module(image="web:{version}"), "products[0].modules[0].image", "no image template"),
        (with_module(image="registry.test/a b:{version}"), "products[0].modules[0].image", "no image template"),
        (with_customer(language="Russian"), "customers[0].language", "no language"),
        (with_customer(zone=""), "customers[0].zone", ""),
        (with_customer(regulation=Regulation(country="ZZ")), "customers[0].regulation.country", "ZZ"),
        (with_customer(contacts=(DeclaredContact(email="ops"),)), "customers[0].contacts[0].email", "no mail address"),
        (with_customer(contacts=(DeclaredContact(email="a@b\n"),)), "customers[0].contacts[0].email", ""),
        (with_customer(contacts=(DeclaredContact(email="a@b"),) * 2), "customers[0].contacts[1].email", "twice"),
        (with_customer(contacts=(DeclaredContact(email="a@b", zone="X"),)), "customers[0].contacts[0].zone", "X"),
        (with_installation(customer="none"), "installations[0].customer", "There is no customer 'none'"),
        (with_installation(product="none"), "installations[0].product", "There is no product 'none'"),
        (with_installation(ring="a,b"), "installations[0].ring", "cannot be selected by"),
        (with_installation(delivery=""), "installations[0].delivery", "empty"),
        (with_installation(labels={"a=b": "x"}), "installations[0].labels.a=b", "no label"),
        (with_installation(labels={"tier": "a=b"}), "installations[0].labels.tier", "cannot be selected by"),
        (with_installation(targets=(TARGET, TARGET)), "installations[0].targets[1]", "twice on host"),
        (
            with_installation(targets=(replace(TARGET, module="db"),)),
            "installations[0].targets[0].module",
            "has no module 'db'",
        ),
        (
            with_installation(targets=(replace(TARGET, host="two"),)),
            "installations[0].targets[0].host",
            "There is no host 'two'",
        ),
        (with_spec(name="-"), "installations[0].targets[0].spec.name", "no container's name"),
        (with_spec(networks=("a b",)), "installations[0].targets[0].spec.networks[0]", "no name"),
        (with_spec(environment={"A B": ""}), "installations[0].targets[0].spec.environment.A B", "no variable"),
        (with_spec(restart="maybe"), "installations[0].targets[0].spec.restart", "no restart policy"),
        (with_spec(memory_mb=1), "installations[0].targets[0].spec.memory_mb", "no limit"),
        (with_spec(cpus=float("nan")), "installations[0].targets[0].spec.cpus", "no limit"),
        (with_spec(stop_grace_s=-1), "installations[0].targets[0].spec.stop_grace_s", "no grace"),
        (with_spec(soak_s=float("inf")), "installations[0].targets[0].spec.soak_s", "no time to soak"),
        (with_port(container_port=0), "installations[0].targets[0].spec.ports[0].container_port", "no port"),
        (with_port(host_port=65536), "installations[0].targets[0].spec.ports[0].host_port", "no port"),
        (with_port(host_ip="here"), "installations[0].targets[0].spec.ports[0].host_ip", "no address"),
        (with_port(protocol="icmp"), "installations[0].targets[0].spec.ports[0].protocol", "no protocol"),
        (
            with_spec(volumes=(Volume(source="./a", target="/a"),)),
            "installations[0].targets[0].spec.volumes[0].source",
            "neither",
        ),
        (
            with_spec(volumes=(Volume(source="a1", target="a"),)),
            "installations[0].targets[0].spec.volumes[0].target",
            "no absolute path",
        ),
        (
            with_spec(health=HealthSpec(http="ftp://x")),
            "installations[0].targets[0].spec.health.http",
            "no URL",
        ),
        (
            with_spec(health=HealthSpec(interval_s=0)),
            "installations[0].targets[0].spec.health.interval_s",
            "out of range",
        ),
    ],
)
def test_senseless_value_is_told_with_its_place(declaration: Declaration, field: str, told: str) -> None:
    problems = check(declaration)
    assert field in {problem.field for problem in problems}, [str(problem) for problem in problems]
    problem = next(problem for problem in problems if problem.field == field)
    assert told in problem.detail
    assert problem.advice


EVERYWHERE = "0.0.0.0"  # noqa: S104 -- compared with, not listened on
OTHER = DeclaredInstallation(name="other", customer="acme", product="shop")


@pytest.mark.parametrize(
    ("mine", "theirs", "collides"),
    [
        ({"name": "acme-web"}, {"name": "acme-web"}, True),
        ({"ports": ("127.0.0.1", 80)}, {"ports": ("127.0.0.1", 80)}, True),
        ({"ports": ("127.0.0.1", 80)}, {"ports": (EVERYWHERE, 80)}, True),
        ({"ports": ("::", 80)}, {"ports": ("127.0.0.1", 80)}, True),
        ({"ports": ("", 80)}, {"ports": ("127.0.0.1", 80)}, True),
        ({"ports": ("127.0.0.1", 80)}, {"ports": ("127.0.0.2", 80)}, False),
        ({"ports": ("127.0.0.1", 80)}, {"ports": ("127.0.0.1", 81)}, False),
        ({"ports": ("127.0.0.1", 0)}, {"ports": ("127.0.0.1", 0)}, False),
    ],
)
def test_targets_of_one_host_share_neither_name_nor_port(
    mine: dict[str, Any], theirs: dict[str, Any], *, collides: bool
) -> None:
    def target(values: dict[str, Any], name: str, host: str = "one") -> DeclaredTarget:
        given = dict(values)
        if "ports" in given:
            ip, port = given["ports"]
            given["ports"] = (PortBinding(container_port=80, host_port=port, host_ip=ip),)
        return replace(TARGET, host=host, spec=ContainerSpec(**{"name": name, **given}))

    first = replace(INSTALLATION, targets=(target(theirs, "theirs"),))
    second = replace(OTHER, targets=(target(mine, "mine"),))
    whole = replace(WHOLE, installations=(first, second))
    assert bool(check(whole)) == collides
    assert bool(check(replace(WHOLE, installations=(second,)), known=Declaration(installations=(first,)))) == collides
    elsewhere = replace(OTHER, targets=(target(mine, "mine", host="two"),))
    hosts = (HOST, replace(HOST, name="two"))
    assert check(replace(WHOLE, hosts=hosts, installations=(first, elsewhere))) == []


def test_differences_are_told_by_name_whatever_the_order() -> None:
    two = (DeclaredModule(name="a"), DeclaredModule(name="b"))
    before = with_product(modules=two)
    assert differences(before, with_product(modules=two[::-1])) == ()
    (change,) = differences(before, with_product(modules=(replace(two[1], image="x/b:{version}"),), title="Shop"))
    assert (change.noun, change.name, change.action) == ("product", "shop", Action.CHANGED)
    assert [(f.field, f.old, f.new) for f in change.fields] == [
        ("title", "", "Shop"),
        ("modules.b.image", "", "x/b:{version}"),
        ("modules.a", {"name": "a", "image": "", "artifact": ""}, None),
    ]


def test_created_object_tells_what_is_not_default_and_removed_one_nothing() -> None:
    created, removed = differences(Declaration(hosts=(HOST,)), Declaration(customers=(with_customer().customers[0],)))
    assert (created.action, created.name, created.fields) == (Action.CREATED, "acme", ())
    assert (removed.action, removed.name, removed.fields) == (Action.REMOVED, "one", ())


def test_kept_adds_what_was_left_out_after_what_is_named() -> None:
    declaration = Declaration(
        products=(replace(PRODUCT, modules=(DeclaredModule(name="worker"),)),),
        installations=(OTHER, replace(INSTALLATION, targets=())),
    )
    whole = kept(declaration, WHOLE)
    assert [module.name for module in whole.products[0].modules] == ["worker", "web"]
    assert [one.name for one in whole.installations] == ["other", "acme-shop"]
    assert whole.installations[1].targets == (TARGET,)
    assert (whole.customers, whole.hosts) == ((CUSTOMER,), (HOST,))
    assert {(one["noun"], one["name"]) for one in left_out(declaration, WHOLE)} == {
        ("customer", "acme"),
        ("host", "one"),
        ("module", "shop/web"),
        ("target", "acme-shop/web@one"),
    }


def test_sparse_writes_only_what_differs_from_the_defaults() -> None:
    assert sparse(WHOLE) == {
        "products": [{"name": "shop", "repository": "/srv/shop.git", "modules": [{"name": "web"}]}],
        "customers": [{"name": "acme"}],
        "hosts": [{"name": "one", "address": "unix:///run/docker.sock"}],
        "installations": [
            {
                "name": "acme-shop",
                "customer": "acme",
                "product": "shop",
                "targets": [{"module": "web", "host": "one", "spec": {"name": "acme-web"}}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"paths": ("services/shop", "../other")}, ("products", 0, "paths", 1)),
        ({"paths": ("/etc",)}, ("products", 0, "paths", 0)),
        ({"changelog": ChangelogKeeping(file="../CHANGELOG.md")}, ("products", 0, "changelog", "file")),
        ({"changelog": ChangelogKeeping(folder=".git/hooks")}, ("products", 0, "changelog", "folder")),
        ({"changelog": ChangelogKeeping(file="a", folder="a")}, ("products", 0, "changelog", "folder")),
        ({"changelog": ChangelogKeeping(commit=True, file="", folder="")}, ("products", 0, "changelog", "commit")),
        ({"changelog": ChangelogKeeping(sources=Sources.FRAGMENTS)}, ("products", 0, "changelog", "sources")),
        ({"changelog": ChangelogKeeping(language="de")}, ("products", 0, "changelog", "language")),
        ({"changelog": ChangelogKeeping(templates={"json": "x"})}, ("products", 0, "changelog", "templates", "json")),
        ({"changelog": ChangelogKeeping(templates={"md": " "})}, ("products", 0, "changelog", "templates", "md")),
    ],
)
def test_changelog_that_cannot_be_kept_is_told(given: dict[str, Any], place: Place) -> None:
    product = DeclaredProduct(name="shop", repository="https://git.example.com/shop.git", **given)
    assert [problem.place for problem in check(Declaration(products=(product,)))] == [place]
