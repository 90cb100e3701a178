"""`releaser update-freeze …`: times in which nothing is cut over. The freeze before a train is `releaser freeze`."""

from __future__ import annotations

from typing import Annotated

import typer

from releaser.cli.following import rollout_text
from releaser.cli.given import instant
from releaser.cli.group import commands, noun
from releaser.cli.light import UsageError
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, moment, safe, show, table
from releaser.domain.update_freeze import FreezeScope
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.lift_freeze import lift_freeze
from releaser.flows.list_freezes import list_freezes
from releaser.flows.override_freeze import override_freeze
from releaser.flows.ports import Facts

app = commands()
update_freeze = noun(app, "update-freeze", told="Freezes of updates: times in which nothing is cut over.")

IdArgument = Annotated[int, typer.Argument(help="The freeze's number.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept and shown to whoever waits.")]


@update_freeze.command(
    "add",
    epilog="Example: releaser update-freeze add --customer acme --from 2026-12-24T00:00+03:00 "
    "--until 2027-01-09T00:00+03:00 --reason 'holidays'",
)
def add_command(
    until: Annotated[str, typer.Option(help="Its end, with an offset.")],
    reason: ReasonOption = "",
    start: Annotated[str, typer.Option("--from", help="Its start, with an offset; now when left out.")] = "",
    product: Annotated[str, typer.Option(help="For one product.")] = "",
    customer: Annotated[str, typer.Option(help="For one customer.")] = "",
    installation: Annotated[str, typer.Option(help="For one installation.")] = "",
    everywhere: Annotated[bool, typer.Option("--all", help="For everything.")] = False,  # noqa: FBT002 -- a flag
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Freeze updates for a time: what is cut over is finished, nothing else begins to be; preparing goes on."""
    named = {
        FreezeScope.PRODUCT: product,
        FreezeScope.CUSTOMER: customer,
        FreezeScope.INSTALLATION: installation,
    }
    scopes = [(scope, name) for scope, name in named.items() if name]
    scopes += [(FreezeScope.ALL, "")] if everywhere else []
    if len(scopes) != 1:
        raise UsageError(
            "A freeze is for one thing.", advice="Name one of --product, --customer, --installation, --all."
        )
    ends_at = instant(until, field="until")
    if ends_at is None:
        raise UsageError("A freeze has an end.", advice="Give it with --until.")
    with running() as ports:
        facts = freeze_updates(
            ports,
            scope=scopes[0][0],
            name=scopes[0][1],
            starts_at=instant(start, field="from"),
            ends_at=ends_at,
            reason=reason,
            by=who(by),
        )
    show(facts, output, lambda one: _text([one]))


@update_freeze.command("list", epilog="Example: releaser update-freeze list -o json")
def list_command(limit: LimitOption = 20, offset: OffsetOption = 0, output: OutputOption = Output.TEXT) -> None:
    """List freezes of updates, the last to end first."""
    with running() as ports:
        facts = list_freezes(ports, limit=limit, offset=offset)
    show(facts, output, _text)


def _text(freezes: list[Facts]) -> str:
    headers = ("id", "for", "from", "until", "holds", "reason", "by", "lifted")
    return table(headers, [_row(one) for one in freezes])


def _row(one: Facts) -> tuple[object, ...]:
    lifted = f"{moment(one['lifted_at'])} by {one['lifted_by']}: {one['lift_reason']}" if one["lifted_at"] else ""
    return (
        one["id"],
        " ".join(filter(None, (one["scope"], one["name"]))),
        moment(one["starts_at"]),
        moment(one["ends_at"]),
        "yes" if one["holds"] else "no",
        one["reason"],
        one["made_by"],
        lifted,
    )


@update_freeze.command("lift", epilog="Example: releaser update-freeze lift 3 --reason 'over sooner than thought'")
def lift_command(
    freeze_id: IdArgument, reason: ReasonOption = "", output: OutputOption = Output.TEXT, by: ByOption = ""
) -> None:
    """End a freeze of updates before its time, for everybody."""
    with running() as ports:
        facts = lift_freeze(ports, freeze_id=freeze_id, by=who(by), reason=reason)
    show(facts, output, lambda one: _text([one]))


@update_freeze.command(
    "override", epilog="Example: releaser update-freeze override 3 --rollout 7 --by rita --reason 'a security fix'"
)
def override_command(
    freeze_id: IdArgument,
    rollout: Annotated[int, typer.Option(help="The rollout that may go on in spite of it.")],
    by: Annotated[str, typer.Option(help="Who decided it; kept and shown.")],
    reason: ReasonOption = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Let one rollout cut over in spite of a freeze."""
    with running() as ports:
        facts = override_freeze(ports, rollout_id=rollout, freeze_id=freeze_id, by=by, reason=reason)
    show(facts, output, lambda one: f"{rollout_text(one)}\n{safe(overrides_text(one))}")


def overrides_text(facts: Facts) -> str:
    """Who let a rollout through which freeze."""
    return "\n".join(
        f"Freeze {one['freeze']} overridden by {one['by']} at {moment(one['at'])}: {one['reason']}"
        for one in facts["overrides"]
    )
