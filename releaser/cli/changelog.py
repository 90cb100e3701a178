"""`releaser changelog`: what changed, in any clone without a service, in a product, or in the fragments that people wrote."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from releaser.cli.clones import (
    PatternOption,
    RepoOption,
    SchemeOption,
    TagFormatOption,
    check_product_alone,
    habits,
    watched,
)
from releaser.cli.light import Argument, Light, Option, UsageError
from releaser.cli.show import emit
from releaser.clock import SystemClock
from releaser.domain.changelog import Form, render
from releaser.domain.version import Scheme, parse
from releaser.flows.read_changelog import Wanted, Which, read_changelog
from releaser.flows.release_fragments import release_fragments, told
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES
from releaser.in_place import clone, fragments


class Format(StrEnum):
    """What the command writes."""

    MD = "md"
    JSON = "json"
    HTML = "html"
    TEXT = "text"
    ATOM = "atom"


def changelog_command(
    version: Annotated[
        str, Argument("The release to tell; the newest of a clone, all of a product when not given.")
    ] = "",
    product: Annotated[str, Option("Tell this product's published releases, from the database.")] = "",
    repo: RepoOption = None,
    every: Annotated[bool, Option("Tell every release.", ("--all",))] = False,  # noqa: FBT002 -- a flag
    since: Annotated[str, Option("Tell what is newer than this version ...", ("--from",))] = "",
    upto: Annotated[str, Option("... up to this one.", ("--to",))] = "",
    tag_format: TagFormatOption = "",
    ticket_pattern: PatternOption = None,
    scheme: SchemeOption = Scheme.TWO_PART,
    folder: Annotated[
        Path | None, Option("Tell the fragments of this folder instead of commits.", ("--fragments",))
    ] = None,
    write: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Write the fragments as VERSION.md beside their folder, and remove them.")
    ] = False,
    title: Annotated[str, Option("Heading of the whole.")] = "",
    language: Annotated[str, Option("Language of the headings: en or ru.")] = DEFAULT_LANGUAGE,
    output: Annotated[Format, Option("How it is written.", ("-o", "--output"))] = Format.MD,
) -> None:
    """Tell what changed. Without --product it needs no service, no database and no configuration."""
    if language not in LANGUAGES:
        raise UsageError(
            f"There is no language '{language[:20]}'.", advice=f"Use {' or '.join(LANGUAGES)}.", field="language"
        )
    _check_alone(product=bool(product), repo=repo is not None, fragments=folder is not None)
    if write and (folder is None or not version):
        raise UsageError(
            "Only fragments are written.", advice="Use: --fragments FOLDER --write VERSION.", field="write"
        )
    if folder is not None:
        emit(_of_fragments(folder, version, scheme, title, language, output, write=write))
        return
    wanted = _wanted(version, since, upto, every=every)
    if product:
        check_product_alone(product, tag_format=tag_format, ticket_pattern=ticket_pattern)
        emit(_of_product(product, wanted, language, output))
        return
    form = _form(output)
    said = habits(scheme=scheme, tag_format=tag_format, ticket_patterns=ticket_pattern)
    with watched() as progress:
        found = read_changelog(clone(repo), wanted=wanted, habits=said, progress=progress)
    emit(render(found, form=form, title=title, language=language))


COMMAND = Light(
    function=changelog_command,
    name="changelog",
    epilog="Examples: releaser changelog --repo . 3.4.1;  releaser changelog --all -o json;  "
    "releaser changelog --from 3.3 --to 3.4;  releaser changelog --product shop -o html;  "
    "releaser changelog --fragments changelogs/unreleased --write 0.2",
)


def _check_alone(**sources: bool) -> None:
    named = [f"--{name}" for name, is_given in sources.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other.", advice="Name one.", field=named[1][2:])


def _wanted(version: str, since: str, upto: str, *, every: bool) -> Wanted:
    given = [
        name
        for name, is_given in {"VERSION": version, "--from/--to": since or upto, "--all": every}.items()
        if is_given
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other.", advice="Use one.", field="version")
    if since or upto:
        return Wanted(which=Which.RANGE, since=since, upto=upto)
    if version:
        return Wanted(which=Which.ONE, upto=version)
    return Wanted(which=Which.ALL if every else Which.NEWEST)


def _form(output: Format) -> Form:
    if output is Format.ATOM:
        raise UsageError(
            "An Atom feed names a page for every release, and a clone has no pages.",
            advice="Use -o md, json, html or text; a product has a feed: --product NAME -o atom.",
            field="output",
        )
    return Form(output.value)


def _of_fragments(
    folder: Path, version: str, scheme: Scheme, title: str, language: str, output: Format, *, write: bool
) -> str:
    found = fragments(folder)
    numbered = parse(version or "0.0", scheme=scheme)
    if not write:
        release = told(found, version=numbered, on=None, language=language)
        return render([release], form=_form(output), title=title, language=language)
    today: date = SystemClock().now().date()
    file = release_fragments(found, folder=folder, version=numbered, on=today, title=title, language=language)
    return f"{len(found)} fragments became {file}."


def _of_product(product: str, wanted: Wanted, language: str, output: Format) -> str:
    # Start-up: a clone is told without loading the database and the drivers.
    from releaser.cli.run import running  # noqa: PLC0415 -- see above
    from releaser.flows.render_changelog import render_changelog  # noqa: PLC0415 -- see above
    from releaser.flows.render_feed import FeedForm, render_feed  # noqa: PLC0415 -- see above

    with running() as ports:
        if output is Format.ATOM:
            if wanted.which in {Which.ONE, Which.RANGE}:
                raise UsageError(
                    "A feed has every published release.", advice="Leave the versions out.", field="output"
                )
            path = f"/products/{product}/feed.atom"
            return render_feed(ports, product=product, form=FeedForm.ATOM, feed_path=path, language=language)
        one = wanted.upto if wanted.which is Which.ONE else None
        within = wanted if wanted.which is Which.RANGE else None
        return render_changelog(
            ports, product=product, version=one, within=within, form=_form(output), language=language
        )
