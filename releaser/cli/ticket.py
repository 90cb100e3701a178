"""`releaser ticket …`: requests, and the thread from a request to the installation where its fix runs."""

from __future__ import annotations

from typing import Annotated

import typer

from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, show
from releaser.cli.thread import thread_text, ticket_text, tickets_text
from releaser.domain.request import CloseReason
from releaser.flows.add_ticket import add_ticket
from releaser.flows.close_ticket import close_ticket
from releaser.flows.reopen_ticket import reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket

app = commands()
ticket = noun(app, "ticket", told="Tickets: requests, their fixes, and where these run.")

KeyArgument = Annotated[str, typer.Argument(help="The ticket's key, such as SHOP-12.")]
ProductOption = Annotated[str, typer.Option("--product", help="The product; needed when two products know the key.")]


@ticket.command(
    "add", epilog="Example: releaser ticket add SHOP-12 --product shop --customer acme --title 'Cart is lost'"
)
def add_command(
    key: KeyArgument,
    product: Annotated[str, typer.Option("--product", help="The product it is about.")],
    title: Annotated[str, typer.Option(help="What it is about, in one line.")],
    customer: Annotated[str, typer.Option(help="Who asks; the vendor's own when not given.")] = "",
    found_in: Annotated[str, typer.Option(help="The version it was seen on.")] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Record a request."""
    with running() as ports:
        facts = add_ticket(
            ports,
            product=product,
            key=key,
            title=title,
            customer=customer or None,
            found_in=found_in or None,
            by=who(by),
        )
    show(facts, output, ticket_text)


@ticket.command("list", epilog="Example: releaser ticket list --product shop")
def list_command(
    product: Annotated[str, typer.Option("--product", help="Only this product's.")] = "",
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    limit: LimitOption = 50,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """List requests, newest first."""
    with running() as ports:
        facts = list_tickets(ports, product=product or None, customer=customer or None, limit=limit, offset=offset)
    show(facts, output, tickets_text)


@ticket.command("show", epilog="Example: releaser ticket show SHOP-12")
def show_command(key: KeyArgument, product: ProductOption = "", output: OutputOption = Output.TEXT) -> None:
    """Show the whole thread: request, commits, versions, notes, rollouts, installations, downtime."""
    with running() as ports:
        facts = show_ticket(ports, key=key, product=product or None)
    show(facts, output, thread_text)


@ticket.command("close", epilog="Example: releaser ticket close SHOP-12 --as confirmed")
def close_command(
    key: KeyArgument,
    product: ProductOption = "",
    reason: Annotated[CloseReason, typer.Option("--as", help="Why it is closed.")] = CloseReason.CONFIRMED,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Close a request."""
    with running() as ports:
        facts = close_ticket(ports, key=key, product=product or None, reason=reason, by=who(by))
    show(facts, output, ticket_text)


@ticket.command("reopen", epilog="Example: releaser ticket reopen SHOP-12 --reason 'still lost on slow lines'")
def reopen_command(
    key: KeyArgument,
    reason: Annotated[str, typer.Option(help="Why; kept with the move.")],
    product: ProductOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Reopen a request that was solved or closed. A fix that came before does not solve it again."""
    with running() as ports:
        facts = reopen_ticket(ports, key=key, product=product or None, reason=reason, by=who(by))
    show(facts, output, ticket_text)
