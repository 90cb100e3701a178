"""A ticket for people: the request in short, and its whole thread down to the installations where the fix runs."""

from __future__ import annotations

from typing import Any

from releaser.cli.show import joined, listing, moment, safe, seconds, table
from releaser.domain.changelog import Audience

SHORT_ID = 10
MOST_RELEASES = 30


def ticket_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A request for people."""
    closed = f" ({facts['close_reason']})" if facts.get("close_reason") else ""
    return listing(
        [
            ("ticket", f"{facts['product']} {facts['key']}"),
            ("title", facts["title"]),
            ("customer", facts.get("customer")),
            ("found in", found_in(facts)),
            ("planned for", facts.get("planned_for")),
            *_way(facts.get("way")),
            ("state", f"{facts['state'] or 'no request: only the history names it'}{closed}"),
            ("opened", moment(facts.get("opened_at"))),
            ("solved", moment(facts.get("solved_at"))),
            ("closed", moment(facts.get("closed_at"))),
        ]
    )


def found_in(facts: Any) -> str | None:  # noqa: ANN401 -- facts
    """The version that a fault was found in, and whether it is the first that has it."""
    version = facts.get("found_in")
    return f"{version} (the first that has it)" if version and facts.get("found_in_is_first") else version


def override_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """An override for people."""
    before = facts["replaced"]
    return listing(
        [
            ("ticket", f"{facts['product']} {facts['ticket']}"),
            ("line", facts["line"]),
            ("status", facts["status"]),
            ("reason", facts["reason"]),
            ("by", facts["by"]),
            *([("before", f"{before['status']}, said {before['by']}: {before['reason']}")] if before else []),
        ]
    )


def withdrawn_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A withdrawn override for people."""
    before = facts["withdrawn"]
    return safe(f"Withdrawn: {facts['ticket']} on line {facts['line']} {before['status']}, said {before['by']}.")


def stated_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """What is stated of a ticket, for people."""
    return listing(
        [
            ("ticket", f"{facts['product']} {facts['ticket']}"),
            ("found in", found_in(facts)),
            ("planned for", facts["planned_for"]),
        ]
    )


def tickets_text(items: Any) -> str:  # noqa: ANN401 -- facts
    """Requests for people."""
    headers = ("key", "product", "customer", "state", "opened", "title")
    return table(
        headers,
        [(t["key"], t["product"], t["customer"], t["state"], moment(t["opened_at"]), t["title"]) for t in items],
    )


def thread_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """The thread for people, in the order in which it happens; what is not there yet is said so."""
    chapters = [
        ("Commits", _commits(facts["commits"]), "no commit names it"),
        ("First release of each line that has the fix", _lines(facts["lines"]), "no release has a fix"),
        ("Releases", _releases(facts["releases"]), ""),
        ("Notes", _notes(facts["notes"]), ""),
        ("Rollouts", _rollouts(facts["rollouts"]), "no rollout brought it anywhere"),
        ("Installations", _installations(facts["installations"]), "nothing is installed"),
    ]
    told = [
        f"{title}\n{text}" if text else f"{title}: {otherwise}"
        for title, text, otherwise in chapters
        if text or otherwise
    ]
    return "\n\n".join([ticket_text(facts), *told])


def _commits(items: Any) -> str:  # noqa: ANN401 -- facts
    headers = ("commit", "when", "relation", "subject", "remark")
    rows = [(c["commit"][:SHORT_ID], moment(c["committed_at"]), c["relation"], c["subject"], _remark(c)) for c in items]
    return table(headers, rows) if rows else ""


def _remark(commit: Any) -> str:  # noqa: ANN401 -- facts
    picked = [f"picked from {commit['picked_from'][:SHORT_ID]}"] if commit["picked_from"] else []
    return joined([*picked, *(f"reverted by {one[:SHORT_ID]}" for one in commit["reverted_by"])])


def _lines(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(one["line"], one["first_version"], (one["commit"] or "")[:SHORT_ID]) for one in items]
    return table(("line", "first version", "commit"), rows) if rows else ""


def _releases(items: Any) -> str:  # noqa: ANN401 -- facts
    if not items:
        return ""
    new = [one for one in items if one["new"]]
    rows = [(one["version"], one["state"], moment(one["published_at"] or one["tagged_at"])) for one in new]
    more = len(items) - len(new)
    text = table(("new in", "state", "since"), rows[:MOST_RELEASES])
    return text + (f"\nand in {more} later releases" if more else "")


def _notes(items: Any) -> str:  # noqa: ANN401 -- facts
    return "\n".join(
        safe(f"{one['version']} {one['language']}{_only(one['audience'])}: {' '.join(one['text'].split())}")
        for one in items
    )


def _only(audience: str) -> str:
    """Marks what customers do not read."""
    return "" if audience == Audience.CUSTOMER else f" ({audience})"


def _rollouts(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [
        (
            one["id"],
            one["version"],
            one["state"],
            moment(one["started_at"]),
            moment(one["finished_at"]),
            joined(one["notices"]),
            joined(
                [
                    *([f"one-off: {one['reason']}"] if one["one_off"] else []),
                    *(["took the fix away"] if one["takes_away"] else []),
                ]
            ),
        )
        for one in items
    ]
    return table(("rollout", "version", "state", "started", "ended", "notices", "remark"), rows) if rows else ""


def _installations(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [
        (
            one["installation"],
            one["customer"],
            joined(one["versions"]) + (f" (pinned for {one['pinned_for']})" if one["pinned_for"] else ""),
            _fixed(one),
            seconds(one["planned_stop_s"]),
            seconds(one["measured_stop_s"]),
        )
        for one in items
    ]
    headers = ("installation", "customer", "runs", "fixed since", "planned stop", "measured stop")
    return table(headers, rows) if rows else ""


def _fixed(one: Any) -> str:  # noqa: ANN401 -- facts
    """Since when the fix is there; where it was taken away, until when it was and by whom."""
    if one["fixed"]:
        return moment(one["since"])
    if not one["was_there"]:
        return "not there yet"
    last = one["was_there"][-1]
    since = f"from {moment(last['since'])} " if last["since"] else ""
    lost_by = f", lost by rollout {last['lost_by']}" if last["lost_by"] else ""
    return f"was there {since}until {moment(last['until'])}{lost_by}"


def _way(way: dict[str, Any] | None) -> list[tuple[str, object]]:
    """For which train it is planned, and how often one left without it."""
    if way is None:
        return []
    told: list[tuple[str, object]] = [("train", way["planned_for"])]
    if way["carries"]:
        too_often = ": too often" if way["alert"] else ""
        told.append(("carried over", f"{way['carries']} times since {way['first_planned_for']}{too_often}"))
    return told
