"""`releaser backports`: what is fixed on one line and missing on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from releaser.cli.clones import (
    ROWS,
    LimitOption,
    NoCacheOption,
    OutputOption,
    PatternOption,
    ProductOption,
    RepoOption,
    SchemeOption,
    TagFormatOption,
    check_product_alone,
    habits,
    shown_of,
    watched,
)
from releaser.cli.light import Light, Option
from releaser.cli.show import Output, coloured, joined, safe, say, show_lists, table
from releaser.domain.version import Scheme
from releaser.flows.read_backports import read_backports
from releaser.in_place import clone

_SHORT = 12
_TITLES = {
    "reverted": "Taken back there",
    "forward-port": "Fixed on an older line: who upgrades loses the fix",
    "backport": "Candidates: fixed on a newer line only, and nobody said whether the older one has the fault",
}


def backports_command(
    lines: Annotated[
        list[str] | None,
        Option(
            "Lines to compare, such as 3.4,3.5 or 3.*, or all; repeatable. The main branch is always compared.",
            default="those with a branch or a patch that moved within the last year",
        ),
    ] = None,
    product: ProductOption = "",
    repo: RepoOption = None,
    tag_format: TagFormatOption = None,
    ticket_pattern: PatternOption = None,
    scheme: SchemeOption = Scheme.TWO_PART,
    no_cache: NoCacheOption = False,  # noqa: FBT002 -- a flag
    limit: LimitOption = ROWS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell what is fixed here and missing there: ticket by ticket, line by line. In any clone, with nothing set up."""
    most = shown_of(output, limit)
    check_product_alone(product, repo=repo, tag_format=tag_format, ticket_pattern=ticket_pattern)
    named = [one.strip() for text in lines or () for one in text.split(",") if one.strip()]
    if product:
        # Start-up: a clone is read without loading the database and the drivers.
        from releaser.cli.run import running  # noqa: PLC0415 -- see above
        from releaser.flows.show_backports import show_backports  # noqa: PLC0415 -- see above

        with running() as ports:
            facts = show_backports(ports, product=product, lines=named, most=most)
    else:
        with watched() as progress:
            said = habits(scheme=scheme, tag_format=tag_format, ticket_patterns=ticket_pattern, cached=not no_cache)
            facts = read_backports(clone(repo), lines=named, habits=said, most=most, progress=progress)
    show_lists(facts, output, _text)


COMMAND = Light(
    function=backports_command,
    name="backports",
    epilog="Examples: releaser backports;  releaser backports --repo . --lines 3.4,3.5 -o json;  "
    "releaser backports --product shop",
)


def _text(facts: Any) -> str:  # noqa: ANN401 -- facts
    names = [safe(one["line"]) for one in facts["lines"]]
    left_out = say.n(
        "{n} other line was not looked at.", "{n} other lines were not looked at.", facts["lines_left_out"]
    )
    fixed = say.n("{n} ticket that is fixed somewhere", "{n} tickets that are fixed somewhere", facts["tickets"])
    parts = [f"Compared {joined(names) or 'nothing'}; {left_out}"]
    if not facts["gaps"]:
        return f"{parts[0]}\n\nNo gap among {fixed}."
    for kind, title in _TITLES.items():
        gaps = [gap for gap in facts["gaps"] if gap["kind"] == kind]
        if gaps:
            parts.append(_part(kind, title, gaps, facts["counts"][kind]))
    total = sum(count["gaps"] for count in facts["counts"].values())
    parts.append(f"{say.n('{n} gap', '{n} gaps', total)} among {fixed}.")
    return "\n\n".join(parts)


def _part(kind: str, title: str, gaps: Sequence[Any], count: Any) -> str:  # noqa: ANN401 -- facts
    rows = list(_tickets(gaps))
    text = table(("ticket", "missing on", "fixed on", "commit", "subject"), rows)
    left = count["tickets"] - len(rows)
    more = f"\n... and {say.n('{n} more ticket', '{n} more tickets', left)}; see --limit, or -o json." if left else ""
    heading = f"{title} ({count['gaps']}):"
    return f"{heading if kind == 'backport' else coloured(heading, 'red')}\n{text}{more}"


def _tickets(gaps: Sequence[Any]) -> Iterator[tuple[object, ...]]:
    """Gaps of one kind, a row for every ticket, in their order."""
    by_ticket: dict[str, list[Any]] = {}
    for gap in gaps:
        by_ticket.setdefault(gap["ticket"], []).append(gap)
    for ticket, mine in by_ticket.items():
        fixed = [
            f"{one['line']} ({one['first_version']})" if one["first_version"] else one["line"]
            for one in mine[0]["fixed_on"]
        ]
        missing = joined([gap["line"] for gap in mine])
        yield ticket, missing, joined(fixed), mine[0]["commits"][0][:_SHORT], mine[0]["subject"]
