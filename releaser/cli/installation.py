"""`releaser installation …` and `releaser host …`: one running copy of a product each, and the machines they run on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from releaser.cli import adopt, scale
from releaser.cli.given import described, pairs
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, joined, listing, moment, safe, show, table
from releaser.domain.declaration import DeclaredHost, DeclaredInstallation, DeclaredTarget
from releaser.domain.spec import AnySpec, ContainerSpec, FilesSpec, HealthSpec, Order, ServiceSpec, of_kind
from releaser.domain.target import DriverName
from releaser.errors import InvalidError
from releaser.flows.add_installation import add_installation
from releaser.flows.list_hosts import list_hosts
from releaser.flows.show_installation import list_installations, show_installation
from releaser.sources.declaration import parse_declaration

app = commands()
installation = noun(app, "installation", told="Installations: one running copy of a product each.")
installation.registered_commands.extend(adopt.app.registered_commands)
installation.registered_commands.extend(scale.app.registered_commands)
host = noun(app, "host", told="Hosts: machines with a container engine.")

NameArgument = Annotated[str, typer.Argument(help="The installation's name: lower-case letters, digits and '-'.")]


class TargetError(InvalidError):
    """A target is not given as one."""


def installation_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """An installation for people."""
    head = listing(
        [
            ("installation", facts["name"]),
            ("title", facts["title"]),
            ("customer", facts["customer"]),
            ("product", facts["product"]),
            ("ring", facts["ring"]),
            ("delivery", facts["delivery"]),
            ("labels", joined([f"{name}={value}" for name, value in facts["labels"].items()])),
        ]
    )
    rows = [
        (
            t["module"],
            t["host"],
            t["driver"],
            t["spec"].get("name"),
            t["version"],
            moment(t["installed_at"]),
            t["digest"],
        )
        for t in facts["targets"]
    ]
    headers = ("module", "host", "driver", "container", "runs", "since", "digest")
    told = table(headers, rows) if rows else "No targets: nothing can be rolled out there yet."
    return "\n\n".join([head, told, *_special(facts)])


def _special(facts: Any) -> Iterator[str]:  # noqa: ANN401 -- facts
    """What is not as usual there: a pin, what a hand changed, what was taken over, and what became of such."""
    if pin := facts["pin"]:
        yield safe(
            f"Pinned since {moment(pin['at'])} by {pin['by']} to {pin['version']} for {pin['ticket']}: {pin['reason']}\n"
            f"Mass rollouts pass it over; rollout {pin['rollout']} made it so."
        )
    for target in facts["targets"]:
        name = f"{target['module']}@{target['host']}"
        if drift := target["drift"]:
            lines = [f"  {one['told']}" for one in drift["differences"]]
            yield safe("\n".join([f"{name} is not as recorded, known since {moment(drift['since'])}:", *lines]))
        if (adopted := target["adopted"]) and not adopted.get("updated"):
            guessed = ", its version a guess" if adopted.get("guess") else ""
            yield safe(f"{name} was taken over on {moment(adopted['at'])} by {adopted['by']}{guessed}.")
    if story := facts.get("story"):
        rows = [(moment(one["at"]), one["target"], one["to"], one["by"], one["reason"]) for one in story]
        yield table(("at", "target", "what", "by", "reason"), rows)


@installation.command(
    "add",
    epilog="Example: releaser installation add acme-shop --customer acme --product shop --ring canary "
    "--host cloud-1=unix:///var/run/docker.sock --target web@cloud-1 --container acme-shop-web --port 8081:8080 "
    "--health http://127.0.0.1:8081/healthz",
)
def add_command(
    name: NameArgument,
    customer: Annotated[str, typer.Option(help="Who runs it.")],
    product: Annotated[str, typer.Option(help="What runs there.")],
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    ring: Annotated[str, typer.Option(help="The ring of rollouts it belongs to, such as canary.")] = "",
    delivery: Annotated[
        str, typer.Option(help="How it is delivered, a word to select by: cloud, or server (the customer's own).")
    ] = "cloud",
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for selectors; repeatable.")] = None,
    new_host: Annotated[
        list[str] | None, typer.Option("--host", help="A host to add with it, as NAME=ENGINE-URL; repeatable.")
    ] = None,
    target: Annotated[str, typer.Option(help="What is updated there, as MODULE@HOST. Several: `releaser apply`.")] = "",
    container: Annotated[str, typer.Option(help="The container's name; the installation's when not given.")] = "",
    network: Annotated[list[str] | None, typer.Option(help="A network of the container; repeatable.")] = None,
    port: Annotated[list[str] | None, typer.Option(help="A port, as HOST:CONTAINER; repeatable.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of its environment; repeatable.")] = None,
    volume: Annotated[list[str] | None, typer.Option(help="A volume, as NAME-OR-PATH:PATH[:ro]; repeatable.")] = None,
    root: Annotated[
        str, typer.Option(help="The folder of a target that is updated by files: its releases, and the link `current`.")
    ] = "",
    unit: Annotated[str, typer.Option(help="With --root: the systemd unit; the container's name when not given.")] = "",
    order: Annotated[Order, typer.Option(help="Which of two containers is there first.")] = Order.STOP_FIRST,
    health: Annotated[str, typer.Option(help="URL that answers 200 when it is healthy.")] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Add an installation, with one target where given. Everything else of a target is declared: `releaser apply`."""
    hosts = pairs(new_host or (), field="host", example="cloud-1=unix:///var/run/docker.sock")
    with described():
        short = _short_forms(network or [], port or [], volume or [])
    given = ContainerSpec(
        name=container or name,
        networks=short.networks,
        ports=short.ports,
        volumes=short.volumes,
        environment=pairs(env or (), field="env", example="MODE=production"),
        order=order,
        health=HealthSpec(http=health or None),
    )
    made: AnySpec = _files(given, root=root, unit=unit) if root else given
    declared = DeclaredInstallation(
        name=name,
        customer=customer,
        product=product,
        title=title,
        ring=ring,
        delivery=delivery,
        labels=pairs(label or (), field="label", example="region=eu"),
        targets=(_target(target, made),) if target else (),
    )
    with described(), running() as ports:
        facts = add_installation(
            ports,
            installation=declared,
            hosts=tuple(DeclaredHost(name=one, address=address) for one, address in hosts.items()),
            by=who(by),
        )
    show(facts, output, installation_text)


def _files(given: ContainerSpec, *, root: str, unit: str) -> FilesSpec:
    """The target as files. Raises `TargetError` for options that only containers have."""
    if given != ContainerSpec(name=given.name, order=given.order, health=given.health):
        raise TargetError(
            "Files have no network, port, volume or environment.",
            advice="Leave out --root for a container, or the others for files.",
            field="root",
        )
    service = ServiceSpec(unit=unit)
    return FilesSpec(name=given.name, root=root, service=service, order=given.order, health=given.health)


def _target(text: str, spec: AnySpec) -> DeclaredTarget:
    module, at, machine = text.partition("@")
    if not (module and at and machine):
        raise TargetError(f"'{text[:80]}' is no target.", advice="Write it like web@cloud-1.", field="target")
    return DeclaredTarget(module=module, host=machine, spec=spec, driver=DriverName(spec.kind))


def _short_forms(networks: list[str], ports: list[str], volumes: list[str]) -> ContainerSpec:
    """Ports and volumes in the short forms of a declaration, read by its reader."""
    spec = {"name": "container", "networks": networks, "ports": ports, "volumes": volumes}
    target = {"module": "module", "host": "host", "spec": spec}
    thing = {"name": "installation", "customer": "customer", "product": "product", "targets": [target]}
    text = json.dumps({"installations": [thing]})
    return of_kind(parse_declaration(text, name="command line").installations[0].targets[0].spec, ContainerSpec)


@installation.command("list", epilog="Example: releaser installation list --customer acme")
def list_command(
    product: Annotated[str, typer.Option("--product", help="Only of this product.")] = "",
    customer: Annotated[str, typer.Option("--customer", help="Only of this customer.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List installations by name, with what was last seen to run there."""
    with running() as ports:
        facts = list_installations(ports, product=product or None, customer=customer or None)
    headers = ("name", "customer", "product", "ring", "delivery", "runs", "remark")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (i["name"], i["customer"], i["product"], i["ring"], i["delivery"], _versions(i["targets"]), _remark(i))
                for i in items
            ],
        ),
    )


def _remark(facts: Any) -> str:  # noqa: ANN401 -- facts
    drifted = any(target["drift"] for target in facts["targets"])
    return joined([*(["drift"] if drifted else []), *(["pinned"] if facts["pin"] else [])])


def _versions(targets: Any) -> str:  # noqa: ANN401 -- facts
    return joined(sorted({t["version"] for t in targets if t["version"]}))


@installation.command("show", epilog="Example: releaser installation show acme-shop")
def show_command(name: NameArgument, output: OutputOption = Output.TEXT) -> None:
    """Show an installation: its targets, what runs there since when."""
    with running() as ports:
        facts = show_installation(ports, installation=name)
    show(facts, output, installation_text)


@host.command("list", epilog="Example: releaser host list")
def hosts_command(output: OutputOption = Output.TEXT) -> None:
    """List hosts by name, with their engines' addresses. Hosts are declared (`releaser apply`) or added with installations."""
    with running() as ports:
        facts = list_hosts(ports)
    show(facts, output, lambda items: table(("name", "engine"), [(h["name"], h["address"]) for h in items]))
