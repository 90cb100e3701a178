"""`releaser contains`: which releases and lines have a commit or a ticket, and how they came to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any

from releaser.cli.clones import (
    NoCacheOption,
    OutputOption,
    PatternOption,
    ProductOption,
    RepoOption,
    SchemeOption,
    TagFormatOption,
    check_product_alone,
    habits,
    watched,
)
from releaser.cli.light import Argument, Light, Option
from releaser.cli.show import Output, joined, safe, say, show_lists, table
from releaser.domain.version import Scheme
from releaser.flows.read_contains import read_contains
from releaser.in_place import clone

_HOW = {"self": "itself", "pick": "by a pick", "ticket": "by another commit of the ticket"}
_SHORT = 12


def contains_command(
    query: Annotated[
        str, Argument("A commit's id or its start, a ticket's key, a tag or a branch.", metavar="COMMIT_OR_TICKET")
    ],
    product: ProductOption = "",
    repo: RepoOption = None,
    tag_format: TagFormatOption = None,
    ticket_pattern: PatternOption = None,
    scheme: SchemeOption = Scheme.TWO_PART,
    no_cache: NoCacheOption = False,  # noqa: FBT002 -- a flag
    deep: Annotated[  # noqa: FBT002 -- a flag
        bool, Option("Compare patches too: finds copies that no message tells of, at a millisecond or two a commit.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell every release and line that has a commit or a ticket, and how. In any clone, with nothing set up."""
    check_product_alone(product, repo=repo, tag_format=tag_format, ticket_pattern=ticket_pattern)
    if product:
        # Start-up: a clone is read without loading the database and the drivers.
        from releaser.cli.run import running  # noqa: PLC0415 -- see above
        from releaser.flows.find_fix import find_fix  # noqa: PLC0415 -- see above

        with running() as ports:
            facts = find_fix(ports, product=product, query=query, deep=deep)
    else:
        with watched() as progress:
            said = habits(scheme=scheme, tag_format=tag_format, ticket_patterns=ticket_pattern, cached=not no_cache)
            facts = read_contains(clone(repo), query=query, habits=said, deep=deep, progress=progress)
    show_lists(facts, output, _text)


COMMAND = Light(
    function=contains_command,
    name="contains",
    epilog="Examples: releaser contains SHOP-12;  releaser contains --repo . 1a2b3c4d -o json;  "
    "releaser contains --product shop SHOP-12;  releaser contains --deep 1a2b3c4d",
)


def _text(facts: Any) -> str:  # noqa: ANN401 -- facts
    parts = [_headline(facts), table(("commit", "date", "how", "subject"), list(_commits(facts)))]
    if rows := list(_lines(facts["lines"])):
        parts.append(table(("lines", "status", "first release", "how", "commit"), rows))
    unknown = sum(one["status"] == "unknown" and one["first_version"] is None for one in facts["lines"])
    if unknown:
        every = say.n("{n} line", "{n} lines", len(facts["lines"]))
        parts.append(f"On {unknown} of {every} nothing is known of it.")
    if facts["reverted"]:
        taken_back = joined([one["version"] for one in facts["reverted"][:10]])
        parts.append(f"Contained and taken back: {_releases(len(facts['reverted']))}: {taken_back}.")
    if facts["branches"]:
        parts.append(f"Branches that have it: {joined(facts['branches'])}.")
    return safe("\n\n".join(parts))


def _headline(facts: Any) -> str:  # noqa: ANN401 -- facts
    count = len(facts["releases"])
    what = "Ticket" if facts["kind"] == "ticket" else "Commit"
    if not count:
        return f"{what} {facts['query']} is in no release."
    first = facts["releases"][0]["version"]
    return f"{what} {facts['query']} is in {_releases(count)}, the lowest is {first}."


def _releases(count: int) -> str:
    return say.n("{n} release", "{n} releases", count)


def _commits(facts: Any) -> Iterator[tuple[object, ...]]:  # noqa: ANN401 -- facts
    for one in facts["evidence"]:
        how = _HOW[one["via"]] if one["relation"] != "refs" else "speaks of it"
        if one["picked_from"]:
            how = f"pick of {one['picked_from'][:_SHORT]}" + (" (same patch)" if one["layer"] == "patch" else "")
        yield one["id"][:_SHORT], one["date"], how, one["subject"]


def _lines(lines: Sequence[Any]) -> Iterator[tuple[object, ...]]:
    """Lines in a row that came to it alike are one."""
    known = [one for one in lines if one["status"] != "unknown" or one["first_version"] is not None]
    for (status, via, commit), alike in groupby(known, key=lambda one: (one["status"], one["via"], one["commit"])):
        rows = list(alike)
        name = rows[0]["line"] if len(rows) == 1 else f"{rows[0]['line']} ... {rows[-1]['line']} ({len(rows)})"
        yield name, status, rows[0]["first_version"], _HOW.get(via, _without(rows[0])), (commit or "")[:_SHORT]


def _without(line: Any) -> str:  # noqa: ANN401 -- facts
    """How it stands on a line of which no release has it."""
    if line["landed"]:
        return "landed"
    return f"taken back by {line['reverted_by'][:_SHORT]}" if line["reverted_by"] else ""
