"""`releaser upgrade`: what an upgrade gains, what it would lose, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from releaser.cli.clones import (
    ROWS,
    LimitOption,
    NoCacheOption,
    OutputOption,
    PatternOption,
    RepoOption,
    SchemeOption,
    TagFormatOption,
    check_product_alone,
    habits,
    shown_of,
    watched,
)
from releaser.cli.light import Argument, Light
from releaser.cli.show import Output, coloured, joined, say, seconds, show_lists, table
from releaser.domain.version import Scheme
from releaser.flows.read_upgrade import read_upgrade
from releaser.in_place import clone

_SHORT = 12
_FEW = 10
_LACKS = {"absent": "not there", "reverted": "taken back there", "same-ticket": "other commits of the ticket are there"}


def upgrade_command(
    first: Annotated[str, Argument("The product; of a clone, the version to upgrade from.", metavar="PRODUCT|FROM")],
    second: Annotated[
        str, Argument("The version to upgrade from; of a clone, the one to upgrade to.", metavar="FROM|TO")
    ],
    third: Annotated[str, Argument("Of a product, the version to upgrade to.", metavar="TO")] = "",
    repo: RepoOption = None,
    tag_format: TagFormatOption = None,
    ticket_pattern: PatternOption = None,
    scheme: SchemeOption = Scheme.TWO_PART,
    no_cache: NoCacheOption = False,  # noqa: FBT002 -- a flag
    limit: LimitOption = ROWS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell what an upgrade gains and what it would lose, from any version to any other, across lines too."""
    product = first if third else ""
    most = shown_of(output, limit)
    check_product_alone(product, repo=repo, tag_format=tag_format, ticket_pattern=ticket_pattern)
    if product:
        # Start-up: a clone is read without loading the database and the drivers.
        from releaser.cli.run import running  # noqa: PLC0415 -- see above
        from releaser.flows.show_upgrade import show_upgrade  # noqa: PLC0415 -- see above

        with running() as ports:
            facts = show_upgrade(ports, product=product, since=second, upto=third, most=most)
    else:
        with watched() as progress:
            said = habits(scheme=scheme, tag_format=tag_format, ticket_patterns=ticket_pattern, cached=not no_cache)
            facts = read_upgrade(clone(repo), since=first, upto=second, habits=said, most=most, progress=progress)
    show_lists(facts, output, _text)


COMMAND = Light(
    function=upgrade_command,
    name="upgrade",
    epilog="Examples: releaser upgrade --repo . 3.4.2 3.6;  releaser upgrade 3.4.2 3.6 -o json;  "
    "releaser upgrade shop 3.4.2 3.6",
)


def _text(facts: Any) -> str:  # noqa: ANN401 -- facts
    since, upto = facts["from"], facts["to"]
    back = ", which goes back to an older version" if facts["goes_back"] else ""
    counts = facts["counts"]
    parts = [f"From {since} to {upto}{back}: {_count(counts['gained'])} gained, {_count(counts['lost'])} lost."]
    if counts["lost"]["tickets"] + counts["lost"]["commits"]:
        parts.append(coloured(_part(f"LOST: {since} has it, {upto} has not:", facts, "lost"), "red"))
    if facts["perhaps_lost"]:
        title = f"Perhaps lost: {upto} has other commits of the same tickets:"
        parts.append(coloured(_part(title, facts, "perhaps_lost"), "yellow"))
    parts += [*_breaking(facts), *_way(facts)]
    if _all(facts, "gained"):
        parts.append(_part("Gained:", facts, "gained"))
    if facts["perhaps_gained"]:
        title = f"Perhaps gained: {since} has other commits of these tickets:"
        parts.append(_part(title, facts, "perhaps_gained"))
    parts += _tooling(facts)
    return "\n\n".join(parts)


def _count(of: Any) -> str:  # noqa: ANN401 -- facts
    tickets = say.n("{n} ticket", "{n} tickets", of["tickets"])
    return f"{tickets} and {say.n('{n} other commit', '{n} other commits', of['commits'])}"


def _breaking(facts: Any) -> Iterator[str]:  # noqa: ANN401 -- facts
    """What does not work any more as it did, most urgent to know beside what is lost."""
    shown, count = facts["breaking"], facts["counts"]["breaking"]
    if shown:
        rows = [(joined(one["tickets"]), one["commit"][:_SHORT], one["first_version"], _warned(one)) for one in shown]
        more = _more(count["commits"] - len(shown))
        yield coloured(f"Breaking changes:\n{table(('ticket', 'commit', 'since', 'what'), rows)}{more}", "yellow")
    if count["unread"]:
        yield say.n(
            "{n} older commit was not looked through for breaking changes.",
            "{n} older commits were not looked through for breaking changes.",
            count["unread"],
        )


def _warned(one: Any) -> str:  # noqa: ANN401 -- facts
    return f"{one['subject']} \u2013 {one['warning']}" if one["warning"] else str(one["subject"])


def _tooling(facts: Any) -> Iterator[str]:  # noqa: ANN401 -- facts
    """What release tooling wrote into the one line only, which is no fix of anything."""
    count = facts["counts"]["lost"]["tooling"]
    if not count:
        return
    title = say.n(
        "Not counted as lost: {n} commit that only made a release of the other line.",
        "Not counted as lost: {n} commits that only made releases of the other line.",
        count,
    )
    shown = [one for one in facts["lost"] if one["tooling"]][:_FEW]
    rows = [(one["commit"][:_SHORT], one["first_version"], one["subject"]) for one in shown]
    listed = f"\n{table(('commit', 'since', 'subject'), rows)}{_more(count - len(rows))}" if rows else ""
    yield title + listed


def _more(left: int) -> str:
    return f"\n... and {left} more; see --limit, or -o json." if left > 0 else ""


def _part(title: str, facts: Any, name: str) -> str:  # noqa: ANN401 -- facts
    shown = [one for one in facts[name] if not one["tooling"]]
    if not shown:
        return f"{title}{_more(_all(facts, name))}"
    rows = [(*one, _why(entry)) for one, entry in zip(_rows(shown), shown, strict=True)]
    headers = ("ticket", "commit", "since", "subject", "why")
    # What is gained is simply new; only why something is lacking is worth a column.
    is_plain = all(entry["lack"] == "absent" for entry in shown)
    text = table(headers[:4], [row[:4] for row in rows]) if is_plain else table(headers, rows)
    return f"{title}\n{text}{_more(_all(facts, name) - len(shown))}"


def _all(facts: Any, name: str) -> int:  # noqa: ANN401 -- facts
    count = facts["counts"][name]
    return int(count["tickets"]) + int(count["commits"])


def _rows(entries: Sequence[Any]) -> Iterator[tuple[object, ...]]:
    for one in entries:
        yield one["ticket"] or joined(one["tickets"]), one["commit"][:_SHORT], one["first_version"], one["subject"]


def _why(entry: Any) -> str:  # noqa: ANN401 -- facts
    by = f" by {entry['reverted_by'][:_SHORT]}" if entry["reverted_by"] else ""
    return _LACKS[entry["lack"]] + by


def _way(facts: Any) -> Iterator[str]:  # noqa: ANN401 -- facts
    """What only a service knows."""
    if "downtime" not in facts:
        yield "Required stops, actions and downtime are known of products only: releaser upgrade PRODUCT FROM TO."
        return
    if facts["required_stops"]:
        rows = [(one["version"], one["reason"]) for one in facts["required_stops"]]
        yield coloured(f"Required stops on the way:\n{table(('version', 'reason'), rows)}", "yellow")
    else:
        yield "No required stop on the way."
    if facts["actions"]:
        actions = [(one["version"], one["ticket"], one["language"], one["text"]) for one in facts["actions"]]
        yield f"Actions needed:\n{table(('version', 'ticket', 'language', 'what'), actions)}"
    else:
        yield "No release on the way asks for an action."
    yield _downtime(facts["downtime"])


def _downtime(expected: Any) -> str:  # noqa: ANN401 -- facts
    if expected["expected_s"] is None:
        return "Expected downtime: not known; nothing of the product runs anywhere, and no earlier update was measured."
    said = [
        f"{one['module']} {seconds(one['stop_s'])} ({one['basis']}"
        + (f", median of {one['count']})" if one["count"] > 1 else ")")
        for one in expected["modules"]
    ]
    times = f" for {expected['updates']} updates" if expected["updates"] > 1 else ""
    return f"Expected downtime: {seconds(expected['expected_s'])}{times}; each: {joined(said)}."
