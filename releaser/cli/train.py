"""`releaser train …`: when stable releases leave, and what is planned for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.given import DateError, day
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, listing, moment, show, table
from releaser.domain.train import PREVIEW
from releaser.flows.list_plans import list_plans
from releaser.flows.list_trains import MOST, list_trains
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.render_trains import render_trains
from releaser.flows.restore_train import restore_train
from releaser.flows.shift_train import shift_train
from releaser.flows.skip_train import skip_train
from releaser.i18n import DEFAULT_LANGUAGE

app = commands()
train = noun(app, "train", told="Trains: when stable releases leave, and what is planned for them.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
TrainArgument = Annotated[str, typer.Argument(help="The train: its day, such as 2030-05-31, or next.")]
ReasonOption = Annotated[str, typer.Option(help="Why; everybody who looks at the train sees it.")]


@train.command("list", epilog="Example: releaser train list shop --past 3")
def list_command(
    product: ProductArgument,
    count: Annotated[int, typer.Option(min=0, max=MOST, help="How many to come.")] = PREVIEW,
    past: Annotated[int, typer.Option(min=0, max=MOST, help="How many of those that left.")] = 0,
    language: Annotated[str, typer.Option(help="Of the reasons: en or ru.")] = DEFAULT_LANGUAGE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the next trains with the numbers they will give, and the reason for every day that moved."""
    with running() as ports:
        facts = list_trains(ports, product=product, count=count, past=past, language=language)
    show(facts, output, _trains_text)


def _trains_text(facts: dict[str, Any]) -> str:
    known = f", known until {facts['calendar_known_until']}" if facts["calendar_known_until"] else ""
    head = listing(
        [
            ("rhythm", f"every {facts['cadence_days']} days from {facts['first_on']}, {facts['at']} ({facts['zone']})"),
            ("calendar", f"{facts['calendar'] or 'Monday to Friday'}{known}; on a day off: {facts['on_day_off']}"),
            ("phase", _phase_text(facts)),
        ]
    )
    headers = ("train", "leaves", "version", "freeze", "planned", "state", "why")
    rows = [
        (
            one["train"],
            one["on"].strftime("%a %Y-%m-%d") if one["on"] else "-",
            one["version"],
            moment(one["freeze_at"]),
            f"{one['planned']} ({one['carried']} carried)" if one["carried"] else one["planned"] or "",
            one["state"],
            one["reason"],
        )
        for one in (*facts["left"], *facts["trains"])
    ]
    return f"{head}\n\n{table(headers, rows)}"


def _phase_text(facts: dict[str, Any]) -> str:
    current = facts["current"]
    if not facts["freezes"]:
        return "no freeze declared"
    if current is None:
        return "open, the first train is far away"
    side = "after" if current["state"] == "late" else "before"
    return f"{facts['phase'].replace('_', ' ')}, {side} the train of {current['on']}"


@train.command("shift", epilog="Example: releaser train shift shop 2030-05-31 2030-06-03 --reason 'the fair'")
def shift_command(
    product: ProductArgument,
    train: TrainArgument,
    on: Annotated[str, typer.Argument(help="The day it leaves instead.")],
    reason: ReasonOption,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Let one train leave on another day. Its number stays, and no other train moves."""
    leaves_on = day(on, field="on")
    if leaves_on is None:
        raise DateError("The day is empty.", advice="Use for instance 2030-05-31.", field="on")
    with running() as ports:
        facts = shift_train(ports, product=product, train=train, on=leaves_on, reason=reason, by=who(by))
    show(facts, output, _train_text)


@train.command("skip", epilog="Example: releaser train skip shop 2030-05-31 --reason holidays")
def skip_command(
    product: ProductArgument,
    train: TrainArgument,
    reason: ReasonOption,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Let one train not leave. It gives no number, and what was planned for it is carried over to the next."""
    with running() as ports:
        facts = skip_train(ports, product=product, train=train, reason=reason, by=who(by))
    show(facts, output, _train_text)


@train.command("restore", epilog="Example: releaser train restore shop 2030-05-31 --reason 'the fair is off'")
def restore_command(
    product: ProductArgument,
    train: TrainArgument,
    reason: ReasonOption,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Take a shift or a skip back: the train leaves by the rhythm and the calendar again."""
    with running() as ports:
        facts = restore_train(ports, product=product, train=train, reason=reason, by=who(by))
    show(facts, output, _train_text)


def _train_text(facts: dict[str, Any]) -> str:
    return listing(
        [
            ("train", facts["train"]),
            ("was to leave", facts["was_on"]),
            ("leaves", facts["on"] or "not at all"),
            ("at", moment(facts["departs_at"])),
            ("version", facts["version"]),
            ("state", facts["state"]),
            ("why", facts["reason"]),
            ("freeze", moment(facts["freeze_at"])),
            *((f"carried {one['ticket']}", f"to the train of {one['train']}") for one in facts.get("carried", [])),
            *([("changed", "nothing: it stood so already")] if facts["unchanged"] else []),
        ]
    )


@train.command("calendar", epilog="Example: releaser train calendar shop > trains.ics")
def calendar_command(
    product: ProductArgument,
    language: Annotated[str, typer.Option(help="en or ru.")] = DEFAULT_LANGUAGE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the trains as an iCalendar file, as the service serves it at /products/PRODUCT/trains.ics."""
    with running() as ports:
        content = render_trains(ports, product=product, language=language)
    show({"product": product, "calendar": content.decode()}, output, lambda facts: str(facts["calendar"]))


@train.command("plan", epilog="Example: releaser train plan shop SHOP-12 current")
def plan_command(
    product: ProductArgument,
    ticket: Annotated[str, typer.Argument(help="The ticket's key.")],
    train: Annotated[str, typer.Argument(help="The train: its day, next, current (of a cut made now), or - for none.")],
    reason: Annotated[str, typer.Option(help="Why it is planned so.")] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Plan a ticket for a train. When that leaves without it, it is carried over to the next, and counted."""
    with running() as ports:
        facts = plan_ticket(
            ports, product=product, key=ticket, train=None if train == "-" else train, reason=reason, by=who(by)
        )
    show(facts, output, lambda one: _plans_text([one]) if "plans" in one else f"{ticket} is planned for no train.")


@train.command("plans", epilog="Example: releaser train plans shop --alerts")
def plans_command(
    *,
    product: ProductArgument,
    train: Annotated[str, typer.Option(help="Only those planned for this train.")] = "",
    alerts: Annotated[bool, typer.Option("--alerts", help="Only those carried over too often.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List planned tickets: for which train first and now, where they landed, and how often they were carried over."""
    with running() as ports:
        facts = list_plans(ports, product=product, train=train, alerts=alerts, told=None)
    show(facts, output, lambda items: _plans_text(items) if items else "Nothing is planned.")


def _plans_text(items: list[dict[str, Any]]) -> str:
    headers = ("ticket", "title", "planned first for", "now for", "version", "landed in", "carried", "alert")
    rows = [
        (
            one["ticket"],
            one["title"],
            one["first_planned_for"],
            one["planned_for"],
            one["version"],
            one["landed_in"],
            one["carries"],
            "carried too often" if one["alert"] else "",
        )
        for one in items
    ]
    return table(headers, rows)
