"""`releaser customer …`: who runs the products, and whom to tell there. Contracts come by `releaser apply`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.given import described
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, as_json, joined, listing, show, table
from releaser.domain.declaration import DeclaredContact, DeclaredCustomer
from releaser.flows.add_customer import add_customer
from releaser.flows.show_customer import list_customers, show_customer

app = commands()
customer = noun(app, "customer", told="Customers: who runs the products, and whom to tell.")

NameArgument = Annotated[str, typer.Argument(help="The customer's name: lower-case letters, digits and '-'.")]


def customer_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A customer for people."""
    return listing(
        [
            ("customer", facts["name"]),
            ("title", facts["title"]),
            ("language", facts["language"]),
            ("zone", facts["zone"]),
            *(("contact", f"{c['email']} {c['name']} ({c['role']})") for c in facts["contacts"]),
            ("regulation", as_json(facts["regulation"]) if facts["regulation"] else None),
            ("installations", joined(facts.get("installations", []))),
        ]
    )


@customer.command("add", epilog="Example: releaser customer add acme --language ru --contact operations@acme.example")
def add_command(
    name: NameArgument,
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    language: Annotated[str, typer.Option(help="Language of what is sent to it: en or ru.")] = "en",
    zone: Annotated[str, typer.Option(help="IANA zone of the times it reads.")] = "UTC",
    contact: Annotated[list[str] | None, typer.Option(help="Mail address that notices go to; repeatable.")] = None,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Add a customer. Its contract (windows, lead times) and its contacts' roles are declared: `releaser apply`."""
    declared = DeclaredCustomer(
        name=name,
        title=title,
        language=language,
        zone=zone,
        contacts=tuple(DeclaredContact(email=email) for email in contact or ()),
    )
    with described(), running() as ports:
        facts = add_customer(ports, customer=declared, by=who(by))
    show(facts, output, customer_text)


@customer.command("list", epilog="Example: releaser customer list")
def list_command(output: OutputOption = Output.TEXT) -> None:
    """List customers by name."""
    with running() as ports:
        facts = list_customers(ports)
    headers = ("name", "title", "language", "zone", "contacts")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (c["name"], c["title"], c["language"], c["zone"], joined([x["email"] for x in c["contacts"]]))
                for c in items
            ],
        ),
    )


@customer.command("show", epilog="Example: releaser customer show acme")
def show_command(name: NameArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a customer: contacts, contract, installations."""
    with running() as ports:
        facts = show_customer(ports, customer=name)
    show(facts, output, customer_text)
