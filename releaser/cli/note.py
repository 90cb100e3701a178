"""`releaser note …` and `releaser feed`: what readers are told of a release, and what customers are not told yet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from releaser.cli.given import instant
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, emit, listing, moment, show, table
from releaser.domain.changelog import Audience, Form, Section
from releaser.errors import InvalidError
from releaser.flows.render_feed import FeedForm, render_feed
from releaser.flows.render_notes import render_notes
from releaser.flows.set_embargo import list_embargoes, set_embargo
from releaser.flows.show_notes import note_history, show_notes
from releaser.flows.withdraw_note import withdraw_note
from releaser.flows.write_note import write_note
from releaser.i18n import DEFAULT_LANGUAGE

app = commands()
note = noun(app, "note", told="Release notes: what readers are told of a release.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
VersionArgument = Annotated[str, typer.Argument(help="The version, such as 3.4 or 3.4.1.")]
TicketArgument = Annotated[str, typer.Argument(help="The ticket that the note is about.")]
LanguageOption = Annotated[str, typer.Option(help="en or ru.")]
AudienceOption = Annotated[Audience, typer.Option(help="Who reads it.")]
ReasonOption = Annotated[str, typer.Option(help="Why; a correction of a published release needs one.")]


class NoteTextError(InvalidError):
    """The text of a note is not given, or in two ways."""


@note.command(
    "write",
    epilog="Examples: releaser note write shop 1.1 SHOP-12 --language en --text 'The cart is no longer lost.';  "
    "releaser note write shop 1.1 SHOP-9 -f note.md --embargo 2030-05-31T22:00+03:00;  "
    "releaser note write shop 1.0 SHOP-7 --text 'Use --all.' --reason 'the option is called differently'",
)
def write_command(
    product: ProductArgument,
    version: VersionArgument,
    ticket: TicketArgument,
    language: LanguageOption = DEFAULT_LANGUAGE,
    text: Annotated[str, typer.Option(help="The note, in Markdown.")] = "",
    file: Annotated[str, typer.Option("-f", "--file", help="A file with the note; - reads standard input.")] = "",
    section: Annotated[
        Section | None, typer.Option(help="Its section; of a ticket's first note 'changed'.", show_default=False)
    ] = None,
    needs_action: Annotated[
        bool | None, typer.Option("--needs-action/--no-action", help="Whether customers have to do something.")
    ] = None,
    audience: AudienceOption = Audience.CUSTOMER,
    embargo: Annotated[
        str,
        typer.Option(help="Tell customers nothing of the ticket before this instant, such as 2030-05-31T22:00+03:00."),
    ] = "",
    reason: ReasonOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Write a release note by hand. A repeated cut keeps it; of a published release it is a correction, and readers see that."""
    if bool(text) == bool(file):
        raise NoteTextError("A note needs --text or --file, one of them.", field="text")
    written = text or (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8", errors="replace"))
    until = instant(embargo, field="embargo")
    with running() as ports:
        if until is not None:
            # First: between the two nobody shall read it.
            set_embargo(ports, product=product, ticket=ticket, until=until, by=who(by), reason=reason)
        facts = write_note(
            ports,
            product=product,
            version=version,
            ticket=ticket,
            language=language,
            text=written,
            by=who(by),
            section=section,
            needs_action=needs_action,
            audience=audience,
            reason=reason,
        )
    show(facts, output, _written_text)


def _written_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    names = ("ticket", "section", "audience", "language", "text")
    rows = [(name, facts[name]) for name in names]
    if facts["corrected_at"]:
        rows.append(("corrected", moment(facts["corrected_at"])))
    return listing([*rows, *([("", "nothing changed")] if facts["unchanged"] else [])])


@note.command("withdraw", epilog="Example: releaser note withdraw shop 1.1 SHOP-12 --reason 'it names a customer'")
def withdraw_command(
    product: ProductArgument,
    version: VersionArgument,
    ticket: TicketArgument,
    audience: AudienceOption = Audience.CUSTOMER,
    reason: ReasonOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Take a ticket out of a release's notes, in every language. What it said stays readable by `releaser note history`."""
    with running() as ports:
        facts = withdraw_note(
            ports, product=product, version=version, ticket=ticket, by=who(by), reason=reason, audience=audience
        )
    show(facts, output, lambda found: "\n".join(f"{n['ticket']} ({n['language']}): withdrawn" for n in found))


@note.command("list", epilog="Example: releaser note list shop 1.1 --audience customer")
def list_command(
    product: ProductArgument,
    version: VersionArgument,
    audience: AudienceOption = Audience.INTERNAL,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the notes of a release, in every language, as this audience may read them now."""
    with running() as ports:
        facts = show_notes(ports, product=product, version=version, audience=audience)
    show(facts, output, _notes_text)


def _notes_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [
        (n["ticket"], n["section"], n["language"], n["text"], moment(n["corrected_at"]), moment(n["embargo_until"]))
        for n in items
    ]
    return table(("ticket", "section", "language", "text", "corrected", "embargo until"), rows)


@note.command("show", epilog="Example: releaser note show shop 1.1 -o text --language ru > mail.txt")
def show_command(
    product: ProductArgument,
    version: VersionArgument,
    language: LanguageOption = DEFAULT_LANGUAGE,
    audience: AudienceOption = Audience.CUSTOMER,
    output: Annotated[Form, typer.Option("-o", "--output", help="How they are written.")] = Form.MARKDOWN,
) -> None:
    """Write the notes of a release, as this audience may read them now: Markdown, HTML, JSON, or text for mail."""
    with running() as ports:
        text = render_notes(ports, product=product, version=version, form=output, language=language, audience=audience)
    emit(text)


@note.command("history", epilog="Example: releaser note history shop 1.1 SHOP-12")
def history_command(
    product: ProductArgument, version: VersionArgument, ticket: TicketArgument, output: OutputOption = Output.TEXT
) -> None:
    """Show every text that a ticket's notes had in a release: who wrote it, when and why."""
    with running() as ports:
        facts = note_history(ports, product=product, version=version, ticket=ticket)
    show(facts, output, _history_text)


def _history_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [
        (
            n["audience"],
            n["language"],
            n["number"],
            moment(n["written_at"]),
            n["written_by"] or "drafted",
            n["reason"],
            n["text"] or "(withdrawn)",
        )
        for n in items
    ]
    headers = ("audience", "language", "revision", "at", "by", "reason", "text")
    return table(headers, rows) if rows else "Nobody wrote a note of it by hand."


@note.command(
    "embargo",
    epilog="Examples: releaser note embargo shop SHOP-9 --until 2030-05-31T22:00+03:00;  "
    "releaser note embargo shop SHOP-9 --lift",
)
def embargo_command(
    product: ProductArgument,
    ticket: Annotated[str, typer.Argument(help="The ticket that customers must not be told of.")],
    until: Annotated[str, typer.Option(help="Until when, such as 2030-05-31T22:00+03:00.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="End it now.")] = False,  # noqa: FBT002 -- a flag
    reason: ReasonOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Tell customers nothing of a ticket until an instant: on no line, in no language. When it comes, that ends by itself."""
    if bool(until) == lift:
        raise NoteTextError("Name --until INSTANT, or --lift, one of them.", field="until")
    ends = instant(until, field="until")
    with running() as ports:
        facts = set_embargo(ports, product=product, ticket=ticket, until=ends, by=who(by), reason=reason)
    show(
        facts,
        output,
        lambda f: (
            f"{f['ticket']}: " + ("under embargo until " if f["in_force"] else "public since ") + moment(f["until"])
        ),
    )


@note.command("embargoes", epilog="Example: releaser note embargoes shop")
def embargoes_command(product: ProductArgument, output: OutputOption = Output.TEXT) -> None:
    """List what customers are not told of yet, and what they were not told of before."""
    with running() as ports:
        facts = list_embargoes(ports, product=product)
    show(facts, output, _embargoes_text)


def _embargoes_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [
        (e["ticket"], moment(e["until"]), "in force" if e["in_force"] else "over", e["set_by"], e["reason"])
        for e in items
    ]
    return table(("ticket", "until", "state", "set by", "reason"), rows) if rows else "There are none."


@app.command("feed", epilog="Example: releaser feed shop -o atom")
def feed_command(
    product: ProductArgument,
    language: LanguageOption = DEFAULT_LANGUAGE,
    output: Annotated[FeedForm, typer.Option("-o", "--output", help="Atom, or JSON Feed 1.1.")] = FeedForm.ATOM,
) -> None:
    """Write a product's feed of published releases, as the service serves it."""
    path = f"/products/{quote(product, safe='')}/feed.{output}"
    with running() as ports:
        text = render_feed(ports, product=product, form=output, feed_path=path, language=language)
    emit(text)
