"""What the commands that read a clone where it is have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

from releaser.cli.light import Option, UsageError
from releaser.cli.progress import Report, progress_bar
from releaser.cli.show import Output, safe, say
from releaser.domain.history import TagMove
from releaser.domain.left_out import LeftOut
from releaser.domain.ticket_patterns import DEFAULT_PATTERN
from releaser.domain.version import Scheme
from releaser.flows.read_in_place import Habits
from releaser.sources.source import Progress

RepoOption = Annotated[Path | None, Option("Read this clone as it is.", default=".")]
TagFormatOption = Annotated[
    str | None, Option("How release tags are called, such as app-{version}.", default="guessed")
]
PatternOption = Annotated[
    list[str] | None,
    Option("How ticket keys look, in RE2 syntax; repeatable.", ("--ticket-pattern",), default=DEFAULT_PATTERN),
]
SchemeOption = Annotated[Scheme, Option("How versions are numbered.")]
NoCacheOption = Annotated[bool, Option("Read the whole history, and keep nothing in the clone's git folder.")]
OutputOption = Annotated[Output, Option("text for people, json for programs.", ("-o", "--output"))]
LimitOption = Annotated[int, Option("How many rows of a list people are shown; 0 for all. JSON has them all.")]
ProductOption = Annotated[str, Option("Ask about this product, from the database, and not about a clone.")]

ROWS = 40
MOST_MOVED = 20
FEW_TAGS = 3


def habits(
    *,
    scheme: Scheme,
    tag_format: str | None,
    ticket_patterns: list[str] | None,
    paths: tuple[str, ...] = (),
    cached: bool = True,
) -> Habits:
    """What the options say of the clone."""
    return Habits(
        scheme=scheme,
        tag_format=tag_format,
        ticket_patterns=tuple(ticket_patterns) if ticket_patterns else (DEFAULT_PATTERN,),
        paths=paths,
        cached=cached,
        alarmed=_tell_moved,
        missed=_tell_left_out,
    )


def _tell_moved(tags: Sequence[TagMove]) -> None:
    """Beside the answer, once: what a tag meant is not changed in silence."""
    for tag in tags[:MOST_MOVED]:
        what = f"moved from {tag.was[:12]} to {tag.now[:12]}" if tag.now else f"is gone, it was {tag.was[:12]}"
        sys.stderr.write(f"Warning: tag '{safe(tag.name)}' {what} since this clone was last read.\n")
    if len(tags) > MOST_MOVED:
        sys.stderr.write(f"Warning: so did {len(tags) - MOST_MOVED} more.\n")


def _tell_left_out(tags: LeftOut) -> None:
    """Beside the answer, in a line or two: an answer without these tags may not be the one that was wanted."""
    if tags.doubles:
        count = say.n(
            "{n} tag that doubles a version was left out",
            "{n} tags that double versions were left out",
            len(tags.doubles),
        )
        apart = sum(not one.is_same for one in tags.doubles)
        where = f" ({apart} at another commit)" if apart else " (at the same commit)"
        names = _some([f"{safe(one.tag)} beside {safe(one.chosen)}" for one in tags.doubles])
        advice = " Delete the wrong ones, or name the right ones with --tag-format." if apart else ""
        sys.stderr.write(f"Warning: {count}{where}: {names}.{advice}\n")
    if tags.ignored:
        count = say.n("{n} tag made no release", "{n} tags made no release", len(tags.ignored))
        helps = (
            f"--scheme {tags.scheme.value} reads {tags.readable} releases"
            if tags.scheme is not None
            else "--tag-format says how releases are called"
        )
        sys.stderr.write(f"Warning: {count}: {_some(list(map(safe, tags.ignored)))}. {helps}.\n")


def _some(names: Sequence[str]) -> str:
    """The first few."""
    more = len(names) - FEW_TAGS
    return ", ".join(names[:FEW_TAGS]) + (f" and {more} more" if more > 0 else "")


def shown_of(output: Output, limit: int) -> int | None:
    """How much of every list is to be told; None for all. Raises `UsageError`."""
    if limit < 0:
        raise UsageError("--limit is less than nothing.", advice="Use 0 for all.", field="limit")
    return limit if limit and output is Output.TEXT else None


def check_product_alone(product: str, **options: object) -> None:
    """Refuse what a product says itself. Raises `UsageError`."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if product and given:
        raise UsageError(
            f"{' and '.join(given)} and a product exclude each other.",
            advice="A product has its own repository, tags and tickets; leave one out.",
            field=given[0][2:],
        )


@contextmanager
def watched() -> Iterator[Progress | None]:
    """Progress of reading commits for somebody at a terminal; None where nobody looks: then nothing needs to be counted."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        report: Report | None = None

        def progress(done: int, total: int | None) -> None:
            nonlocal report
            if report is None:
                # Its first word loads what draws it, and an answer from what was kept has none.
                report = stack.enter_context(progress_bar())
            report("commits", done, total)

        yield progress
