"""`releaser ticket …`: requests, and the thread from a request to the installation where its fix runs."""

from __future__ import annotations

from typing import Annotated

import typer

from releaser.cli.blocker import blockers_text, marked_as
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, show
from releaser.cli.thread import override_text, stated_text, thread_text, ticket_text, tickets_text, withdrawn_text
from releaser.domain.changelog import Audience
from releaser.domain.history import LineStatus
from releaser.domain.request import CloseReason
from releaser.flows.add_ticket import add_ticket
from releaser.flows.block_ticket import block_ticket
from releaser.flows.close_ticket import close_ticket
from releaser.flows.list_blockers import list_blockers
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.override_status import override_status
from releaser.flows.reopen_ticket import reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket
from releaser.flows.state_found_in import state_found_in
from releaser.flows.state_planned_for import state_planned_for
from releaser.flows.unblock_ticket import unblock_ticket
from releaser.flows.withdraw_override import withdraw_override

app = commands()
ticket = noun(app, "ticket", told="Tickets: requests, their fixes, and where these run.")

KeyArgument = Annotated[str, typer.Argument(help="The ticket's key, such as SHOP-12.")]
LineArgument = Annotated[str, typer.Argument(help="The line, such as 1.4.")]
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
        facts = list_tickets(
            ports, product=product or None, customer=customer or None, limit=limit, offset=offset, told=None
        )
    show(facts, output, tickets_text)


@ticket.command("show", epilog="Example: releaser ticket show SHOP-12")
def show_command(key: KeyArgument, product: ProductOption = "", output: OutputOption = Output.TEXT) -> None:
    """Show the whole thread: request, commits, versions, notes, rollouts, installations, downtime."""
    with running() as ports:
        facts = show_ticket(ports, key=key, product=product or None, audience=Audience.INTERNAL)
    show(facts, output, thread_text)


@ticket.command(
    "override",
    epilog="Example: releaser ticket override SHOP-12 1.4 unaffected --reason 'the cart came with 1.5'",
)
def override_command(
    key: KeyArgument,
    line: LineArgument,
    status: Annotated[LineStatus, typer.Argument(help="What it is.")],
    reason: Annotated[str, typer.Option(help="How you know; shown wherever the status is.")],
    product: ProductOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Say what a ticket's status on a line is, whatever the history shows. It stays through every collect."""
    with running() as ports:
        facts = override_status(
            ports, key=key, line=line, status=status, reason=reason, product=product or None, by=who(by)
        )
    show(facts, output, override_text)


@ticket.command(
    "withdraw-override", epilog="Example: releaser ticket withdraw-override SHOP-12 1.4 --reason 'it has the cart'"
)
def withdraw_command(
    key: KeyArgument,
    line: LineArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the ticket's story.")],
    product: ProductOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Take an override back: what the history shows counts again."""
    with running() as ports:
        facts = withdraw_override(ports, key=key, line=line, reason=reason, product=product or None, by=who(by))
    show(facts, output, withdrawn_text)


@ticket.command("found-in", epilog="Example: releaser ticket found-in SHOP-12 1.4.2 --first")
def found_in_command(
    key: KeyArgument,
    version: Annotated[str, typer.Argument(help="The version that has the fault; - when nobody knows any more.")],
    first: Annotated[bool, typer.Option("--first", help="No version before it has the fault.")] = False,  # noqa: FBT002 -- a flag
    reason: Annotated[str, typer.Option(help="How you know.")] = "",
    product: ProductOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """State in which version a fault was found. Lines that have that version are affected until they have the fix."""
    with running() as ports:
        facts = state_found_in(
            ports,
            key=key,
            version=_version(version),
            is_first=first,
            reason=reason,
            product=product or None,
            by=who(by),
        )
    show(facts, output, stated_text)


@ticket.command("planned-for", epilog="Example: releaser ticket planned-for SHOP-12 1.5")
def planned_for_command(
    key: KeyArgument,
    version: Annotated[str, typer.Argument(help="The version that is to bring it; - for none.")],
    reason: Annotated[str, typer.Option(help="Why it is planned so.")] = "",
    product: ProductOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """State for which version a ticket is planned. Every change stays in its story."""
    with running() as ports:
        facts = state_planned_for(
            ports, key=key, version=_version(version), reason=reason, product=product or None, by=who(by)
        )
    show(facts, output, stated_text)


def _version(given: str) -> str | None:
    return None if given == "-" else given


ItsProductOption = Annotated[str, typer.Option("--product", help="The product.")]


@ticket.command(
    "block",
    epilog="Examples: releaser ticket block SHOP-12 --product shop --reason 'loses orders';  "
    "releaser ticket block SHOP-12 --product shop --line 1.4 --reason 'loses orders'",
)
def block_command(
    key: KeyArgument,
    product: ItsProductOption,
    reason: Annotated[str, typer.Option(help="Why nothing may be cut before it is fixed.")],
    line: Annotated[str, typer.Option(help="Block only what is cut on this line.", show_default=False)] = "",
    train: Annotated[
        str, typer.Option(help="Block only this train's stable: its day, or next.", show_default=False)
    ] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Make it a release blocker: it holds cuts until its fix is in what is cut, or the block is lifted."""
    with running() as ports:
        facts = block_ticket(
            ports, product=product, ticket=key, line=line or None, train=train or None, reason=reason, by=who(by)
        )
    show(facts, output, lambda one: blockers_text([one]))


@ticket.command(
    "unblock", epilog="Example: releaser ticket unblock SHOP-12 --product shop --reason 'can wait for the next one'"
)
def unblock_command(
    key: KeyArgument,
    product: ItsProductOption,
    reason: Annotated[str, typer.Option(help="Why it need not be waited for.")],
    line: Annotated[str, typer.Option(help="Lift only the block of this line.", show_default=False)] = "",
    train: Annotated[str, typer.Option(help="Lift only the block of this train.", show_default=False)] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Lift a ticket's blocks: all of them, or that of one line or train."""
    with running() as ports:
        facts = unblock_ticket(
            ports, product=product, ticket=key, line=line or None, train=train or None, reason=reason, by=who(by)
        )
    show(facts, output, blockers_text)


@ticket.command("blockers", epilog="Example: releaser ticket blockers --product shop")
def blockers_command(product: ItsProductOption, output: OutputOption = Output.TEXT) -> None:
    """List what blocks the cuts of a product, oldest first."""
    with running() as ports:
        facts = list_blockers(ports, product=product, told=None)
    show(facts, output, blockers_text)


@ticket.command("mark", epilog="Example: releaser ticket mark SHOP-12 --product shop --as security")
def mark_command(
    key: KeyArgument,
    product: ItsProductOption,
    kind: Annotated[str, typer.Option("--as", help="security, fix or feature; none takes it back.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Say what it is about: lines that take fixes only, or security fixes only, ask for it."""
    with running() as ports:
        facts = mark_ticket(ports, product=product, ticket=key, kind=marked_as(kind), by=who(by))
    show(facts, output, lambda one: f"{one['ticket']}: {one['kind'] or 'not marked'}")


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
