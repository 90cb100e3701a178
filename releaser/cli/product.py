"""`releaser product …`: what is released, and where its history, numbers and images are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from releaser.cli.given import day, described, pairs
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, joined, listing, moment, safe, show, table
from releaser.domain.declaration import DeclaredModule, DeclaredProduct
from releaser.domain.ticket_patterns import DEFAULT_PATTERN
from releaser.domain.version import Scheme
from releaser.flows.add_product import add_product
from releaser.flows.remove_product import remove_product
from releaser.flows.show_product import list_products, show_product

app = commands()
product = noun(app, "product", told="Products: what is released.")

NameArgument = Annotated[str, typer.Argument(help="The product's name: lower-case letters, digits and '-'.")]


def product_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A product for people."""
    head = listing(
        [
            ("product", facts["name"]),
            ("title", facts["title"]),
            ("repository", facts["repository"]),
            ("branch", facts["branch"]),
            ("line branch", facts["line_branch"]),
            ("scheme", facts["scheme"]),
            ("tag format", facts["tag_format"]),
            ("ticket patterns", joined(facts["ticket_patterns"])),
            ("trains", _trains(facts)),
            ("collected", moment(facts["collected_at"])),
            *(
                (f"module {m['name']}", joined([m[key] for key in ("image", "artifact") if m[key]]))
                for m in facts["modules"]
            ),
        ]
    )
    lines = [(one["name"], one["branch"], one["phase"], one["supported_until_on"]) for one in facts.get("lines", [])]
    told = [table(("line", "branch", "phase", "supported until"), lines)] if lines else []
    return "\n\n".join([head, *alarm_lines(facts.get("alarms", [])), *told])


def alarm_lines(alarms: Any) -> list[str]:  # noqa: ANN401 -- facts
    """One paragraph that names every tag that moved or vanished and was not accepted; none without alarms."""
    if not alarms:
        return []
    rows = [safe(f"ALARM {alarm_text(alarm)}") for alarm in alarms]
    return ["\n".join([*rows, "Accept one with `releaser tag accept PRODUCT TAG --reason …` once it is understood."])]


def alarm_text(alarm: Any) -> str:  # noqa: ANN401 -- facts
    """One alarm in a sentence."""
    what = f"tag {alarm['tag']}" + (f" of release {alarm['version']}" if alarm["version"] else "")
    if alarm["now"] is None:
        return f"{what} is gone from the remote; it was {alarm['was'][:12]}."
    if alarm["now"] == alarm["was"]:
        return f"{what} was moved and is back at {alarm['was'][:12]}."
    return f"{what} moved from {alarm['was'][:12]} to {alarm['now'][:12]}."


def _trains(facts: dict[str, Any]) -> str:
    """When stable releases leave, in a line; `releaser train list` tells the rest."""
    rules = facts["trains"]
    if facts["first_train_on"] is None:
        return "-"
    hour, calendar = str(rules.get("at", "12:00"))[:5], rules.get("country") or "Monday to Friday"
    return f"every {facts['cadence_days']} days from {facts['first_train_on']}, {hour} ({facts['zone']}), {calendar}"


def _address(repository: str) -> str:
    """A path of this machine as an absolute one: the service that reads it runs elsewhere."""
    if "://" in repository or re.match(r"[^/]+@?[^/]*:", repository):
        return repository
    return str(Path(repository).expanduser().absolute())


@product.command(
    "add",
    epilog=r"Example: releaser product add jenkins --repo ../jenkins.git --tag-format 'jenkins-{version}' "
    r"--ticket-pattern 'JENKINS-\d+'",
)
def add_command(
    name: NameArgument,
    repo: Annotated[str, typer.Option(help="Its git repository: a URL, or a path on this machine.")],
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    branch: Annotated[
        str, typer.Option(help="Where stable releases are cut; the repository's main branch when not given.")
    ] = "",
    line_branch: Annotated[str, typer.Option(help="How a line's branch is called.")] = "{line}",
    scheme: Annotated[Scheme, typer.Option(help="How it numbers its versions.")] = Scheme.TWO_PART,
    tag_format: Annotated[str, typer.Option(help="How its tags are called.")] = "v{version}",
    ticket_pattern: Annotated[
        list[str] | None,
        typer.Option(help="How its ticket keys look, in RE2 syntax; repeatable.", show_default=DEFAULT_PATTERN),
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="A part with its image, such as app=registry/app:{version}; repeatable.")
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option(help="A part with its archive: app=https://files.example.com/app-{version}.tar.gz; repeatable."),
    ] = None,
    first_train: Annotated[str, typer.Option(help="Day of a stable release, from which the others are counted.")] = "",
    cadence: Annotated[int, typer.Option(min=1, max=366, help="Days between two stable releases.")] = 14,
    zone: Annotated[str, typer.Option(help="IANA zone of the trains' days.")] = "UTC",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Add a product. `releaser apply` changes it later; `releaser collect` reads its history."""
    modules = pairs(module or (), field="module", example="app=registry.example.com/app:{version}")
    artifacts = pairs(artifact or (), field="artifact", example="app=https://files.example.com/app-{version}.tar.gz")
    declared = DeclaredProduct(
        name=name,
        repository=_address(repo),
        title=title,
        branch=branch,
        line_branch=line_branch,
        scheme=scheme,
        tag_format=tag_format,
        ticket_patterns=tuple(ticket_pattern) if ticket_pattern is not None else (DEFAULT_PATTERN,),
        modules=tuple(
            DeclaredModule(name=part, image=modules.get(part, ""), artifact=artifacts.get(part, ""))
            for part in {**modules, **artifacts}
        ),
        first_train_on=day(first_train, field="first-train"),
        cadence_days=cadence,
        zone=zone,
    )
    with described(), running() as ports:
        facts = add_product(ports, product=declared, by=who(by))
    show(facts, output, product_text)


@product.command("remove", epilog="Example: releaser product remove shop")
def remove_command(
    name: NameArgument,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also the releases that were cut here, their notes, and requests.")
    ] = False,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Remove a product that nobody runs, with its history here. Its repository stays as it is."""
    with running() as ports:
        facts = remove_product(ports, product=name, force=force, by=who(by))
    show(
        facts, output, lambda one: f"Removed {one['product']}: {one['releases']} releases, {one['requests']} requests."
    )


@product.command("list", epilog="Example: releaser product list -o json")
def list_command(output: OutputOption = Output.TEXT) -> None:
    """List products by name."""
    with running() as ports:
        facts = list_products(ports)
    headers = ("name", "title", "scheme", "tag format", "collected", "repository")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (p["name"], p["title"], p["scheme"], p["tag_format"], moment(p["collected_at"]), p["repository"])
                for p in items
            ],
        ),
    )


@product.command("show", epilog="Example: releaser product show shop")
def show_command(name: NameArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a product: repository, numbering, rhythm, modules and lines."""
    with running() as ports:
        facts = show_product(ports, product=name)
    show(facts, output, product_text)
