"""Release blockers and marks of tickets in the words of the command line."""

from __future__ import annotations

from typing import Any

from releaser.cli.show import moment, table
from releaser.domain.line import TicketKind
from releaser.errors import InvalidError


class TicketKindError(InvalidError):
    """No kind of ticket."""


def blockers_text(items: Any) -> str:  # noqa: ANN401 -- facts
    """Blockers for people."""
    if not items:
        return "Nothing blocks."
    rows = [
        (
            one["ticket"],
            f"line {one['line']}" if one["line"] else f"train of {one['train_on']}" if one["train_on"] else "every cut",
            one["reason"],
            one["by"],
            moment(one["at"]),
            f"{one['lifted_by']}: {one['lift_reason']}" if one["lifted_at"] else "",
        )
        for one in items
    ]
    return table(("ticket", "blocks", "reason", "by", "since", "lifted"), rows)


def marked_as(word: str) -> TicketKind | None:
    """The kind that a word names; None for `none`. Raises `TicketKindError`."""
    if word == "none":
        return None
    try:
        return TicketKind(word)
    except ValueError as error:
        known = ", ".join([*(kind.value for kind in TicketKind), "none"])
        raise TicketKindError(f"'{word[:40]}' is no kind of ticket.", advice=f"Use {known}.", field="as") from error
