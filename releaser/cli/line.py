"""`releaser line …`: how long each line is supported, and what may be patched onto it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from releaser.cli.given import day
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, listing, safe, show, table
from releaser.domain.line import LinePhase, LinePolicy
from releaser.errors import InvalidError
from releaser.flows.list_lines import list_lines, show_line
from releaser.flows.set_line import KEEP, Stated, Unset, set_line

app = commands()
line = noun(app, "line", told="Lines: how long each is supported, and what may go into it.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
LineArgument = Annotated[str, typer.Argument(help="The line, such as 3.4.")]
NONE = "none"

Word = TypeVar("Word", bound=StrEnum)


class UnknownWordError(InvalidError):
    """None of the words that are known here."""


def line_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A line for people."""
    stated = facts["stated"]

    def told(name: str) -> str:
        value = facts[name]
        by_rule = value is not None and stated.get(name) is None and name != "released_on"
        return "-" if value is None else f"{value}{' (by the product)' if by_rule else ''}"

    phase = facts["phase"] + (f" (stated: {stated['phase']})" if stated["phase"] else "")
    head = listing(
        [
            ("line", f"{facts['product']} {facts['name']}" + (" (nothing changed)" if facts.get("unchanged") else "")),
            ("phase", phase),
            ("policy", told("policy")),
            ("branch", facts["branch"]),
            ("released", told("released_on")),
            ("maintained until", told("maintained_until_on")),
            ("supported until", told("supported_until_on")),
            ("newest", facts["newest"]),
            ("releases", facts["releases"]),
        ]
    )
    parts = [head]
    if facts["blockers"]:
        parts.append(
            "\n".join(safe(f"BLOCKED by {one['ticket']}: {one['reason']} ({one['by']})") for one in facts["blockers"])
        )
    if facts["notices"]:
        days = ", ".join(f"{one['days']} days before ({_notice(one)})" for one in facts["notices"])
        parts.append(f"Its customers are told of the end: {days}.")
    if facts["installations"]:
        rows = [(one["installation"], one["customer"], one["contacts"]) for one in facts["installations"]]
        parts.append(table(("installation", "customer", "contacts"), rows))
    return "\n\n".join(parts)


def _notice(one: Any) -> str:  # noqa: ANN401 -- facts
    return "done" if one["told"] else "due" if one["due"] else "not told" if one["missed"] else "to come"


@line.command("list", epilog="Example: releaser line list shop")
def list_command(product: ProductArgument, output: OutputOption = Output.TEXT) -> None:
    """List a product's lines, newest number first, with phase, policy and dates."""
    with running() as ports:
        facts = list_lines(ports, product=product)
    headers = ("line", "phase", "policy", "maintained until", "supported until", "newest", "releases", "runs at")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (
                    one["name"],
                    one["phase"],
                    one["policy"],
                    one["maintained_until_on"],
                    one["supported_until_on"],
                    one["newest"],
                    one["releases"],
                    one["installations"],
                )
                for one in items
            ],
        ),
    )


@line.command("show", epilog="Example: releaser line show shop 3.4")
def show_command(product: ProductArgument, name: LineArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a line: phase, policy, dates, who runs it, and who was told of its end."""
    with running() as ports:
        facts = show_line(ports, product=product, line=name)
    show(facts, output, line_text)


@line.command(
    "set",
    epilog="Examples: releaser line set shop 3.4 --policy patch-only;  "
    "releaser line set shop 3.4 --supported-until 2030-06-30",
)
def set_command(
    product: ProductArgument,
    name: LineArgument,
    policy: Annotated[str, typer.Option(help="open or patch-only; none takes it back.", show_default=False)] = "",
    phase: Annotated[
        str,
        typer.Option(
            help="It is at least so far: development, maintained, security-only, end-of-life; none takes it back.",
            show_default=False,
        ),
    ] = "",
    maintained_until: Annotated[
        str,
        typer.Option(help="Last day of all fixes, then security fixes only; none takes it back.", show_default=False),
    ] = "",
    supported_until: Annotated[
        str, typer.Option(help="Last day of any support; none takes it back.", show_default=False)
    ] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """State a line's policy, phase or dates. What is not stated follows from the product and the line's releases."""
    stated = Stated(
        policy=_word(LinePolicy, policy, field="policy"),
        phase=_word(LinePhase, phase, field="phase"),
        maintained_until_on=_day(maintained_until, field="maintained-until"),
        supported_until_on=_day(supported_until, field="supported-until"),
    )
    with running() as ports:
        facts = set_line(ports, product=product, line=name, stated=stated, by=who(by))
    show(facts, output, line_text)


def _word(kind: type[Word], text: str, *, field: str) -> Word | Unset | None:
    if text in {"", NONE}:
        return KEEP if not text else None
    try:
        return kind(text)
    except ValueError as error:
        known = ", ".join([*(one.value for one in kind), NONE])
        raise UnknownWordError(
            f"'{text[:40]}' is no {field} of a line.", advice=f"Use {known}.", field=field
        ) from error


def _day(text: str, *, field: str) -> date | Unset | None:
    return KEEP if not text else None if text == NONE else day(text, field=field)
