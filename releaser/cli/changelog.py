"""`releaser changelog`: what changed, in any clone without a service, in a product, or in the fragments that people wrote."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from releaser.cli.clones import (
    NoCacheOption,
    PatternOption,
    RepoOption,
    SchemeOption,
    TagFormatOption,
    check_product_alone,
    habits,
    watched,
)
from releaser.cli.light import Argument, Light, Option, UsageError
from releaser.cli.show import emit, emit_pieces
from releaser.domain.changelog import Audience, Form, Sources
from releaser.domain.changelog.keeping import is_path
from releaser.domain.version import Scheme
from releaser.flows.read_changelog import Wanted, Which
from releaser.flows.tell_changelog import tell_changelog
from releaser.halved import halved
from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES
from releaser.in_place import clone


class Format(StrEnum):
    """What the command writes."""

    MD = "md"
    JSON = "json"
    HTML = "html"
    TEXT = "text"
    ATOM = "atom"
    JSONFEED = "jsonfeed"


FEEDS = frozenset({Format.ATOM, Format.JSONFEED})
INTO = "CHANGELOG.md"
FOLDER = "changelogs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the changelog is told: options that every source of it has."""

    output: Format
    title: str
    language: str
    template: Path | None
    address: str

    @property
    def form(self) -> Form:
        """The form, where it is no feed."""
        return Form(self.output.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where it is written to."""

    into: str
    folder: str
    replace: bool


def changelog_command(
    version: Annotated[
        str, Argument("The release to tell; the newest of a clone, all of a product when not given.")
    ] = "",
    product: Annotated[str, Option("Tell this product's published releases, from the database.")] = "",
    repo: RepoOption = None,
    every: Annotated[bool, Option("Tell every release.", ("--all",))] = False,  # noqa: FBT002 -- a flag
    since: Annotated[str, Option("Tell what is newer than this version ...", ("--from",))] = "",
    upto: Annotated[str, Option("... up to this one.", ("--to",))] = "",
    unreleased: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Tell what no release of the clone has yet, as VERSION where given.")
    ] = False,
    branch: Annotated[str, Option("The branch: of --unreleased, or that --commit goes to.")] = "",
    tag_format: TagFormatOption = None,
    ticket_pattern: PatternOption = None,
    scheme: SchemeOption = Scheme.TWO_PART,
    no_cache: NoCacheOption = False,  # noqa: FBT002 -- a flag
    path: Annotated[
        list[str] | None, Option("Only what touches this path of the clone; repeatable.", ("--path",))
    ] = None,
    fragments: Annotated[
        Path | None, Option("Tell this folder's fragments: alone, or with --repo those that came with each release.")
    ] = None,
    sources: Annotated[
        Sources, Option("Of a clone: what entries are made of, where there are fragments.")
    ] = Sources.BOTH,
    template: Annotated[Path | None, Option("Write it by this template; see docs/changelog.md.")] = None,
    audience: Annotated[Audience, Option("Who reads a product's changelog.")] = Audience.CUSTOMER,
    address: Annotated[str, Option("Of the page that a clone's feed leads to.")] = "",
    write: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Write it into the clone's files; fragments that are told are removed.")
    ] = False,
    into: Annotated[str, Option("The file that --write puts a chapter into; '' for none.")] = INTO,
    folder: Annotated[str, Option("The folder that --write puts a file into; '' for none.")] = FOLDER,
    commit: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Commit VERSION's changelog to the product's repository.")
    ] = False,
    replace: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Replace words about the release that releaser did not write.")
    ] = False,
    title: Annotated[str, Option("Heading of the whole.")] = "",
    language: Annotated[str, Option("Language of the headings: en or ru.")] = DEFAULT_LANGUAGE,
    output: Annotated[
        Format | None, Option("How it is written.", ("-o", "--output"), default="md, or by the template's name")
    ] = None,
) -> None:
    """Tell what changed. Without --product it needs no service, no database and no configuration."""
    if language not in LANGUAGES:
        raise UsageError(
            f"There is no language '{language[:20]}'.", advice=f"Use {' or '.join(LANGUAGES)}.", field="language"
        )
    said = Told(output=output or _by_name(template), title=title, language=language, template=template, address=address)
    written = Written(into=into, folder=folder, replace=replace)
    is_product = bool(product)
    _check(
        {"product": is_product, "repo": repo is not None},
        {"product": is_product, "fragments": fragments is not None},
        {"product": is_product, "unreleased": unreleased},
        {"product": is_product, "write": write},
        {"product": is_product, "path": bool(path)},
    )
    wanted = _wanted(version, since, upto, every=every, unreleased=unreleased)
    if is_product:
        check_product_alone(product, tag_format=tag_format, ticket_pattern=ticket_pattern)
        # Start-up: a clone is told without loading the database and the drivers.
        from releaser.cli import changelog_of_product as of_product  # noqa: PLC0415 -- see above

        if commit:
            of_product.commit(product, version, branch, replace=replace)
        else:
            emit(of_product.told(product, wanted, said, audience))
        return
    if commit:
        raise UsageError("Only a product's changelog is committed.", advice="Name it with --product.", field="commit")
    if fragments is not None and repo is None and not unreleased:
        from releaser.cli import changelog_of_clone as of_clone  # noqa: PLC0415 -- start-up: rarely asked for

        emit(of_clone.of_fragments(fragments, version, scheme, said, write=write))
        return
    paths = tuple(_path(one) for one in path or ())
    kept = habits(
        scheme=scheme, tag_format=tag_format, ticket_patterns=ticket_pattern, paths=paths, cached=not no_cache
    )
    if write or unreleased or fragments is not None or paths or said.template is not None or said.output in FEEDS:
        from releaser.cli import changelog_of_clone as of_clone  # noqa: PLC0415 -- start-up: rarely asked for

        asked = of_clone.Asked(
            repo=repo, habits=kept, wanted=wanted, is_unreleased=unreleased, version=version, branch=branch,
            fragments=fragments, sources=sources,
        )  # fmt: skip
        emit(of_clone.written(asked, said, written) if write else of_clone.told(asked, said))
        return
    with watched() as progress:
        pieces = tell_changelog(
            clone(repo),
            wanted=wanted,
            habits=kept,
            form=said.form,
            title=title,
            language=language,
            progress=progress,
            sharing=halved,
        )
    emit_pieces(pieces)


COMMAND = Light(
    function=changelog_command,
    name="changelog",
    epilog="Examples: releaser changelog --repo . 3.4.1;  releaser changelog --all -o json;  "
    "releaser changelog --from 3.3 --to 3.4;  releaser changelog --product shop -o html;  "
    "releaser changelog --fragments changelogs/unreleased --write 0.2;  "
    "releaser changelog --repo . --unreleased 3.5 --fragments changelogs/unreleased --write;  "
    "releaser changelog --product shop 3.4 --commit",
)


def _path(text: str) -> str:
    """A path of the clone as git calls it."""
    bare = text.rstrip("/")
    if not is_path(bare):
        raise UsageError(
            f"'{text[:80]}' is no path inside a clone.",
            advice="Name it from the clone's root, such as services/app.",
            field="path",
        )
    return bare


def _by_name(template: Path | None) -> Format:
    """What a template's name says that it writes: `notes.html.j2` is HTML."""
    suffixes = {suffix.lstrip(".") for suffix in (template.suffixes if template else [])}
    return Format.HTML if suffixes & {"html", "htm"} else Format.TEXT if suffixes & {"txt", "text"} else Format.MD


def _check(*together: dict[str, bool]) -> None:
    for options in together:
        named = [f"--{name}" for name, is_given in options.items() if is_given]
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)} exclude each other.", advice="Name one.", field=named[1][2:])


def _wanted(version: str, since: str, upto: str, *, every: bool, unreleased: bool) -> Wanted:
    given = [
        name
        for name, is_given in {
            "VERSION": version and not unreleased,
            "--from/--to": since or upto,
            "--all": every,
            "--unreleased": unreleased,
        }.items()
        if is_given
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other.", advice="Use one.", field="version")
    if since or upto:
        return Wanted(which=Which.RANGE, since=since, upto=upto)
    if version:
        return Wanted(which=Which.ONE, upto=version)
    return Wanted(which=Which.ALL if every else Which.NEWEST)
