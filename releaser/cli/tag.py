"""`releaser tag …`: tags that moved or vanished on the remote, until a person accepts them."""

from __future__ import annotations

from typing import Annotated

import typer

from releaser.cli.group import commands, noun
from releaser.cli.product import alarm_text
from releaser.cli.progress import progress_bar
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, moment, safe, show, table
from releaser.flows.accept_tag import accept_tag
from releaser.flows.list_alarms import list_alarms

app = commands()
tag = noun(app, "tag", told="Tags: those that moved or vanished, until somebody accepts them.")


@tag.command("alarms", epilog="Example: releaser tag alarms shop")
def alarms_command(
    *,
    product: Annotated[str, typer.Argument(help="The product's name; all products when not given.")] = "",
    accepted: Annotated[
        bool, typer.Option("--accepted", help="Also those that were accepted, with the reason.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List tags that are no longer what was read before, oldest alarm first."""
    with running() as ports:
        facts = list_alarms(ports, product=product or None, accepted=accepted)
    headers = ("product", "tag", "release", "was", "now", "found", "accepted", "by", "reason")
    show(
        facts,
        output,
        lambda items: (
            table(
                headers,
                [
                    (
                        one["product"],
                        one["tag"],
                        one["version"],
                        one["was"][:12],
                        one["now"][:12] if one["now"] else "gone",
                        moment(one["found_at"]),
                        moment(one["accepted_at"]),
                        one["accepted_by"],
                        one["reason"],
                    )
                    for one in items
                ],
            )
            if items
            else "Every tag is what it was."
        ),
    )


@tag.command("accept", epilog="Example: releaser tag accept shop v1.0 --reason 'tagged the wrong commit; Ann moved it'")
def accept_command(
    product: Annotated[str, typer.Argument(help="The product's name.")],
    name: Annotated[str, typer.Argument(help="The tag, as the alarm tells it.")],
    reason: Annotated[str, typer.Option(help="Why it moved, for the record.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Accept what the remote has now: the old meaning of the tag is forgotten, and the history read again."""
    with running() as ports, progress_bar() as progress:
        facts = accept_tag(ports, product=product, tag=name, reason=reason, by=who(by), progress=progress)
    show(facts, output, lambda one: safe(f"Accepted: {alarm_text(one)}"))
