"""`releaser installation adopt …`: take over what runs; `accept-drift`, `unpin`: say that what a hand made is meant, or over."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from releaser.cli.given import PairError, described, pairs
from releaser.cli.group import commands
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, listing, moment, safe, show
from releaser.domain.declaration import DeclaredInstallation
from releaser.domain.target import DriverName
from releaser.flows.accept_drift import accept_drift
from releaser.flows.adopt_installation import ToAdopt, adopt_installation
from releaser.flows.unpin_installation import unpin_installation
from releaser.sources.declaration import to_yaml

app = commands()

NameArgument = Annotated[str, typer.Argument(help="The installation's name: lower-case letters, digits and '-'.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")]


class TakeAs(StrEnum):
    """What a compose project is to be afterwards."""

    DOCKER = DriverName.DOCKER.value
    COMPOSE = DriverName.COMPOSE.value


@app.command(
    "adopt",
    epilog="Example: releaser installation adopt acme-shop --customer acme --product shop "
    "--host cloud-1=unix:///var/run/docker.sock --container shop-web=web --dry-run",
)
def adopt_command(
    name: NameArgument,
    customer: Annotated[str, typer.Option(help="Who runs it.")],
    product: Annotated[str, typer.Option(help="What runs there.")],
    host: Annotated[str, typer.Option(help="The host it runs on, or NAME=ENGINE-URL for one that is not there yet.")],
    container: Annotated[
        list[str] | None, typer.Option(help="A container to take over, as NAME or NAME=MODULE; repeatable.")
    ] = None,
    compose_project: Annotated[str, typer.Option(help="A compose project, all of whose modules are taken over.")] = "",
    service: Annotated[
        list[str] | None, typer.Option(help="A service of a swarm to take over, as NAME or NAME=MODULE; repeatable.")
    ] = None,
    stack: Annotated[str, typer.Option(help="A stack of a swarm, all of whose modules are taken over.")] = "",
    take_as: Annotated[
        TakeAs,
        typer.Option("--as", help="What a compose project becomes: containers, or still a compose project (compose)."),
    ] = TakeAs.DOCKER,
    module: Annotated[
        list[str] | None,
        typer.Option(help="SERVICE=MODULE of the compose project or stack, where names differ; repeatable."),
    ] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option("--running", help="MODULE=VERSION that runs, where it is not to be guessed; repeatable."),
    ] = None,
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    ring: Annotated[str, typer.Option(help="The ring of rollouts it belongs to, such as canary.")] = "",
    delivery: Annotated[str, typer.Option(help="How it is delivered: cloud, or server.")] = "cloud",
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for selectors; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be declared and recorded.")] = False,  # noqa: FBT002 -- a flag
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Take over containers, or services of a swarm, that run already, as they are: nothing is touched, and every update keeps all of it."""
    machine, _, address = host.partition("=")
    _check_kind(containers=bool(container or compose_project), services=bool(service or stack))
    what = ToAdopt(
        installation=DeclaredInstallation(
            name=name,
            customer=customer,
            product=product,
            title=title,
            ring=ring,
            delivery=delivery,
            labels=pairs(label or (), field="label", example="region=eu"),
        ),
        host=machine,
        address=address,
        containers=_containers([*(container or ()), *(service or ())]),
        project=compose_project or stack,
        driver=DriverName.SWARM if service or stack else DriverName(take_as.value),
        modules=pairs(module or (), field="module", example="frontend=web"),
        versions=pairs(runs or (), field="running", example="web=1.4.2"),
    )
    with described(), running() as ports:
        facts = adopt_installation(ports, what=what, dry_run=dry_run, by=who(by))
    show(facts, output, _adopted_text)


def _check_kind(*, containers: bool, services: bool) -> None:
    """A swarm's services are its own to replace; they are taken over by themselves."""
    if containers and services:
        raise PairError(
            "Containers and services of a swarm cannot be taken over at the same time.",
            advice="Do it one after the other: the installation gets both.",
            field="service",
        )


def _containers(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        one, _, module = text.partition("=")
        if not one or one in found:
            raise PairError(
                f"'{text[:80]}' {'is given twice' if one else 'names no container'}.",
                advice="Use for instance shop-web=web.",
                field="container",
            )
        found[one] = module
    return found


def _adopted_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    parts = ["# What is declared, as `releaser export` writes it:", to_yaml(facts["declaration"]).rstrip()]
    for one in facts["targets"]:
        guessed = f" (a guess from its {one['version_from']})" if one["guess"] else ""
        parts.append(
            listing(
                [
                    ("target", f"{one['module']}@{one['host']}"),
                    ("service" if one["driver"] == "swarm" else "container", f"{one['container']} ({one['state']})"),
                    ("image", one["image"]),
                    ("digest", one["digest"]),
                    ("version", f"{one['version'] or 'unknown'}{guessed}"),
                    ("since", moment(one["since"])),
                ]
            )
        )
        if one["kept"]:
            lines = [f"  {kept['name']}: {kept['value']}" for kept in one["kept"]]
            parts.append("Not declared, and kept by every update:\n" + "\n".join(map(safe, lines)))
        parts += [safe(f"Mind: {warning}.") for warning in one["warnings"]]
    parts += [safe(f"Left alone: {one['container']} ({one['image']}), no module of it.") for one in facts["left"]]
    parts.append("Nothing was changed." if facts["dry_run"] else "Taken over. Nothing on the host was touched.")
    return "\n\n".join(parts)


@app.command(
    "accept-drift", epilog="Example: releaser installation accept-drift acme-shop --reason 'more memory, SHOP-7'"
)
def accept_command(
    name: NameArgument, reason: ReasonOption, output: OutputOption = Output.TEXT, by: ByOption = ""
) -> None:
    """Record what runs there now as what shall run: the change that a hand made is meant."""
    with running() as ports:
        facts = accept_drift(ports, installation=name, reason=reason, by=who(by))
    show(facts, output, _accepted_text)


def _accepted_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    lines = [safe(f"{one['target']}: {difference}") for one in facts["accepted"] for difference in one["differences"]]
    hint = "What is declared has not changed: where the next rollout is not to put it back, declare it."
    return "\n".join(["Accepted:", *lines, hint])


@app.command("unpin", epilog="Example: releaser installation unpin acme-shop --reason 'the fix is in 1.4'")
def unpin_command(
    name: NameArgument, reason: ReasonOption = "", output: OutputOption = Output.TEXT, by: ByOption = ""
) -> None:
    """Let mass rollouts have an installation again that a one-off had pinned."""
    with running() as ports:
        facts = unpin_installation(ports, installation=name, reason=reason, by=who(by))
    show(facts, output, lambda told: f"{safe(told['name'])} is no longer pinned.")
