"""`releaser note …` and `releaser feed`: what customers read of a release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, emit, listing, show, table
from releaser.domain.changelog import Section
from releaser.errors import InvalidError
from releaser.flows.render_feed import FeedForm, render_feed
from releaser.flows.show_release import show_release
from releaser.flows.write_note import write_note
from releaser.i18n import DEFAULT_LANGUAGE

app = commands()
note = noun(app, "note", told="Release notes: what customers read of a release.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
VersionArgument = Annotated[str, typer.Argument(help="The version, such as 3.4 or 3.4.1.")]
LanguageOption = Annotated[str, typer.Option(help="en or ru.")]


class NoteTextError(InvalidError):
    """The text of a note is not given, or in two ways."""


@note.command(
    "write", epilog="Example: releaser note write shop 1.1 SHOP-12 --language en --text 'The cart is no longer lost.'"
)
def write_command(
    product: ProductArgument,
    version: VersionArgument,
    ticket: Annotated[str, typer.Argument(help="The ticket that the note is about.")],
    language: LanguageOption = DEFAULT_LANGUAGE,
    text: Annotated[str, typer.Option(help="The note, in Markdown.")] = "",
    file: Annotated[str, typer.Option("-f", "--file", help="A file with the note; - reads standard input.")] = "",
    section: Annotated[Section, typer.Option(help="Its section, for a ticket's first note.")] = Section.CHANGED,
    needs_action: Annotated[
        bool | None, typer.Option("--needs-action/--no-action", help="Whether customers have to do something.")
    ] = None,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Write a release note by hand. A repeated cut keeps it."""
    if bool(text) == bool(file):
        raise NoteTextError("A note needs --text or --file, one of them.", field="text")
    written = text or (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8", errors="replace"))
    with running() as ports:
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
        )
    show(facts, output, lambda f: listing([(name, f[name]) for name in ("ticket", "section", "language", "text")]))


@note.command("list", epilog="Example: releaser note list shop 1.1")
def list_command(product: ProductArgument, version: VersionArgument, output: OutputOption = Output.TEXT) -> None:
    """List the notes of a release, in every language."""
    with running() as ports:
        facts = show_release(ports, product=product, version=version)["notes"]
    show(facts, output, _notes_text)


def _notes_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(n["ticket"], n["section"], n["audience"], n["language"], n["text"]) for n in items]
    return table(("ticket", "section", "audience", "language", "text"), rows)


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
